package integration

import (
	"io"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

const oneFunction = "Resources:\n  HelloFunction:\n    Type: AWS::Serverless::Function\n    Properties: {PackageType: Image}\n" +
	"    Metadata: {Dockerfile: Dockerfile, DockerContext: ./greet}\n"

// A tag says what its image is made from, and is not pushed again. So an image is not pushed under
// it if a file has changed since.
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

// The tag says what the base image is, as its registry has it. An image is not pushed if the
// builder has another one under that name.
func TestBuilderWithAnotherBaseImage(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	base, err := b.Registry.Ref(testenv.Lambda22Base)
	must(t, err)
	registry, err := url.Parse("http://" + b.Registry.Addr)
	must(t, err)
	mirror := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(registry)
		if strings.Contains(r.In.UserAgent(), "buildkit") { // the builder has a mirror, which is behind
			r.Out.URL.Path = strings.Replace(r.Out.URL.Path, "/manifests/"+tagOf(testenv.Lambda22Base), "/manifests/"+tagOf(testenv.Lambda20Base), 1)
		}
	}})
	t.Cleanup(mirror.Close)
	dir := application(t, oneFunction)
	base = strings.Replace(base, b.Registry.Addr, strings.TrimPrefix(mirror.URL, "http://"), 1)
	must(t, os.WriteFile(filepath.Join(dir, "greet/Dockerfile"), []byte("FROM "+base+"\nCOPY app.mjs ./\nCMD [\"app.handler\"]\n"), 0o644))
	r := run(t, b.env, "package", "--progress", "plain", "--builder", b.Buildkitd.Addr, "--template-file", filepath.Join(dir, "template.yaml"),
		"--image-repository", b.repo("ci/stale"))
	if want := "HelloFunction: the builder has another image " + base; r.code != 1 || !strings.Contains(r.stderr, want) || r.stdout != "" {
		t.Errorf("exit code %d, stdout %q; want an error that says %q:\n%s", r.code, r.stdout, want, r.stderr)
	}
}

func tagOf(ref string) string { return ref[strings.LastIndex(ref, ":")+1:] }

// whenConnected returns the address of a builder that does something when it is connected to for
// the first time.
func whenConnected(t *testing.T, builder string, do func() error) string {
	t.Helper()
	first := sync.OnceFunc(func() {
		if err := do(); err != nil {
			t.Error(err)
		}
	})
	return relay(t, builder, first, io.Discard)
}

// relay returns another address of a builder. It calls connected for each connection, and copies
// the bytes that go to the builder to sent.
func relay(t *testing.T, builder string, connected func(), sent io.Writer) (address string) {
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
	connections.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // the test ends
			}
			connected()
			to, err := net.Dial("unix", strings.TrimPrefix(builder, "unix://"))
			if err != nil {
				t.Error(err)
				from.Close()
				return
			}
			connections.Go(func() { copyUntilEnd(to, io.TeeReader(from, sent), from) })
			connections.Go(func() { copyUntilEnd(from, to, to) })
		}
	})
	return "unix://" + socket
}

// copyUntilEnd copies what is read from one connection to another, and closes both at the end of
// one.
func copyUntilEnd(to net.Conn, read io.Reader, from net.Conn) {
	_, _ = io.Copy(to, read) // an error is the end too
	_ = to.Close()
	_ = from.Close()
}
