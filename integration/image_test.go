package integration

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// The image of samforge builds in a container without privileges, as its normal user and with its
// own buildkitd: a SAM image, which executes nothing, and the npm step.
func TestImageOfSamforge(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	root, err := testenv.DebianRoot(t.Context(), "bookworm")
	must(t, err)
	debian, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{root}})
	must(t, err)
	b.push("docker.io/library/debian:bookworm-slim", debian)
	base, err := b.Registry.Ref("docker.io/library/debian:bookworm-slim")
	must(t, err)
	rootful := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{}) // apt's own user needs more than one id
	image := b.repo("samforge:1")
	cmd := exec.CommandContext(t.Context(), "make", "image", "IMAGE="+image, "BASE="+base, "BUILDKIT_HOST="+rootful.Addr)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, out)
	}

	engine, err := testenv.StartDockerd(t.Context(), testenv.DockerdOptions{})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	work := t.TempDir()
	must(t, os.Chmod(work, 0o755))
	must(t, os.WriteFile(filepath.Join(work, "samforge.yaml"), []byte(samFile), 0o644))
	cdk, err := os.ReadFile(cdkFile(t, testenv.Lambda20Base, testenv.Python312Base))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(work, "cdk.yaml"), cdk, 0o644))
	try := func(args ...string) result {
		t.Helper()
		run := append([]string{"run", "--rm", "--network", "host", "--volume", work + ":/images", "--workdir", "/images"}, args...)
		cmd := exec.CommandContext(t.Context(), "docker", run...)
		cmd.Env = append(os.Environ(), "DOCKER_HOST="+engine.Host, "DOCKER_CONFIG="+t.TempDir())
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return result{stdout: stdout.String(), stderr: stderr.String(), code: cmd.ProcessState.ExitCode()}
	}
	docker := func(args ...string) string {
		t.Helper()
		r := try(append([]string{"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"}, args...)...)
		if r.code != 0 {
			t.Fatalf("docker %q exited with %d:\n%s\n%s", args, r.code, r.stderr, engine.Log())
		}
		return strings.TrimSpace(r.stdout)
	}
	if got := docker("--entrypoint", "id", image, "-u"); got != "1000" {
		t.Errorf("the image runs as %s, want 1000", got)
	}
	b.base(testenv.Node22Base, "nodejs22.x", "amd64")
	for file, target := range map[string]string{"samforge.yaml": "nodejs22.x", "cdk.yaml": "python3.12"} {
		line := docker(append([]string{image, "build", "-f", file, "--target", target, "--repo", b.repo("ci/unprivileged"), "--push", "--progress", "plain",
			"--mirror", "https://registry.npmjs.org/=" + npm.URL() + "/"}, b.mirrors()...)...)
		tag, digest, _ := strings.Cut(line, "@")
		if got := b.digestOfTag(tag); got != digest {
			t.Errorf("%s is %s in the registry, want %s", tag, got, digest)
		}
	}
	b.stepInContainers(t, image, base, try)
	// samforge names what the container may not do, and what to change.
	unconfined := []string{"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"}
	for setting, c := range map[string]struct {
		args []string
		want string
	}{
		"the engine's own seccomp profile": {nil, "user namespaces are forbidden here"},
		"no-new-privileges":                {append(unconfined, "--security-opt", "no-new-privileges"), "newuidmap may not gain its privilege here"},
		"a user without a name":            {append(unconfined, "--user", "54321:54321", "--env", "HOME=/tmp"), "the user has no entry in /etc/passwd"},
	} {
		r := try(append(c.args, append([]string{image, "build", "-f", "samforge.yaml", "--progress", "plain"}, b.mirrors()...)...)...)
		if r.code != 1 || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: exit code %d, want 1 and %q:\n%s", setting, r.code, c.want, r.stderr)
		}
	}
}
