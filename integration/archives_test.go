package integration

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The image of a function can be in a file: that of docker save or an OCI layout, with gzip or
// without. It is pushed without a builder, once.
func TestArchivesOfFunctions(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := application(t, twoFunctions)
	must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM scratch\nCOPY app.mjs /var/task/\nENTRYPOINT [\"/var/task/app.mjs\"]\n"), 0o644))
	file := filepath.Join(dir, "template.yaml")
	for name, output := range map[string]string{
		"docker.tar": "type=docker,dest=" + filepath.Join(dir, "docker.tar"),
		"oci.tar":    "type=oci,dest=" + filepath.Join(dir, "oci.tar"),
	} {
		b.buildTemplate("-f", file, "--target", "HelloFunction", "--output", output).ok(t)
		zip(t, filepath.Join(dir, name), filepath.Join(dir, name+".gz"))
	}
	template := func(archives ...string) {
		text := "Resources:\n"
		for n, archive := range archives {
			text += fmt.Sprintf("  Fn%d:\n    Type: AWS::Serverless::Function\n    Properties:\n      PackageType: Image\n      ImageUri: ./%s\n", n, archive)
		}
		must(t, os.WriteFile(file, []byte(text), 0o644))
	}
	output := filepath.Join(dir, "packaged.yaml")
	pack := func(more ...string) result {
		args := []string{"package", "--builder", "tcp://127.0.0.1:1", "-t", file, "--image-repository", b.repo("ci/archives"), "--output-template-file", output}
		return run(t, b.env, append(args, more...)...)
	}
	archives := []string{"docker.tar", "docker.tar.gz", "oci.tar", "oci.tar.gz"}
	template(archives...)
	lines := pack().ok(t)
	written, err := os.ReadFile(output)
	must(t, err)
	uris := regexp.MustCompile(`(?m)^ +ImageUri: (`+regexp.QuoteMeta(b.repo("ci/archives"))+`:fn\d-[0-9a-f]{12}-latest)$`).FindAllStringSubmatch(string(written), -1)
	if len(uris) != len(archives) || len(lines) != len(archives) {
		t.Fatalf("stdout is %q and the template\n%s", lines, written)
	}
	for n, uri := range uris {
		image, err := b.Registry.ReadImage(t.Context(), uri[1], "linux/amd64")
		must(t, err)
		if _, there := image.Files["/var/task/app.mjs"]; !there || !strings.HasPrefix(lines[n], uri[1]+"@sha256:") {
			t.Errorf("%s: %s has no code, and the line is %s", archives[n], uri[1], lines[n])
		}
	}
	if again := pack().ok(t); strings.Join(again, "\n") != strings.Join(lines, "\n") {
		t.Errorf("again it is %q, first %q", again, lines)
	}

	whole, err := os.ReadFile(filepath.Join(dir, "docker.tar.gz"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "cut.tar.gz"), whole[:len(whole)/2], 0o644))
	plain, err := os.ReadFile(filepath.Join(dir, "oci.tar"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "cut.tar"), plain[:len(plain)/2], 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "text.tar"), []byte("no archive"), 0o644))
	b.buildTemplate("-f", func() string { must(t, os.WriteFile(file, []byte(twoFunctions), 0o644)); return file }(),
		"--target", "GoodbyeFunction", "--output", "type=docker,dest="+filepath.Join(dir, "arm.tar")).ok(t)
	for archive, want := range map[string]string{
		"cut.tar.gz": "template.yaml:6:17: Fn0: the image in " + filepath.Join(dir, "cut.tar.gz") + ": the file is cut short",
		"cut.tar":    "the file is cut short",
		"text.tar":   "text.tar: the file is cut short",
		"arm.tar":    "Lambda: the image is for linux/arm64 and the function for x86_64",
		"non.tar":    `"./non.tar" is neither an image in a registry nor a file`,
	} {
		template(archive)
		if r := pack(); r.code == 0 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit code %d, want %q:\n%s", archive, r.code, want, r.stderr)
		}
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "samforge-archives-*"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("temporary files are left: %q", left)
	}
}

// zip compresses a file with gzip.
func zip(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	defer in.Close()
	out, err := os.Create(to)
	must(t, err)
	w := gzip.NewWriter(out)
	_, err = io.Copy(w, in)
	must(t, err)
	must(t, w.Close())
	must(t, out.Close())
}
