package testenv

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestStandInsAreDeterministicAndReadBack(t *testing.T) {
	t.Parallel()
	r := New(t, Options{NoBuildkitd: true}).Registry
	set, err := StandIns(t.Context(), StandInOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.PublishAll(set); err != nil {
		t.Fatal(err)
	}
	base, err := r.ReadImage(t.Context(), Node22Base+"-x86_64", "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if base.Config.WorkingDir != "/var/task" || len(base.Config.Cmd) != 1 || base.Config.Entrypoint != nil || len(base.Layers) != 4 {
		t.Errorf("odd base image: %+v with %d layers", base.Config, len(base.Layers))
	}
	if link := base.Files["/bin"]; link.Link != "usr/bin" || link.Layer != 0 {
		t.Errorf("/bin is %+v", link)
	}
	if release, err := base.ReadFile("/usr/lib/os-release"); err != nil || !bytes.Contains(release, []byte("2023")) {
		t.Errorf("os-release is %q, %v", release, err)
	}
	other, err := r.ReadImage(t.Context(), Python312Base, "linux/amd64", OnlyLayers(4))
	if err != nil {
		t.Fatal(err)
	}
	if other.Layers[0] != base.Layers[0] || other.Layers[1] == base.Layers[1] || len(other.Files) != 0 {
		t.Error("two runtimes of one generation share not exactly their first layer, or layers were read unasked")
	}
	plugin, err := r.ReadImage(t.Context(), SAMPlugin, "linux/arm64")
	if err != nil {
		t.Fatal(err)
	}
	if script := plugin.Files["/opt/harness/scripts/sam-plugin.sh"]; script.Mode != 0o644 {
		t.Errorf("the script is %+v, want mode 0644", script)
	}
	data, err := plugin.ReadFile("/opt/harness/bin/harness-sam-plugin")
	if err != nil {
		t.Fatal(err)
	}
	program, err := elf.NewFile(bytes.NewReader(data))
	if err != nil || program.Machine != elf.EM_AARCH64 {
		t.Errorf("the arm64 plugin is not an arm64 program: %v", err)
	}
}

func TestLayerIsTheSameWithAndWithoutCache(t *testing.T) {
	t.Parallel()
	spec := Layer{Files: []File{{Path: "/a/b", Data: []byte("x")}, {Path: "/l", Link: "a"}}, Incompressible: 1 << 20, Blob: "test"}
	one, err := spec.write(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	built, err := spec.build("")
	if err != nil {
		t.Fatal(err)
	}
	if digest, _ := built.Digest(); digest != one.Digest {
		t.Errorf("cached %s, made anew %s", digest, one.Digest)
	}
}

func TestPadShrinksLikeMachineCode(t *testing.T) {
	t.Parallel()
	const size = 4 << 20
	data := Pad([]byte("\x7fELF"), size)
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, _ = zip.Write(data)
	zip.Close()
	if ratio := float64(out.Len()) / size; len(data) != size || ratio < 0.33 || ratio > 0.42 {
		t.Errorf("%d bytes shrink to %.2f, want %d and 0.33 to 0.42", len(data), ratio, size)
	}
}

func TestStandInProgramsAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, want := range map[string]string{
		"docker": "Docker version 28.5.2, build standin\n", "node": "v28.5.2\n", "harness-sam-plugin": "harness-sam-plugin 28.5.2\n",
	} {
		if got := output(t, program(t, dir, name, "28.5.2"), "--version"); got != want {
			t.Errorf("%s --version printed %q, want %q", name, got, want)
		}
	}
	write(t, dir+"/t.txt", "stack {{ .Values.stack }}\n")
	write(t, dir+"/values.yaml", "# values\nstack: \"demo\"\n")
	output(t, program(t, dir, "go-template", "v0.4.5"), "-t", dir+"/t.txt", "-f", dir+"/values.yaml", "-o", dir+"/out")
	if got, err := os.ReadFile(dir + "/out/t.txt"); err != nil || string(got) != "stack demo\n" {
		t.Errorf("go-template wrote %q, %v", got, err)
	}
}

func program(t *testing.T, dir, name, version string) string {
	t.Helper()
	data, err := Executable(t.Context(), name, "amd64", version)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

func TestDockerArchiveHoldsTheClient(t *testing.T) {
	t.Parallel()
	data, err := DockerArchive(t.Context(), "28.5.2", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(zip)
	for {
		header, err := archive.Next()
		if err != nil {
			t.Fatal("docker/docker is not in the archive: ", err)
		}
		if header.Name == "docker/docker" {
			return
		}
	}
}

func TestFilesAreServedAndCounted(t *testing.T) {
	t.Parallel()
	f := New(t, Options{NoBuildkitd: true}).Files
	f.Add("/a/b", []byte("data"))
	f.AddHTML("/page")
	for path, want := range map[string]int{"/a/b": 200, "/page": 200, "/none": 404} {
		res, err := http.Get(f.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want || f.Hits(path) != 1 {
			t.Errorf("%s: status %d after %d hits, want %d and 1", path, res.StatusCode, f.Hits(path), want)
		}
		if want == 200 && (res.Header.Get("ETag") == "" || res.Header.Get("Last-Modified") == "") {
			t.Errorf("%s has no validators: %v", path, res.Header)
		}
	}
	f.Reset()
	if f.Hits("/a/b") != 0 {
		t.Error("hits survive a reset")
	}
}
