package integration

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// imageOfSamforge makes the image of samforge for both architectures, and returns its reference. The
// base for arm64 has the programs of the other one, of which none is run: what is taken from it are
// the names of its packages.
func imageOfSamforge(t *testing.T, b *bed) (reference string) {
	t.Helper()
	root, err := testenv.DebianRoot(t.Context(), "bookworm")
	must(t, err)
	debian, err := testenv.Image(testenv.ImageOptions{Arch: "amd64", Layers: []testenv.Layer{root}})
	must(t, err)
	const upstream = "docker.io/library/debian:bookworm-slim"
	b.push(upstream, debian)
	amd64, err := b.Registry.ReadImage(t.Context(), upstream, "linux/amd64")
	must(t, err)
	packages, err := amd64.ReadFile("/var/lib/dpkg/status")
	must(t, err)
	packages = bytes.ReplaceAll(packages, []byte("\nArchitecture: amd64\n"), []byte("\nArchitecture: arm64\n"))
	foreign, err := testenv.Image(testenv.ImageOptions{Arch: "arm64", Variant: "v8", Layers: []testenv.Layer{root, {Files: []testenv.File{{Path: "var/lib/dpkg/status", Data: packages}}}}})
	must(t, err)
	b.push(upstream, debian, foreign)
	base, err := b.Registry.Ref(upstream)
	must(t, err)
	rootful := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{}) // files of other owners need more than one id
	reference = b.repo("samforge:1")
	cmd := exec.CommandContext(t.Context(), "make", "image", "IMAGE="+reference, "BASE="+base, "BUILDKIT_HOST="+rootful.Addr)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, out)
	}
	for platform, machine := range map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64} {
		image, err := b.Registry.ReadImage(t.Context(), reference, platform)
		must(t, err)
		wantSamforgesPrograms(t, image, machine)
	}
	return reference
}

// wantSamforgesPrograms checks what the image of samforge has beside its base: programs for this
// machine with all the libraries that they load, the certificates, and not too many bytes.
func wantSamforgesPrograms(t *testing.T, image *testenv.Inspected, machine elf.Machine) {
	t.Helper()
	const limit = 120e6 // bytes
	var size int64
	for _, layer := range image.Layers {
		size += layer.Size
	}
	t.Logf("the image for %s has %d bytes", image.Platform, size)
	if size > limit {
		t.Errorf("the image for %s has %d bytes, want at most %.0f", image.Platform, size, limit)
	}
	libraries := map[string]bool{}
	for file := range image.Files {
		libraries[path.Base(file)] = true
	}
	programs := []string{"/usr/bin/git", "/usr/bin/newgidmap", "/usr/bin/newuidmap", "/usr/bin/pigz", "/usr/bin/ssh", "/usr/lib/git-core/git-remote-http"}
	for _, name := range []string{"buildkitd", "rootlesskit", "runc", "samforge", "samforge-bake"} {
		programs = append(programs, "/usr/local/bin/"+name)
	}
	for file := range image.Files {
		if image.Files[file].Layer > 0 && strings.Contains(file, ".so.") && image.Files[file].Type == tar.TypeReg {
			programs = append(programs, file)
		}
	}
	for _, file := range programs {
		data, err := image.ReadFile(file)
		must(t, err)
		program, err := elf.NewFile(bytes.NewReader(data))
		must(t, err)
		needed, err := program.ImportedLibraries()
		must(t, err)
		if program.Machine != machine {
			t.Errorf("%s is for %s, want %s", file, program.Machine, machine)
		}
		for _, name := range needed {
			if !libraries[name] && name != "ld-linux-aarch64.so.1" { // of the base
				t.Errorf("%s of %s needs %s, which the image has not", file, image.Platform, name)
			}
		}
	}
	certificates, err := image.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if must(t, err); !x509.NewCertPool().AppendCertsFromPEM(certificates) {
		t.Errorf("%s has no certificates", image.Platform)
	}
}

// The image of samforge builds in a container without privileges, as its normal user, with its own
// buildkitd and under its own seccomp profile: a SAM image, which executes nothing, and the npm
// step.
func TestImageOfSamforge(t *testing.T) {
	t.Parallel()
	b, npm := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	image := imageOfSamforge(t, b)
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
	profile := filepath.Join(t.TempDir(), "seccomp.json")
	must(t, os.WriteFile(profile, []byte(try(image, "doctor", "--seccomp-profile").stdout), 0o644))
	docker := func(args ...string) string {
		t.Helper()
		r := try(append([]string{"--security-opt", "seccomp=" + profile, "--security-opt", "apparmor=unconfined"}, args...)...)
		if r.code != 0 {
			t.Fatalf("docker %q exited with %d:\n%s\n%s", args, r.code, r.stderr, engine.Log())
		}
		return strings.TrimSpace(r.stdout)
	}
	if got := docker("--entrypoint", "id", image, "-u"); got != "1000" {
		t.Errorf("the image runs as %s, want 1000", got)
	}
	b.base(testenv.Node22Base, "nodejs22.x", "amd64")
	build := func(file, target string, settings ...string) []string {
		return append(append(settings, image, "build", "-f", file, "--target", target, "--repo", b.repo("ci/unprivileged"), "--push", "--progress", "plain",
			"--mirror", "https://registry.npmjs.org/="+npm.URL()+"/"), b.mirrors()...)
	}
	pushed := func(file, target string, settings ...string) (digest string) {
		t.Helper()
		tag, digest, _ := strings.Cut(docker(build(file, target, settings...)...), "@")
		if got := b.digestOfTag(tag); got != digest {
			t.Errorf("%q: %s is %s in the registry, want %s", settings, tag, got, digest)
		}
		return digest
	}
	pushed("cdk.yaml", "python3.12")
	want := pushed("samforge.yaml", "nodejs22.x")
	// Where newuidmap cannot map ids there is one. It does for a SAM image, but not for a step in an
	// image with files of other owners, as this stand-in for Lambda's base has.
	noEscalation := []string{"--security-opt", "no-new-privileges", "--cap-drop", "ALL"}
	for _, settings := range [][]string{noEscalation, {"--cap-drop", "ALL"}, {"--user", "54321:54321", "--read-only", "--tmpfs", "/tmp"}} {
		if got := pushed("samforge.yaml", "nodejs22.x", settings...); got != want {
			t.Errorf("%q: the image is %s, want %s", settings, got, want)
		}
	}
	must(t, exec.CommandContext(t.Context(), "docker", "--host", engine.Host, "tag", image, samforgeImage).Run())
	stepTemplatesInContainers(t, engine)
	refused := try(build("cdk.yaml", "python3.12", append(noEscalation, "--security-opt", "seccomp="+profile, "--security-opt", "apparmor=unconfined")...)...)
	if want := "the image has the file /etc/gshadow of UID 0, GID 42, and privileges must not escalate here"; refused.code != 1 || !strings.Contains(refused.stderr, want) {
		t.Errorf("a step in an image with files of other owners: exit code %d, want 1 and %q:\n%s", refused.code, want, refused.stderr)
	}
	// samforge names what the container may not do, and what to change.
	for settings, want := range map[string]string{
		"--tty=false": "user namespaces are forbidden here", // by the engine's own seccomp profile
		"--user=0":    "root may not mount here, as the container has no CAP_SYS_ADMIN: run as a normal user",
		"--read-only": "temporary files cannot be written to /tmp",
	} {
		r := try(append([]string{settings, image, "build", "-f", "samforge.yaml", "--progress", "plain"}, b.mirrors()...)...)
		if r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit code %d, want 1 and %q:\n%s", settings, r.code, want, r.stderr)
		}
	}
	r := try(image, "doctor")
	if r.code != 1 {
		t.Errorf("doctor under the engine's own seccomp profile: exit code %d, want 1", r.code)
	}
	for _, want := range []string{
		"problem  user namespaces: the seccomp filter of the container refuses",
		"samforge doctor --seccomp-profile", "seccompProfile: {type: Localhost, ",
		"ok       user ids: ", "ok       temporary files: ",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("doctor does not say %q:\n%s", want, r.stdout)
		}
	}
	if said, want := docker("--env", "XDG_CACHE_HOME=/home/samforge/cache", image, "doctor"), "warning  snapshots: overlayfs cannot be used in that folder"; !strings.Contains(said, want) {
		t.Errorf("doctor without the image's volume does not say %q:\n%s", want, said)
	}
	ids := filepath.Join(work, "subuid") // what the container's user namespace does not have
	must(t, os.WriteFile(ids, []byte("samforge:4294967290:65536\n"), 0o644))
	if said := docker("--volume", ids+":/etc/subuid:ro", image, "doctor", "--try"); !strings.Contains(said, "warning  user ids: the ids 4294967290 to ") || !strings.Contains(said, "hostUsers: true") || !strings.Contains(said, "ok       a build: ") {
		t.Errorf("doctor without the ids of /etc/subuid says:\n%s", said)
	}
	said := docker("--security-opt", "no-new-privileges", image, "doctor", "--try", "--registry", b.repo("ci/doctor"))
	for _, want := range []string{
		"ok       user namespaces: ", "warning  user ids: privileges must not escalate here", "allowPrivilegeEscalation: true",
		"images can be pushed", "ok       snapshots: ", "ok       a build: it wrote a file and ran a step, with the snapshotter overlayfs",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("doctor without new privileges does not say %q:\n%s", want, said)
		}
	}
}
