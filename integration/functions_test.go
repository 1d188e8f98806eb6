package integration

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
	args     []string // with which the images, npm packages and Go modules come from the test bed
}

// newExampleApplication publishes the base images of the functions, and serves what npm and go
// download for them.
func newExampleApplication(t *testing.T, b *bed, npm *testenv.NPMRegistry) *exampleApplication {
	t.Helper()
	bases, err := testenv.FunctionBases(t.Context())
	must(t, err)
	must(t, b.Registry.PublishAll(bases))
	modules, err := testenv.StartGoProxy(t.Context(), example(t, "application/archive"))
	must(t, err)
	t.Cleanup(func() { must(t, modules.Close()) })
	a := &exampleApplication{bed: b, template: example(t, "application/template.yaml")}
	npmrc := filepath.Join(t.TempDir(), "npmrc")
	must(t, os.WriteFile(npmrc, []byte("registry="+npm.URL()+"/\n"), 0o600))
	goproxy := filepath.Join(t.TempDir(), "goproxy")
	must(t, os.WriteFile(goproxy, []byte(modules.URL()), 0o600))
	a.args = []string{"--secret", "id=npmrc,src=" + npmrc, "--secret", "id=goproxy,src=" + goproxy}
	for _, ref := range slices.Sorted(maps.Keys(bases)) {
		own, err := b.Registry.Ref(ref)
		must(t, err)
		a.args = append(a.args, "--build-context", strings.TrimPrefix(ref, "docker.io/library/")+"=docker-image://"+own)
	}
	return a
}

// run runs a verb of samforge on the application.
func (a *exampleApplication) run(env []string, verb, builder string, more ...string) result {
	a.t.Helper()
	args := append([]string{verb, "-f", a.template, "--progress", "plain", "--builder", builder}, a.args...)
	return run(a.t, append(a.env[:len(a.env):len(a.env)], env...), append(args, more...)...)
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
