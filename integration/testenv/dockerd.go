// Running a Docker engine, whose BuildKit has no MergeOp.

package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"time"
)

// Dockerd is a running Docker engine with its own empty state. Its containers have the network of
// the machine or none: it has no bridge.
type Dockerd struct {
	// Host is the value of DOCKER_HOST for it.
	Host string

	dir     *workDir
	data    string // its state
	process *process
}

// DockerdOptions says how a Docker engine runs.
type DockerdOptions struct {
	// InMemory keeps its state in [MemoryDir].
	InMemory bool
}

// StartDockerd starts the machine's dockerd and waits until it answers. It
// needs root.
func StartDockerd(ctx context.Context, options DockerdOptions) (_ *Dockerd, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a Docker engine needs root: run this as root")
	}
	dockerd, err := exec.LookPath("dockerd")
	if err != nil {
		return nil, errors.New("dockerd is not on PATH: run `apt-get install docker.io`")
	}
	dir, err := newWorkDir()
	if err != nil {
		return nil, err
	}
	d := &Dockerd{Host: "unix://" + dir.join("docker.sock"), dir: dir, data: dir.join("data")}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if options.InMemory {
		if d.data, err = os.MkdirTemp(MemoryDir, "samforge-dockerd-"); err != nil {
			return nil, err
		}
	}
	// In its own mount and PID namespace, the kernel ends its containerd and its mounts with it.
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
		dockerd, "--host", d.Host, "--data-root", d.data, "--exec-root", dir.join("exec"), "--pidfile", dir.join("pid"),
		"--iptables=false", "--ip6tables=false", "--bridge=none")
	if d.process, err = startProcess(cmd); err != nil {
		return nil, err
	}
	return d, d.process.waitReady(ctx, 30*time.Second, d.ping)
}

func (d *Dockerd) ping(ctx context.Context) error {
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", d.dir.join("docker.sock"))
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("dockerd answers %s", resp.Status)
	}
	return nil
}

// Log returns the end of dockerd's log.
func (d *Dockerd) Log() string { return d.process.log.String() }

// Close stops the engine and everything that it started, and removes its state.
func (d *Dockerd) Close() error {
	if d.process != nil {
		pid := descendant(d.process.cmd.Process.Pid, "dockerd")
		if pid == 0 {
			pid = d.process.cmd.Process.Pid
		}
		d.process.stop(pid, 10*time.Second)
	}
	return errors.Join(os.RemoveAll(d.data), d.dir.remove())
}
