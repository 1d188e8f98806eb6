package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

// TestMain fails at once if the rootful half cannot run.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 && os.Getenv(killedParent) == "" {
		println("the tests of the test bed need root, because buildkitd runs rootful in some: run them as root")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// solve builds state for linux/amd64 and pushes it to ref, or only evaluates it if ref is empty.
func solve(ctx context.Context, b *Buildkitd, state llb.State, ref string) error {
	c, err := b.Client(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	options := client.SolveOpt{FrontendAttrs: map[string]string{}}
	if ref != "" {
		options.Exports = []client.ExportEntry{{Type: client.ExporterImage, Attrs: map[string]string{"name": ref, "push": "true"}}}
	}
	status := make(chan *client.SolveStatus)
	logs := make(chan string, 1)
	go func() {
		var text strings.Builder
		for s := range status {
			for _, line := range s.Logs {
				text.Write(line.Data)
			}
		}
		logs <- text.String()
	}()
	_, err = c.Build(ctx, options, "", func(ctx context.Context, gw gateway.Client) (*gateway.Result, error) {
		definition, err := state.Marshal(ctx, llb.LinuxAmd64)
		if err != nil {
			return nil, err
		}
		res, err := gw.Solve(ctx, gateway.SolveRequest{Definition: definition.ToPB(), Evaluate: ref == ""})
		if err != nil {
			return nil, err
		}
		config, err := json.Marshal(v1.ConfigFile{OS: "linux", Architecture: "amd64"})
		if err != nil {
			return nil, err
		}
		res.AddMeta("containerimage.config", config)
		return res, nil
	}, status)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, <-logs)
	}
	return nil
}

// merged is the shape of samforge's images: an untouched base, and a layer from scratch.
func merged(base string) llb.State {
	return llb.Merge([]llb.State{
		llb.Image(base),
		llb.Scratch().File(llb.Mkdir("/opt/harness", 0o755, llb.WithParents(true)).Mkfile("/opt/harness/hello", 0o644, []byte("hello"))),
	})
}

// execInScratch runs a program in a file system that holds only it.
func execInScratch(t *testing.T) llb.State {
	t.Helper()
	program, err := Executable(t.Context(), "docker", "amd64", "28.5.2")
	if err != nil {
		t.Fatal(err)
	}
	return llb.Scratch().
		File(llb.Mkdir("/tmp", 0o777).Mkfile("/docker", 0o755, program)).
		Run(llb.Args([]string{"/docker", "--version"})).Root()
}

func TestBuildkitd(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]BuildkitdOptions{"rootful": {}, "rootless": {Rootless: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := New(t, Options{Buildkitd: options})
			r, b := env.Registry, env.Buildkitd
			const base = Node22Base + "-x86_64"
			pushed(t, r, base, smallBase(t, "amd64"))
			direct, err := r.Ref(base)
			if err != nil {
				t.Fatal(err)
			}

			if err := solve(t.Context(), b, merged(direct), r.Addr+"/out/direct:1"); err != nil {
				t.Fatal(err)
			}
			if layers, _, err := r.PulledFrom(t.Context(), base); err != nil || layers != 0 {
				t.Errorf("%d base layers were pulled (%v) when the base is in the target registry, want 0", layers, err)
			}
			if stats := r.Stats(); stats.Mounts != 4 {
				t.Errorf("%d base layers were mounted, want 4: %+v", stats.Mounts, stats)
			}
			result, err := r.ReadImage(t.Context(), r.Addr+"/out/direct:1", "linux/amd64")
			if err != nil {
				t.Fatal(err)
			}
			if hello, err := result.ReadFile("/opt/harness/hello"); err != nil || string(hello) != "hello" || len(result.Layers) != 5 {
				t.Errorf("the result has %d layers and says %q (%v), want 5 and hello", len(result.Layers), hello, err)
			}

			if err := solve(t.Context(), b, execInScratch(t), ""); err != nil {
				t.Errorf("running a program: %v", err)
			}
			if used, err := b.DiskUsage(); err != nil || used == 0 {
				t.Errorf("the root takes %d bytes, %v", used, err)
			}

			dir := b.dir.path
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is still there: %v", dir, err)
			}
			if syscall.Kill(b.PID, 0) == nil {
				t.Errorf("process %d still runs", b.PID)
			}
			if mounts, _ := os.ReadFile("/proc/self/mountinfo"); bytes.Contains(mounts, []byte(dir)) {
				t.Error("a mount is left below the root")
			}
		})
	}
}

// A base that comes through a mirror is not mounted: BuildKit pulls it and uploads it again,
// because it looks at the registry that the reference names.
func TestMirrorServesPublicNames(t *testing.T) {
	t.Parallel()
	env := New(t, Options{})
	const base = Python312Base + "-x86_64"
	image, err := SAMBase(t.Context(), SAMBaseOptions{Runtime: "python3.12", Arch: "amd64"})
	if err != nil {
		t.Fatal(err)
	}
	pushed(t, env.Registry, base, image)
	if err := solve(t.Context(), env.Buildkitd, merged(base), env.Registry.Addr+"/out/mirrored:1"); err != nil {
		t.Fatal(err)
	}
	if layers, bytes, err := env.Registry.PulledFrom(t.Context(), base); err != nil || layers != 4 || bytes < 1<<20 {
		t.Errorf("%d layers with %d bytes were pulled through the mirror (%v), want 4", layers, bytes, err)
	}
}

func TestNoRuncRefusesToExecute(t *testing.T) {
	t.Parallel()
	env := New(t, Options{Buildkitd: BuildkitdOptions{NoRunc: true}})
	if err := solve(t.Context(), env.Buildkitd, llb.Scratch().File(llb.Mkdir("/a", 0o755)), ""); err != nil {
		t.Errorf("a graph without an exec: %v", err)
	}
	if err := solve(t.Context(), env.Buildkitd, execInScratch(t), ""); err == nil {
		t.Error("an exec succeeded without runc")
	}
}

func TestRootSizeFillsUp(t *testing.T) {
	t.Parallel()
	env := New(t, Options{Buildkitd: BuildkitdOptions{RootSize: 8 << 20}})
	env.Files.Add("/big", make([]byte, 12<<20))
	if err := solve(t.Context(), env.Buildkitd, llb.HTTP(env.Files.URL()+"/big"), ""); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("12 MiB on a disk of 8 MiB: %v, want no space left on device", err)
	}
	if used, err := env.Buildkitd.DiskUsage(); err != nil || used == 0 || used > 8<<20 {
		t.Errorf("the root takes %d bytes, %v", used, err)
	}
}

func TestKillEndsRunningContainers(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]BuildkitdOptions{"rootful": {}, "rootless": {Rootless: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := New(t, Options{Buildkitd: options}).Buildkitd
			started := make(chan error, 1)
			go func() { started <- solve(t.Context(), b, sleepInScratch(t), "") }()
			var sleeper int
			for deadline := time.Now().Add(20 * time.Second); sleeper == 0; sleeper = descendant(b.PID, "standin-sleep") {
				select {
				case err := <-started:
					t.Fatalf("the build ended before its time: %v", err)
				case <-time.After(20 * time.Millisecond):
				}
				if time.Now().After(deadline) {
					t.Fatal("the container did not start")
				}
			}
			b.Kill()
			if err := <-started; err == nil {
				t.Error("the build survived its buildkitd")
			}
			gone(t, b.PID, sleeper)
			if err := b.Close(); err != nil {
				t.Error(err)
			}
			if groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + b.cgroup()); len(groups) > 0 {
				t.Errorf("control groups are left: %s", groups)
			}
		})
	}
}

func sleepInScratch(t *testing.T) llb.State {
	program, err := Executable(t.Context(), "sleep", "amd64", "1")
	if err != nil {
		t.Error(err)
	}
	return llb.Scratch().
		File(llb.Mkdir("/tmp", 0o777).Mkfile("/standin-sleep", 0o755, program)).
		Run(llb.Args([]string{"/standin-sleep", "60"})).Root()
}

// gone fails the test unless the processes end within two seconds.
func gone(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		for deadline := time.Now().Add(2 * time.Second); running(pid); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("process %d still runs", pid)
				break
			}
		}
	}
}

// running reports whether a process exists and is more than an entry in its parent's table.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// killedParent makes a copy of the test program start servers and wait to be killed.
const killedParent = "TESTENV_KILLED_PARENT"

func TestNothingOutlivesAKilledParent(t *testing.T) {
	if os.Getenv(killedParent) != "" {
		r, err := StartRegistry(t.Context(), RegistryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rootful, err := StartBuildkitd(t.Context(), BuildkitdOptions{})
		if err != nil {
			t.Fatal(err)
		}
		rootless, err := StartBuildkitd(t.Context(), BuildkitdOptions{Rootless: true})
		if err != nil {
			t.Fatal(err)
		}
		_ = json.NewEncoder(os.Stdout).Encode([]int{r.process.cmd.Process.Pid, rootful.PID, rootless.PID})
		select {}
	}
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNothingOutlivesAKilledParent$")
	cmd.Env = append(os.Environ(), killedParent+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	decoder := json.NewDecoder(stdout)
	if err := decoder.Decode(&pids); err != nil {
		said, _ := io.ReadAll(io.MultiReader(decoder.Buffered(), stdout))
		t.Fatalf("the servers did not start: %v\n%s", err, said)
	}
	for _, pid := range pids {
		if !running(pid) {
			t.Errorf("process %d does not run", pid)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	gone(t, pids...)
}
