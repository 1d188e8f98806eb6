package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		samples samples
		want    time.Duration
	}{
		"none":                        {nil, 0},
		"one":                         {samples{7}, 7},
		"the middle of an odd number": {samples{9, 1, 5}, 5},
		"the mean of the middle two of an even number": {samples{9, 1, 5, 3}, 4},
	} {
		if got := tc.samples.median(); got != tc.want {
			t.Errorf("%s: got %d, want %d", name, got, tc.want)
		}
	}
}

// The benchmark compares with the pipeline's own Dockerfile: a shell expands the here-document,
// joins the lines of the step that installs Docker, and leaves the variables of the other steps
// alone.
func TestPublishedScriptWritesItsDockerfile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", publishedScript)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "SAM_BASE_IMAGE=base:1", "HARNESS_BASE_IMAGE=plugin:1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	dockerfile := string(data)
	for _, line := range []string{
		"FROM base:1\n",
		"COPY --from=plugin:1 /opt/harness/scripts/ /opt/harness/scripts/\n",
		"RUN if [ \"$INSTALL_GO_TEMPLATE_BINARY\" = \"true\" ] && [ \"$UNIFIED_PIPELINE\" != \"true\" ]; then \\\n",
		"/go-template/release/${HARNESS_GO_PLUGIN_VERSION}/bin/linux/amd64/go-template",
		"ENTRYPOINT [\"/opt/harness/scripts/sam-plugin.sh\"]\n",
	} {
		if !strings.Contains(dockerfile, line) {
			t.Errorf("%q is not in it:\n%s", line, dockerfile)
		}
	}
	steps := dockerInstallStep.FindAllString(dockerfile, -1)
	if len(steps) != 1 || !strings.HasSuffix(steps[0], "fi") {
		t.Errorf("%d steps install Docker, want one: %q", len(steps), steps)
	}
}
