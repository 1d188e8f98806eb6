// Starting and stopping buildkitd, rootful or rootless.

package testenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/moby/buildkit/client"
)

// BuildkitdOptions says how a buildkitd runs. The zero value is a rootful one with runc, the
// overlayfs snapshotter and no mirrors.
type BuildkitdOptions struct {
	// Rootless runs it as an unprivileged user under rootlesskit.
	Rootless bool
	// Mirrors maps a registry to the place that buildkitd pulls its images from, over plain HTTP:
	// "public.ecr.aws" -> "127.0.0.1:5000/ecr". See [Registry.Mirrors].
	Mirrors map[string]string
	// PlainHTTP are hosts that buildkitd uses in plain HTTP. Authorities are the CA files for
	// others.
	PlainHTTP   []string
	Authorities map[string]string
	// Proxy is the proxy for everything outside loopback, as in HTTPS_PROXY; empty means none.
	Proxy string
	// HostNetwork lets steps use the network of the machine (--network host).
	HostNetwork bool
	// Program is the name of the program in bin/; empty means buildkitd.
	Program string
	// NoRunc makes every exec fail, for graphs that must not contain one.
	NoRunc bool
	// TLS makes it listen on TCP too, for clients with the certificate in TLSDir.
	TLS bool
	// RootSize, if above 0, limits the state to a tmpfs of that many bytes. It cannot be combined
	// with Rootless.
	RootSize int64
	// Setup are shell commands that run before a rootless one, in its namespaces. Emulator is the
	// program of [Emulator], with which it runs programs for arm64.
	Setup, Emulator string
	// Debug serves what [Buildkitd.Heap] reads.
	Debug bool
}

// Buildkitd is a running buildkitd with an empty state of its own.
type Buildkitd struct {
	Addr string // unix:///…/buildkitd.sock
	PID  int    // of buildkitd itself, as this process sees it
	Root string // its state; with RootSize only buildkitd sees its content

	TCPAddr string // tcp://127.0.0.1:…, with TLS
	TLSDir  string // the client's ca.pem, cert.pem and key.pem

	options BuildkitdOptions
	dir     *workDir
	memory  *workDir // has Root, if that is in memory
	process *process
	killed  bool // once
}

// StartBuildkitd starts a buildkitd and waits until it has a worker.
//
// Each runs in its own PID namespace and mount namespace. When the leader of the PID namespace
// dies, the kernel ends everything in it, so no container outlives the daemon. It also undoes every
// mount of the mount namespace, so none is left behind.
func StartBuildkitd(ctx context.Context, options BuildkitdOptions) (_ *Buildkitd, err error) {
	if options.Rootless && options.RootSize > 0 {
		return nil, errors.New("RootSize cannot be combined with Rootless: mounting a tmpfs needs root")
	}
	if !options.Rootless && os.Geteuid() != 0 {
		return nil, errors.New("a rootful buildkitd needs root: run this as root, or set Rootless")
	}
	dir, err := newWorkDir()
	if err != nil {
		return nil, err
	}
	b := &Buildkitd{
		Addr: "unix://" + dir.join("buildkitd.sock"),
		Root: dir.join("root"),

		options: options,
		dir:     dir,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	if options.RootSize == 0 && hasMemory() {
		if b.memory, err = newWorkDirIn(MemoryDir); err != nil {
			return nil, err
		}
		b.Root = b.memory.join("root")
	}
	if err := b.writeConfig(options); err != nil {
		return nil, err
	}
	if options.TLS {
		if err := b.listenTLS(); err != nil {
			return nil, err
		}
	}
	if err := b.Start(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// Start starts buildkitd again after [Buildkitd.Kill], at the same address and with the state that
// it had. It waits until there is a worker. With RootSize the state is empty.
func (b *Buildkitd) Start(ctx context.Context) (err error) {
	var cmd *exec.Cmd
	if b.options.Rootless {
		cmd, err = b.rootlessCommand(b.options)
	} else {
		cmd, err = b.rootfulCommand(b.options)
	}
	if err != nil {
		return err
	}
	if proxy := b.options.Proxy; proxy != "" {
		cmd.Env = append(cmd.Env, "HTTP_PROXY="+proxy, "HTTPS_PROXY="+proxy)
	}
	if b.process, err = startProcess(cmd); err != nil {
		return err
	}
	if err := b.process.waitReady(ctx, 30*time.Second, b.hasWorker); err != nil {
		return err
	}
	b.PID = descendant(cmd.Process.Pid, "buildkitd")
	return nil
}

// writeConfig writes the configuration
// (https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md). The path
// of a mirror goes between /v2/ and the repository; plain HTTP is a property of
// its host.
func (b *Buildkitd) writeConfig(options BuildkitdOptions) error {
	var config strings.Builder
	if options.HostNetwork {
		fmt.Fprintln(&config, `insecure-entitlements = ["network.host"]`)
	}
	if !options.Rootless {
		fmt.Fprintf(&config, "[worker.oci]\n  defaultCgroupParent = %q\n", b.cgroup())
	}
	hosts := map[string]bool{}
	for _, registry := range slices.Sorted(maps.Keys(options.Mirrors)) {
		mirror := options.Mirrors[registry]
		fmt.Fprintf(&config, "[registry.%q]\n  mirrors = [%q]\n", registry, mirror)
		if authority := options.Authorities[registry]; authority != "" {
			fmt.Fprintf(&config, "  ca = [%q]\n", authority)
		}
		host, _, _ := strings.Cut(mirror, "/")
		hosts[host] = true
	}
	for _, host := range options.PlainHTTP {
		hosts[host] = true
	}
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		fmt.Fprintf(&config, "[registry.%q]\n  http = true\n", host)
	}
	for _, host := range slices.Sorted(maps.Keys(options.Authorities)) {
		if options.Mirrors[host] == "" {
			fmt.Fprintf(&config, "[registry.%q]\n  http = false\n  ca = [%q]\n", host, options.Authorities[host])
		}
	}
	if err := os.WriteFile(b.dir.join("buildkitd.toml"), []byte(config.String()), 0o644); err != nil {
		return fmt.Errorf("configuring buildkitd: %w", err)
	}
	if !options.NoRunc {
		return nil
	}
	script := "#!/bin/sh\necho 'this buildkitd runs nothing (NoRunc): the graph contains an exec' >&2\nexit 1\n"
	return os.WriteFile(b.dir.join("no-runc"), []byte(script), 0o755)
}

// rootfulCommand wraps buildkitd in unshare of util-linux, which every Linux distribution has.
func (b *Buildkitd) rootfulCommand(options BuildkitdOptions) (*exec.Cmd, error) {
	buildkitd, err := Tool(cmp.Or(options.Program, "buildkitd"))
	if err != nil {
		return nil, err
	}
	runc, err := Tool("runc")
	if err != nil {
		return nil, err
	}
	for _, dir := range append([]string{b.Root}, b.workDirs()...) {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, fmt.Errorf("making a directory for buildkitd: %w", err)
		}
	}
	args := []string{"--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if options.RootSize > 0 {
		args = append(args, "sh", "-c", `mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"`,
			"sh", fmt.Sprint(options.RootSize), b.Root)
	}
	args = append(args, buildkitd, "--oci-worker-snapshotter", "overlayfs", "--oci-worker-net", "host")
	cmd := exec.Command("unshare", append(args, b.flags(options, runc)...)...)
	cmd.Env = b.environment(os.Getenv("PATH"))
	return cmd, nil
}

// flags are the flags that rootful and rootless daemons share.
func (b *Buildkitd) flags(options BuildkitdOptions, runc string) []string {
	if options.NoRunc {
		runc = b.dir.join("no-runc")
	}
	flags := []string{
		"--config", b.dir.join("buildkitd.toml"), "--root", b.Root, "--addr", b.Addr,
		"--oci-worker", "true", "--oci-worker-binary", runc, "--containerd-worker=false",
	}
	if options.Debug {
		flags = append(flags, "--debugaddr", "unix://"+b.debugSocket())
	}
	if options.TLS {
		flags = append(flags, "--addr", b.TCPAddr, "--tlscacert", filepath.Join(b.TLSDir, "ca.pem"),
			"--tlscert", filepath.Join(b.TLSDir, "server.pem"), "--tlskey", filepath.Join(b.TLSDir, "server-key.pem"))
	}
	return flags
}

// workDirs are the directories that buildkitd gets beside its root, see environment.
func (b *Buildkitd) workDirs() []string {
	return []string{b.dir.join("home"), b.dir.join("tmp"), b.dir.join("run")}
}

// environment keeps the files that buildkitd writes beside its root away from others.
func (b *Buildkitd) environment(path string) []string {
	return []string{"PATH=" + path, "HOME=" + b.dir.join("home"), "TMPDIR=" + b.dir.join("tmp"), "XDG_RUNTIME_DIR=" + b.dir.join("run")}
}

func (b *Buildkitd) hasWorker(ctx context.Context) error {
	if _, err := os.Stat(strings.TrimPrefix(b.Addr, "unix://")); err != nil {
		return err
	}
	c, err := client.New(ctx, b.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	workers, err := c.ListWorkers(ctx)
	if err == nil && len(workers) == 0 {
		err = errors.New("buildkitd has no worker")
	}
	return err
}

// Client connects to the daemon. The caller closes the client.
func (b *Buildkitd) Client(ctx context.Context) (*client.Client, error) {
	c, err := client.New(ctx, b.Addr)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", b.Addr, err)
	}
	return c, nil
}

// Close stops buildkitd and everything that it started, and removes its state. It may be called
// again, and after Kill.
func (b *Buildkitd) Close() error {
	if b.process != nil {
		b.process.stop(cmp.Or(b.PID, b.process.cmd.Process.Pid), 10*time.Second)
	}
	if os.Geteuid() != 0 {
		// Some of the files belong to subordinate ids of the user.
		_ = exec.Command(b.dir.join("bin", "rootlesskit"), "rm", "-rf", b.Root).Run()
	}
	b.removeCgroups()
	if b.memory != nil {
		return errors.Join(b.memory.remove(), b.dir.remove())
	}
	return b.dir.remove()
}

// cgroup is the parent of the containers' control groups of a rootful buildkitd.
func (b *Buildkitd) cgroup() string { return filepath.Base(b.dir.path) }

// removeCgroups removes the control groups that killed containers left, in every hierarchy of
// version 1 and in version 2. Only empty groups can be removed, and a killed process leaves its
// group a moment after it was waited for.
func (b *Buildkitd) removeCgroups() {
	for range 100 {
		groups := b.cgroups()
		if len(groups) == 0 {
			return
		}
		for _, dir := range slices.Backward(groups) {
			_ = os.Remove(dir)
		}
		if len(b.cgroups()) > 0 {
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// cgroups are the control groups of the daemon's containers, parents first.
func (b *Buildkitd) cgroups() []string {
	var dirs []string
	for _, hierarchy := range []string{"", "*"} {
		parents, _ := filepath.Glob(filepath.Join("/sys/fs/cgroup", hierarchy, b.cgroup()))
		for _, parent := range parents {
			_ = filepath.WalkDir(parent, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
		}
	}
	return dirs
}

// Kill ends buildkitd and everything that it started at once, as a crash does. The state stays
// until Close; see [Buildkitd.Start].
func (b *Buildkitd) Kill() {
	select {
	case <-b.process.done: // its id may already belong to another process
		return
	default:
	}
	b.killed = true
	if b.PID > 0 {
		_ = syscall.Kill(b.PID, syscall.SIGKILL)
	}
	b.process.kill()
}

// Log returns the end of buildkitd's log.
func (b *Buildkitd) Log() string {
	return b.process.log.String()
}

// DiskUsage returns the size of the files below Root in bytes. With a tmpfs it looks from inside
// buildkitd's mount namespace.
func (b *Buildkitd) DiskUsage() (int64, error) {
	var total int64
	root := filepath.Join(fmt.Sprintf("/proc/%d/root", b.PID), b.Root)
	err := filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil // buildkitd is working, or overlayfs keeps its own directory here
		}
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return nil
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			total += stat.Blocks * 512
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("measuring %s: %w", b.Root, err)
	}
	return total, nil
}

// descendant returns the first process below pid that runs the named program, or 0 if there is
// none.
func descendant(pid int, program string) int {
	for _, child := range children(pid) {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", child))
		if strings.TrimSpace(string(comm)) == program {
			return child
		}
		if found := descendant(child, program); found > 0 {
			return found
		}
	}
	return 0
}
