package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/integration/testenv"
)

// initRuns tests what `samforge init` writes for an application: it is built, and its function
// answers.
func (a *exampleApplication) initRuns(t *testing.T, engine *testenv.Dockerd) {
	for _, runtime := range []string{"nodejs22.x", "python3.13", "provided.al2023"} {
		t.Run(runtime, func(t *testing.T) {
			b := *a.bed
			b.t = t
			own := *a
			own.bed, own.template = &b, filepath.Join(t.TempDir(), "template.yaml")
			run(t, nil, "init", "--kind", "application", "--runtime", runtime, "-f", own.template).ok(t)
			lines := own.run([]string{"DOCKER_HOST=" + engine.Host}, "build", own.Buildkitd.Addr, "--load").ok(t)
			tag, _, _ := strings.Cut(lines[0], "@")
			f, err := engine.StartFunction(t.Context(), tag, testenv.FunctionOptions{})
			must(t, err)
			t.Cleanup(func() { must(t, f.Close()) })
			said, err := f.Invoke(t.Context(), []byte(`{"name": "Ada"}`))
			must(t, err)
			if got := strings.ReplaceAll(string(said), " ", ""); got != `{"message":"helloAda"}` {
				t.Errorf("it answers %s; its log ends with:\n%s", said, f.Log())
			}
		})
	}
}
