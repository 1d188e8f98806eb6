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

// bases returns the references of the base images as the Dockerfiles have them, and in the test bed.
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

// Each function of the example is built into a Docker engine, as for `sam local invoke`, and answers
// its event there.
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
		f, err := engine.StartFunction(t.Context(), strings.ToLower(function)+":v1")
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
}
