package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// answers are what the functions of examples/application answer to the events beside them.
var answers = map[string]string{
	"HelloWorldFunction": `{"statusCode": 200, "body": "{\"message\":\"hello Ada\"}"}`,
	"HolaWorldFunction":  `{"statusCode": 200, "body": "{\"message\":\"hola mundo\"}"}`,
	"QuoteFunction":      `{"statusCode": 200, "body": "{\"total\":\"4.50\"}"}`,
	"ReceiptFunction":    `{"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": "3 x tea\n1 x cup\nTotal: €4.50"}`,
	"ReportFunction":     `{"statusCode": 200, "body": "{\"tea\": 4, \"cup\": 1}"}`,
	"ArchiveFunction":    `{"batchItemFailures": [{"itemIdentifier": "2"}]}`,
}

// exampleApplication is examples/application on a test bed.
type exampleApplication struct {
	*bed
	template string
	npmrc    string // file that makes npm use the test bed's registry
	goproxy  string // address of a Go module proxy
	args     []string
}

// newExampleApplication publishes the base images of the functions, and serves what npm and go
// download for them. Its args are the flags with which all of that comes from the test bed.
func newExampleApplication(t *testing.T, b *bed, npm *testenv.NPMRegistry) *exampleApplication {
	t.Helper()
	bases, err := testenv.FunctionBases(t.Context())
	must(t, err)
	must(t, b.Registry.PublishAll(bases))
	modules, err := testenv.StartGoProxy(t.Context(), example(t, "application/archive"))
	must(t, err)
	t.Cleanup(func() { must(t, modules.Close()) })
	a := &exampleApplication{
		bed: b, template: example(t, "application/template.yaml"),
		npmrc: filepath.Join(t.TempDir(), "npmrc"), goproxy: modules.URL(),
	}
	must(t, os.WriteFile(a.npmrc, []byte("registry="+npm.URL()+"/\n"), 0o600))
	a.args = []string{"--secret", "id=npmrc,src=" + a.npmrc, "--secret", "id=goproxy,env=TEST_GOPROXY"}
	for ref, own := range a.bases(t) {
		a.args = append(a.args, "--build-context", ref+"=docker-image://"+own)
	}
	return a
}

// bases returns the references of the base images as the Dockerfiles have them, and in the test
// bed.
func (a *exampleApplication) bases(t *testing.T) map[string]string {
	t.Helper()
	bases := map[string]string{}
	for _, ref := range []string{testenv.NodeFunctionBase, testenv.PythonFunctionBase, testenv.ProvidedFunctionBase, testenv.GoImage} {
		own, err := a.Registry.Ref(ref)
		must(t, err)
		bases[strings.TrimPrefix(ref, "docker.io/library/")] = own
	}
	return bases
}

// checkout copies the application to dir, for commands without the flags of a: its Dockerfiles name
// the images, the npm registry and the Go module proxy of the test bed.
func (a *exampleApplication) checkout(t *testing.T, dir string) {
	t.Helper()
	must(t, os.CopyFS(dir, os.DirFS(filepath.Dir(a.template))))
	a.useStandIns(t, dir)
}

// useStandIns makes the Dockerfiles of an application name the images, the npm registry and the Go
// module proxy of the test bed.
func (a *exampleApplication) useStandIns(t *testing.T, dir string) {
	t.Helper()
	npmrc, err := os.ReadFile(a.npmrc)
	must(t, err)
	_, registry, _ := strings.Cut(strings.TrimSpace(string(npmrc)), "=")
	replace := []string{"npm ci", "npm ci --registry " + registry, "go mod download", "GOPROXY=" + a.goproxy + " go mod download"}
	for ref, own := range a.bases(t) {
		replace = append(replace, "FROM "+ref, "FROM "+own)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*/Dockerfile"))
	must(t, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(t, err)
		must(t, os.WriteFile(file, []byte(strings.NewReplacer(replace...).Replace(string(data))), 0o644))
	}
}

// run runs a verb of samforge on the application.
func (a *exampleApplication) run(env []string, verb, builder string, more ...string) result {
	a.t.Helper()
	args := append([]string{verb, "-f", a.template, "--progress", "plain", "--builder", builder}, a.args...)
	env = append(append(a.env[:len(a.env):len(a.env)], "TEST_GOPROXY="+a.goproxy), env...)
	return run(a.t, env, append(args, more...)...)
}

// Each function of the example is built into a Docker engine, as for `sam local invoke`, and
// answers its event there. So does what `samforge init` writes.
func TestFunctionsRun(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	a := newExampleApplication(t, b, npm)
	engine, err := testenv.StartDockerd(t.Context(), testenv.DockerdOptions{InMemory: true})
	must(t, err)
	t.Cleanup(func() { must(t, engine.Close()) })
	lines := a.run([]string{"DOCKER_HOST=" + engine.Host}, "build", b.Buildkitd.Addr, "--load").ok(t)
	if len(lines) != len(answers) {
		t.Errorf("stdout is %q, want a line for each of %d functions", lines, len(answers))
	}
	for function, answer := range answers {
		event, err := os.ReadFile(example(t, "application/events/"+function+".json"))
		must(t, err)
		f, err := engine.StartFunction(t.Context(), strings.ToLower(function)+":v1", testenv.FunctionOptions{})
		must(t, err)
		t.Cleanup(func() { must(t, f.Close()) })
		said, err := f.Invoke(t.Context(), event)
		must(t, err)
		var got, want any
		must(t, json.Unmarshal([]byte(answer), &want))
		if err := json.Unmarshal(said, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s answers %s, want %s; its log ends with:\n%s", function, said, answer, f.Log())
		}
	}
	a.initRuns(t, engine)
}

// Each function has one digest, whichever door and builder it comes from: docker buildx build and
// bake on the command's builder, and the command on a rootful one, which has nothing but the cache
// in the registry. Without that too the tags are the same; COPY and RUN write the time into their
// layers then.
func TestFunctionsThroughAllDoors(t *testing.T) {
	t.Parallel()
	b, npm := sharedBed(t)
	a := newExampleApplication(t, b, npm)
	cache := "type=registry,ref=" + b.repo("cache") + ":{{.Target}}"
	first := a.run(nil, "build", b.Buildkitd.Addr, "--repo", b.repo("ci/app"), "--push", "--cache-to", cache+",mode=max").ok(t)
	if len(first) != len(answers) {
		t.Fatalf("stdout is %q, want a line for each of %d functions", first, len(answers))
	}
	digests := map[string]string{} // by the name of the function in lower case
	for _, line := range first {
		digests[functionOf(line)] = digestOf(line)
	}
	x := b.newBuildx(b.Buildkitd)
	x.env = []string{"TEST_GOPROXY=" + a.goproxy}
	folder := filepath.Dir(a.template)
	t.Run("docker buildx build", func(t *testing.T) {
		for function := range answers {
			ref := b.repo("ci/buildx:" + strings.ToLower(function))
			args := append([]string{"buildx", "build", "-f", "template.yaml", "--build-arg", "BUILDKIT_SYNTAX=" + x.frontend, "--target", function, "--push", "-t", ref}, a.args...)
			x.docker(folder, append(args, ".")...).ok(t)
			if got, want := b.digestOfTag(ref), digests[strings.ToLower(function)]; got != want {
				t.Errorf("%s is %s, from the command %s", function, got, want)
			}
		}
	})
	t.Run("docker buildx bake", func(t *testing.T) {
		printed := run(t, b.env, append([]string{"bake", "-f", a.template, "--frontend", x.frontend, "--repo", b.repo("ci/bake")}, a.args...)...)
		printed.ok(t)
		if r := x.dockerWith(strings.NewReader(printed.stdout), folder, "buildx", "bake", "-f", "-", "--push", "--allow", "fs.read=*"); r.code != 0 {
			t.Fatalf("docker buildx bake exited with %d:\n%s", r.code, r.stderr)
		}
		for _, line := range first {
			tag, digest, _ := strings.Cut(strings.Replace(line, b.repo("ci/app"), b.repo("ci/bake"), 1), "@")
			if got := b.digestOfTag(tag); got != digest {
				t.Errorf("%s is %s, from the command %s", tag, got, digest)
			}
		}
	})
	t.Run("a rootful builder with the cache", func(t *testing.T) {
		fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{NoRunc: true})
		wantDigests(t, a.run(nil, "build", fresh.Addr, "--repo", b.repo("ci/app"), "--push", "--no-skip", "--cache-from", cache).ok(t), first)
	})
	t.Run("a rootful builder with nothing", func(t *testing.T) {
		fresh := startBuildkitd(t, b.Registry, testenv.BuildkitdOptions{})
		// The last function takes as long to compile as all of this test.
		for i, line := range a.run(nil, "build", fresh.Addr, "--repo", b.repo("ci/cold"), "--push", "--exclude", "ArchiveFunction").ok(t) {
			tag, digest, _ := strings.Cut(line, "@")
			wantTag, _, _ := strings.Cut(strings.Replace(first[i], b.repo("ci/app"), b.repo("ci/cold"), 1), "@")
			if got := b.digestOfTag(tag); tag != wantTag || got != digest {
				t.Errorf("a builder that has nothing gives %s (%s in the registry), the other %s", line, got, first[i])
			}
		}
	})
}

// functionOf returns the name of the function in a tag of samforge.
func functionOf(line string) string {
	name := line[strings.LastIndexByte(line[:strings.IndexByte(line, '@')], ':')+1:]
	function, _, _ := strings.Cut(name, "-")
	return function
}

// nodeFunctionBase publishes the base images of functions, and returns the one for Node.js.
func nodeFunctionBase(t *testing.T, b *bed) string {
	t.Helper()
	bases, err := testenv.FunctionBases(t.Context())
	must(t, err)
	must(t, b.Registry.PublishAll(bases))
	base, err := b.Registry.Ref(testenv.NodeFunctionBase)
	must(t, err)
	return base
}
