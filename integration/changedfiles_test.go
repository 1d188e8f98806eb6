package integration

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

const oneFunction = "Resources:\n  HelloFunction:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n" +
	"    Metadata: {Dockerfile: Dockerfile, DockerContext: ./greet}\n"

// A tag says what its image is made from, and is not pushed again. So an image is not pushed under it
// if a file has changed since.
func TestFilesThatChangeDuringABuild(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	base, err := b.Registry.Ref(testenv.Lambda22Base)
	must(t, err)
	dir := application(t, oneFunction)
	code := filepath.Join(dir, "greet/app.mjs")
	must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM "+base+"\nCOPY app.mjs ./\nCMD [\"app.handler\"]\n"), 0o644))
	pack := func(builder, output string) result {
		return run(t, b.env, "package", "--progress", "plain", "--builder", builder, "--template-file", filepath.Join(dir, "template.yaml"),
			"--image-repository", b.repo("ci/changed"), "--output-template-file", filepath.Join(dir, output))
	}
	before, err := os.ReadFile(code)
	must(t, err)
	// What the image is made from is known when samforge connects to the builder.
	edited := whenConnected(t, b.Buildkitd.Addr, func() error {
		return os.WriteFile(code, []byte("export const handler = async () => 'edited';\n"), 0o644)
	})
	r := pack(edited, "first.yaml")
	if r.code != 1 || !strings.Contains(r.stderr, "HelloFunction: files have changed while the image was built") || r.stdout != "" {
		t.Errorf("exit code %d, stdout %q\n%s", r.code, r.stdout, r.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "first.yaml")); !os.IsNotExist(err) {
		t.Errorf("there is a template: %v", err)
	}
	pack(b.Buildkitd.Addr, "second.yaml").ok(t)
	must(t, os.WriteFile(code, before, 0o644))
	if r := pack("tcp://127.0.0.1:1", "third.yaml"); r.code == 0 {
		t.Errorf("there is an image for the files of before: %s", r.stdout)
	}
}

// whenConnected returns the address of a builder that does something when it is connected to for the
// first time.
func whenConnected(t *testing.T, builder string, do func() error) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "builder.sock")
	listener, err := net.Listen("unix", socket)
	must(t, err)
	var connections sync.WaitGroup
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		connections.Wait()
	})
	first := sync.OnceFunc(func() {
		if err := do(); err != nil {
			t.Error(err)
		}
	})
	connections.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // the test ends
			}
			first()
			to, err := net.Dial("unix", strings.TrimPrefix(builder, "unix://"))
			if err != nil {
				t.Error(err)
				from.Close()
				return
			}
			connections.Go(func() { copyUntilEnd(to, from) })
			connections.Go(func() { copyUntilEnd(from, to) })
		}
	})
	return "unix://" + socket
}

// copyUntilEnd copies from one connection to another, and closes both at the end of one.
func copyUntilEnd(to, from net.Conn) {
	_, _ = io.Copy(to, from) // an error is the end too
	_ = to.Close()
	_ = from.Close()
}
