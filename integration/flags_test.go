package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/samforge/samforge/integration/testenv"
)

// Flags do the same as in docker buildx build.
func TestFlags(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	for runtime, ref := range matrixBases {
		b.base(ref, runtime, "amd64")
	}
	seed := []string{"-f", example(t, "sam/samforge.yaml")}
	matrix := []string{"-f", example(t, "sam/matrix.yaml")}
	dir := t.TempDir()

	t.Run("without an output the digest is known and nothing is pushed", func(t *testing.T) {
		b.Registry.Reset()
		lines := b.build(append(seed, "--repo", b.repo("ci/unpushed"))...).ok(t)
		if !strings.HasPrefix(digestOf(lines[0]), "sha256:") || b.Registry.Stats().ManifestPuts != 0 {
			t.Errorf("stdout is %q, pushed %+v", lines, b.Registry.Stats())
		}
	})
	t.Run("--tag replaces the reference", func(t *testing.T) {
		lines := b.build(append(seed, "-t", b.repo("ci/own:one"), "-t", b.repo("ci/own:two"), "--push")...).ok(t)
		if len(lines) != 2 || !strings.HasPrefix(lines[1], b.repo("ci/own:two@")) {
			t.Errorf("stdout is %q", lines)
		}
	})
	t.Run("--tag-template makes other tags", func(t *testing.T) {
		lines := b.build(append(seed, "--repo", b.repo("ci/own"), "--tag-template", "{{.Runtime}}-{{.Timestamp}}", "--build-arg", "SOURCE_DATE_EPOCH=1700000000", "--push")...).ok(t)
		if !strings.HasPrefix(lines[0], b.repo("ci/own:nodejs22.x-20231114221320@")) {
			t.Errorf("stdout is %q", lines)
		}
	})
	t.Run("--metadata-file has buildx build's form for one image", func(t *testing.T) {
		file := filepath.Join(dir, "one.json")
		lines := b.build(append(seed, "--repo", b.repo("ci/sam"), "--push", "--metadata-file", file)...).ok(t)
		var metadata struct {
			Digest     string        `json:"containerimage.digest"`
			Descriptor v1.Descriptor `json:"containerimage.descriptor"`
			Name       string        `json:"image.name"`
		}
		readJSON(t, file, &metadata)
		if metadata.Digest != digestOf(lines[0]) || metadata.Descriptor.Digest.String() != metadata.Digest || metadata.Name+"@"+metadata.Digest != lines[0] {
			t.Errorf("metadata is %+v for %s", metadata, lines[0])
		}
	})
	t.Run("--metadata-file has buildx bake's form for several", func(t *testing.T) {
		file := filepath.Join(dir, "several.json")
		b.build(append(matrix, "--repo", b.repo("ci/sam"), "--target", "java21", "--target", "python3.12", "--metadata-file", file)...).ok(t)
		var metadata map[string]map[string]any
		readJSON(t, file, &metadata)
		if len(metadata) != 2 || metadata["java21"]["containerimage.digest"] == nil || metadata["python3.12"]["containerimage.digest"] == nil {
			t.Errorf("metadata is %v", metadata)
		}
	})
	t.Run("skipped images are in --metadata-file and --iidfile", func(t *testing.T) {
		file, iid := filepath.Join(dir, "skipped.json"), filepath.Join(dir, "skipped-iid")
		push := append(seed, "--repo", b.repo("ci/skipped"), "--push")
		b.build(push...).ok(t)
		lines := b.build(append(push, "--skip-existing", "--metadata-file", file, "--iidfile", iid)...).ok(t)
		var metadata map[string]string
		readJSON(t, file, &metadata)
		id, err := os.ReadFile(iid)
		must(t, err)
		if metadata["containerimage.digest"] != digestOf(lines[0]) || string(id) != digestOf(lines[0]) {
			t.Errorf("metadata is %v, the image ID %s for %s", metadata, id, lines[0])
		}
	})
	t.Run("the keys of --output may have blanks in front", func(t *testing.T) {
		file := filepath.Join(dir, "blank.tar")
		b.build(append(seed, "--repo", b.repo("ci/sam"), "--output", "type=oci, dest="+file)...).ok(t)
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("the archive is %v, %v", info, err)
		}
	})
	t.Run("the name of a build file may look like a pattern", func(t *testing.T) {
		data, err := os.ReadFile(example(t, "sam/samforge.yaml"))
		must(t, err)
		for _, name := range []string{"a*[b].yaml", "!x.yaml"} {
			file := filepath.Join(dir, name)
			must(t, os.WriteFile(file, data, 0o600))
			b.build("-f", file, "--repo", b.repo("ci/named")).ok(t)
		}
	})
	t.Run("a standard output that cannot be written is an error", func(t *testing.T) {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		must(t, err)
		defer full.Close()
		args := []string{"build", "--progress", "quiet", "-f", seed[1], "--repo", b.repo("ci/sam"), "--builder", b.Buildkitd.Addr}
		cmd := exec.Command(samforgeBinary, append(args, b.mirrors()...)...)
		cmd.Env, cmd.Stdout = append(os.Environ(), b.env...), full
		if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("--iidfile holds the config's digest", func(t *testing.T) {
		file := filepath.Join(dir, "iid")
		lines := b.build(append(seed, "--repo", b.repo("ci/sam"), "--push", "--iidfile", file)...).ok(t)
		image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
		must(t, err)
		id, err := os.ReadFile(file)
		must(t, err)
		if string(id) != image.Manifest.Config.Digest.String() {
			t.Errorf("--iidfile holds %q, want %s", id, image.Manifest.Config.Digest)
		}
	})
	t.Run("--label and --annotation", func(t *testing.T) {
		lines := b.build(append(seed, "--repo", b.repo("ci/labelled"), "--push", "--label", "team=ci", "--annotation", "team=ci")...).ok(t)
		image, err := b.Registry.ReadImage(t.Context(), lines[0], "linux/amd64")
		must(t, err)
		if image.Config.Labels["team"] != "ci" || image.Manifest.Annotations["team"] != "ci" {
			t.Errorf("labels %v, annotations %v", image.Config.Labels, image.Manifest.Annotations)
		}
	})
	t.Run("--output writes one folder for each of several images", func(t *testing.T) {
		out := filepath.Join(dir, "out")
		b.build(append(matrix, "--target", "java21", "--target", "python3.12", "-o", out)...).ok(t)
		for _, runtime := range []string{"java21", "python3.12"} {
			if _, err := os.Stat(filepath.Join(out, runtime, "opt/harness/bin/harness-sam-plugin")); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("--output of several images to one file is refused", func(t *testing.T) {
		r := b.build(append(matrix, "-o", "type=oci,dest="+filepath.Join(dir, "all.tar"))...)
		if r.code != 2 || !strings.Contains(r.stderr, "choose one with --target") {
			t.Errorf("exit code %d: %s", r.code, r.stderr)
		}
	})
	t.Run("--sbom true attaches what samforge knows", func(t *testing.T) {
		lines := b.build(append(seed, "--repo", b.repo("ci/listed"), "--push", "--sbom", "true")...).ok(t)
		wantSBOM(t, b.attestations(t, lines[0])["linux/amd64"], "harness-sam-plugin 1.1.2", "docker-cli 28.5.2")
	})
	t.Run("--sbom true writes the SBOM beside the files", func(t *testing.T) {
		out := filepath.Join(dir, "listed")
		b.build(append(seed, "-o", out, "--sbom", "true")...).ok(t)
		var s statement
		readJSON(t, filepath.Join(out, "sbom.spdx.json"), &s)
		if !strings.Contains(string(s.Predicate), "harness-sam-plugin") {
			t.Errorf("the statement is %+v", s)
		}
	})
	t.Run("--sbom with a generator scans the image", func(t *testing.T) {
		b.push("docker.io/docker/buildkit-syft-scanner:stable-1", b.scanner())
		lines := b.build(append(seed, "--repo", b.repo("ci/scanned"), "--push", "--sbom", "generator=docker/buildkit-syft-scanner:stable-1")...).ok(t)
		if blobs := b.everyBlob(lines[0]); !strings.Contains(blobs, "https://spdx.dev/Document") || !strings.Contains(blobs, `"standin"`) {
			t.Error("the image has no SBOM of the scanner's")
		}
	})
	t.Run("--quiet shows no progress", func(t *testing.T) {
		r := b.build(append(seed, "--repo", b.repo("ci/sam"), "--push", "-q")...)
		r.ok(t)
		if !warnsOnly(r) {
			t.Errorf("stderr is %q", r.stderr)
		}
	})
}

// scanner is an image that follows BuildKit's SBOM scanner protocol.
func (b *bed) scanner() v1.Image {
	b.t.Helper()
	program, err := testenv.Executable(b.t.Context(), "sbom-scanner", "amd64", "1")
	must(b.t, err)
	image, err := testenv.Image(testenv.ImageOptions{
		Arch:   "amd64",
		Config: v1.Config{Entrypoint: []string{"/scan"}},
		Layers: []testenv.Layer{{Files: []testenv.File{{Path: "/scan", Mode: 0o755, Data: program}}}},
	})
	must(b.t, err)
	return image
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	must(t, json.Unmarshal(data, into))
}

// A wrong flag is refused before samforge looks for a builder: this one does not exist.
func TestWrongFlagsCostNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	must(t, syscall.Mkfifo(pipe, 0o600))
	for flag, want := range map[string]string{
		"--attest mode=max":                             "name a type",
		"--provenance foo":                              "--provenance: \"foo\": use true, false, or attributes",
		"--attest type=provence":                        "the types are sbom and provenance",
		"--sbom generator=R/X":                          "R/X is not an image reference",
		"--annotation a":                                "KEY=VALUE",
		"--network bridge":                              "use default, none or host",
		"--add-host a":                                  "expected HOST:IP",
		"--output dest=x":                               "name a type",
		"--output type=image,name=example.com/CI/x:1":   "example.com/CI/x:1 is not an image reference",
		"--cache-to type=registry,ref=example.com/CI/x": "example.com/CI/x is not an image reference",
		"--cache-from type=registry,ref=a:b:c":          "a:b:c is not an image reference",
		"--build-context docker:28=docker-image://R/X":  "R/X is not an image reference",
		"--build-context a=docker-image://ci:pw@host/x": "docker-image://xxxxx@host/x has a user or a password",
		"--cache-to type=inline,token=sw0rdfish,{{.No}": "token=***",
		"--tag https://ci:pw@example.com/x":             "leave https:// out, as in example.com/x",
		"--ssh default=" + pipe:                         "is neither a key nor the socket of an agent but a pipe",
	} {
		name, value, _ := strings.Cut(flag, " ")
		r := run(t, nil, "build", "-f", example(t, "sam/samforge.yaml"), "--builder", "unix://"+dir+"/none", name, value)
		if r.code != 2 || !strings.Contains(r.stderr, want) || strings.Contains(r.stderr, ":pw@") {
			t.Errorf("%s: exit code %d, want 2 and %q:\n%s", flag, r.code, want, r.stderr)
		}
	}
}

// A secret that does not exist is empty, and samforge warns about it.
func TestSecretOfAVariableThatIsNotSet(t *testing.T) {
	t.Parallel()
	r := run(t, nil, "build", "-f", example(t, "sam/samforge.yaml"), "--builder", "unix:///nowhere", "--secret", "id=npmrc,env=NOT_SET_HERE")
	if want := "WARNING: --secret id=npmrc,env=NOT_SET_HERE: the environment has no variable NOT_SET_HERE"; !strings.Contains(r.stderr, want) {
		t.Errorf("there is no %q:\n%s", want, r.stderr)
	}
}

// With a registry cache an unchanged build on a fresh buildkitd costs nothing: no layer of any
// image is pulled.
func TestRegistryCache(t *testing.T) {
	t.Parallel()
	b := newBed(t, testenv.Options{})
	cache := "type=registry,ref=" + b.repo("ci/cache")
	push := b.seedPush("--cache-from", cache, "--cache-to", cache)
	r := run(t, b.env, append(push, "--builder", b.Buildkitd.Addr)...)
	first := r.ok(t)
	if strings.Count(r.stderr, "the cache does not exist yet") != 1 || strings.Contains(r.stderr, "------") || strings.Contains(r.stderr, "ERROR") {
		t.Errorf("an empty cache is shown as a failure, or not at all:\n%s", r.stderr)
	}
	b.Registry.Reset()
	fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
	second := run(t, b.env, append(push, "--builder", fresh.Addr)...).ok(t)
	if first[0] != second[0] {
		t.Errorf("the second build gave %s, the first %s", second[0], first[0])
	}
	for _, p := range b.Registry.Pulls() {
		if p.Kind == "layer" {
			t.Errorf("%s of %s was pulled", p.Digest, p.Repository)
		}
	}
}
