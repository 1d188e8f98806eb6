package integration

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"

	"github.com/samforge/samforge/integration/testenv"
)

// The value of a parameter with NoEcho is nowhere but in the command line: not in what is printed or
// written, not in the image, its provenance or its cache, and not in anything that buildkitd keeps.
func TestSecretsOfAnApplication(t *testing.T) {
	t.Parallel()
	const canary = "canary-of-the-token"
	b, _ := newServerlessBed(t, testenv.Options{}, testenv.ServerlessOptions{})
	base, err := b.Registry.Ref(testenv.Lambda22Base)
	must(t, err)
	dir := application(t, `Transform: AWS::Serverless-2016-10-31
Parameters:
  Token: {Type: String, NoEcho: true}
  Stage: {Type: String}
Resources:
  HelloFunction:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      Description: !Sub 'uses ${Token}'
      Environment: {Variables: {TOKEN: !Ref Token}}
      Tags: {Token: !Join ['-', [a, !Ref Token]]}
    Metadata: {Dockerfile: Dockerfile, DockerContext: ./greet, DockerTag: !Ref Stage}
`)
	must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM "+base+"\nARG STAGE\nRUN echo \"$STAGE\" >stage\nCOPY app.mjs ./\nCMD [\"app.handler\"]\n"), 0o644))
	file := filepath.Join(dir, "template.yaml")
	parameters := []string{"--parameter-overrides", "Stage=prod Token=" + canary}
	printed := map[string]string{}
	try := func(args ...string) {
		t.Helper()
		r := run(t, b.env, append(args, parameters...)...)
		r.ok(t)
		printed[strings.Join(args[:1], " ")+" "+args[len(args)-1]] = r.stdout + r.stderr
	}
	out := t.TempDir()
	try("plan", "-f", file, "--repo", b.repo("ci/app"), "--format", "table")
	try("plan", "-f", file, "--repo", b.repo("ci/app"), "--format", "json")
	try("build", "-f", file, "--builder", b.Buildkitd.Addr, "--provenance", "mode=max", "--metadata-file", filepath.Join(out, "metadata.json"),
		"--output", "type=oci,tar=false,dest="+filepath.Join(out, "layout"), "--progress", "rawjson")
	try("package", "-t", file, "--builder", b.Buildkitd.Addr, "--image-repository", b.repo("ci/app"), "--cache-to", "type=local,mode=max,dest="+filepath.Join(out, "cache"),
		"--output-template-file", filepath.Join(out, "packaged.yaml"), "--progress", "plain")
	try("package", "-t", file, "--builder", "tcp://127.0.0.1:1", "--image-repository", b.repo("ci/app"), "--progress", "plain")

	for command, text := range printed {
		if strings.Contains(text, canary) {
			t.Errorf("samforge %s prints it:\n%s", command, text)
		}
	}
	if strings.Contains(b.Buildkitd.Log(), canary) {
		t.Error("it is in buildkitd's log")
	}
	provenance := false
	for place, root := range map[string]string{"what was written": out, "what buildkitd keeps": b.Buildkitd.Root} {
		files := 0
		must(t, filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() || strings.Contains(name, "/snapshots/") {
				return err
			}
			data, err := os.ReadFile(name)
			files++
			provenance = provenance || bytes.Contains(data, []byte("slsa.dev/provenance"))
			if bytes.Contains(data, []byte(canary)) {
				t.Errorf("it is in %s: %s", place, name)
			}
			return err
		}))
		if files < 5 {
			t.Errorf("%s has %d files only", place, files)
		}
	}
	if !provenance {
		t.Error("no provenance was found to look into")
	}
}

// A builder is sent the files of a folder that the ignore file leaves, once for all functions, and
// samforge plan says how many bytes they have.
func TestSentFilesOfFunctions(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	dir := application(t, strings.ReplaceAll(twoFunctions, ", Architectures: [arm64]", ""))
	const size = 1 << 20
	for name, n := range map[string]int{"greet/data": size, "greet/big.md": 4 * size, "beside": 4 * size} {
		must(t, os.WriteFile(filepath.Join(dir, name), bytes.Repeat([]byte("x"), n), 0o644))
	}
	file := filepath.Join(dir, "template.yaml")
	for _, name := range []string{"greet/Dockerfile", "greet/goodbye/Dockerfile"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("FROM scratch\nCOPY . /\nENTRYPOINT [\"/"+name+"\"]\n"), 0o644))
	}
	var plan struct {
		Functions []struct{ Files, Bytes int }
	}
	r := run(t, b.env, "plan", "-f", file, "--format", "json")
	r.ok(t)
	must(t, json.Unmarshal([]byte(r.stdout), &plan))
	planned := 0
	for _, f := range plan.Functions {
		planned = f.Bytes
		if f.Files != 4 || f.Bytes < size || f.Bytes > size+4096 {
			t.Errorf("the plan is %+v, want 4 files of %d bytes and little more", f, size)
		}
	}
	r = run(t, b.env, "build", "-f", file, "--builder", b.Buildkitd.Addr, "--progress", "rawjson")
	if lines := r.ok(t); len(lines) != 2 {
		t.Fatalf("stdout is %q", lines)
	}
	sent := map[string]int64{} // the most bytes by vertex and status
	for line := range strings.Lines(r.stderr) {
		var status client.SolveStatus
		if json.Unmarshal([]byte(line), &status) != nil {
			continue
		}
		for _, s := range status.Statuses {
			if strings.HasPrefix(s.ID, "transferring ") {
				sent[s.Vertex.String()+" "+s.ID] = max(sent[s.Vertex.String()+" "+s.ID], s.Current)
			}
		}
	}
	total := int64(0)
	for _, n := range sent {
		total += n
	}
	const overhead = 64 << 10 // names, modes and the template itself
	if total < int64(planned) || total > int64(planned)+overhead {
		t.Errorf("%d bytes were sent, want %d and at most %d more: %v", total, planned, overhead, sent)
	}
}
