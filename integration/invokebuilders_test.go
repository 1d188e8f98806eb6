package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// Builders that cannot do a part, or do it differently, say so in one sentence.
func TestInvokeOddBuilders(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	emulator, err := testenv.Emulator(t.Context())
	must(t, err)
	ours, arm := goApplication(t, "amd64", "answers", "panics"), goApplication(t, "arm64", "answers", "panics")
	fails := goApplication(t, "amd64", "answers")
	dockerfile := filepath.Join(filepath.Dir(fails), "app/Dockerfile")
	must(t, os.WriteFile(dockerfile, []byte("FROM scratch AS function\nCOPY function /\nRUN [\"/function\"]\n"), 0o600))
	const cannot = "samforge: answers: the builder cannot run "
	for name, c := range map[string]struct {
		builder            *testenv.BuildkitdOptions // nil for the shared one
		template, function string
		code               int
		stdout, stderr     string // a part
	}{
		"runs no steps":            {&testenv.BuildkitdOptions{NoRunc: true}, ours, "answers", 1, "", cannot + "build steps, and a function runs in one (exit code: 1): samforge doctor --try says what stands in the way, of a builder that has an address with --builder\n"},
		"the BuildKit before":      {&testenv.BuildkitdOptions{Program: "buildkitd-v0.33"}, ours, "answers", 0, `"did "`, "REPORT"},
		"hides the processes":      {&testenv.BuildkitdOptions{Rootless: true, Setup: "mount -t proc -o hidepid=2 proc /proc"}, ours, "answers", 0, `"did "`, "WARNING: the builder does not show how much memory"},
		"emulates arm64":           {&testenv.BuildkitdOptions{Rootless: true, Emulator: emulator}, arm, "answers", 0, `"did "`, "REPORT"},
		"emulates a panic":         {&testenv.BuildkitdOptions{Rootless: true, Emulator: emulator}, arm, "panics", 1, "exit status 2", "panic: no start today"},
		"has another architecture": {nil, arm, "answers", 1, "", cannot + "programs for linux/arm64: name a builder of that architecture, or let it emulate one (binfmt_misc)\n"},
		"fails another step":       {nil, fails, "answers", 1, "", `process "/function" did not complete successfully: exit code: 5`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			builder := b.Buildkitd
			if c.builder != nil {
				builder = startBuildkitd(t, b.Registry, *c.builder)
			}
			r := run(t, b.env, "invoke", "-q", "--builder", builder.Addr, "-t", c.template, c.function)
			if r.code != c.code || !strings.Contains(r.stdout, c.stdout) || !strings.Contains(r.stderr, c.stderr) {
				t.Errorf("exit code %d, want %d\nstdout: %s\nwant: %s\nstderr: %s\nwant: %s", r.code, c.code, r.stdout, c.stdout, r.stderr, c.stderr)
			}
		})
	}
}

// The BuildKit in Docker 20.10 runs functions under all of Lambda's limits but the size of /tmp.
func TestInvokeInEngine(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	engine, err := testenv.StartDockerd(t.Context(), testenv.DockerdOptions{InMemory: true})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	env := append(b.env[:len(b.env):len(b.env)], "DOCKER_HOST="+engine.Host)
	template := limitedApplication(t, b)
	for function, c := range map[string]struct {
		code           int
		stdout, stderr string
	}{
		"good":   {0, `"uid":993`, "WARNING: the builder is too old to limit the size of /tmp, which has 512 MB on Lambda"},
		"writes": {1, "EROFS: read-only file system", ""},
		"reads":  {1, "EACCES: permission denied", ""},
		"eats":   {1, "Runtime.ExitError", "Error: the function had more memory than its MemorySize of 160 MB"},
		"sleeps": {1, "Task timed out after 2.00 seconds", ""},
		"out":    {0, `"ECONNREFUSED"`, ""},
	} {
		t.Run(function, func(t *testing.T) {
			r := run(t, env, "invoke", "-q", "--builder", "docker://", "-t", template, function)
			if r.code != c.code || !strings.Contains(r.stdout, c.stdout) || !strings.Contains(r.stderr, c.stderr) {
				t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
			}
		})
	}
	t.Run("a buildkitd in a container", func(t *testing.T) {
		r := run(t, env, "invoke", "-q", "--builder", b.buildkitdIn(t, engine), "-t", template, "good", "--network")
		if r.code != 0 || !strings.Contains(r.stdout, `"uid":993`) {
			t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
		}
	})
	events := filepath.Join(filepath.Dir(template), "events")
	must(t, os.Mkdir(events, 0o755))
	for _, function := range []string{"good", "throws"} {
		must(t, os.WriteFile(filepath.Join(events, function+".json"), []byte(`{}`), 0o600))
	}
	build := []string{"build", "-q", "--builder", "docker://", "-f", template, "--load", "--verify=event", "--target"}
	run(t, env, append(build, "good")...).ok(t)
	if r := run(t, env, append(build, "throws")...); r.code != 1 || !strings.Contains(r.stderr, "the function does not answer its event: {") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// buildkitdIn runs a buildkitd in a container, as docker buildx create does, and returns its address.
func (b *bed) buildkitdIn(t *testing.T, engine *testenv.Dockerd) (address string) {
	t.Helper()
	base, err := b.Registry.Ref(testenv.NodeFunctionBase)
	must(t, err)
	dir := t.TempDir()
	for _, name := range []string{"buildkitd", "buildctl", "runc"} {
		tool, err := testenv.Tool(name)
		must(t, err)
		program, err := os.ReadFile(tool)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), program, 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM "+base+"\nCOPY buildkitd buildctl runc /usr/bin/\n"), 0o600))
	// What of --privileged it needs: this machine may not have all capabilities.
	start := []string{
		"run", "--detach", "--name", "buildkitd", "--network", "host", "--volume", "/var/lib/buildkit", "--entrypoint", "sh",
		"--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "systempaths=unconfined",
		"buildkitd", "-c", "for mount in /sys/fs/cgroup/*; do mount -o remount,bind,rw $mount; done; exec buildkitd",
	}
	for _, args := range [][]string{{"build", "--tag", "buildkitd", dir}, start} {
		if out, err := exec.CommandContext(t.Context(), "docker", append([]string{"--host", engine.Host}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("docker %s: %v\n%s", args[0], err, out)
		}
	}
	return "docker-container://buildkitd"
}

// A builder that samforge starts for an invocation leaves no temporary file.
func TestInvokeLeavesNothing(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	env, _ := b.privateEnv()
	temp, err := os.MkdirTemp("", "temp-") // short enough for sockets
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(temp)) })
	r := run(t, append(env, "BUILDKIT_HOST=private://", "TMPDIR="+temp), "invoke", "-q", "-t", goApplication(t, "amd64", "answers"), "answers")
	if r.code != 0 || !strings.Contains(r.stdout, `"did "`) {
		t.Errorf("exit code %d, stdout %s\n%s", r.code, r.stdout, r.stderr)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
