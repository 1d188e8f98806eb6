package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The published pipeline's own text writes both of its Dockerfiles, with the benchmark's
// replacements in them.
func TestPublishedServerlessScriptWritesItsDockerfiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		version string
		npm     int // steps
	}{
		"without the framework": {"", 0},
		"with the framework":    {"3.39.0", 1},
	} {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), "sh", "-c", publishedServerlessScript)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HARNESS_BASE_IMAGE=plugin:1", "SERVERLESS_VERSION=" + tc.version}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		data, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
		if err != nil {
			t.Fatal(err)
		}
		dockerfile := string(data)
		for part, want := range map[string]int{
			"FROM ${RUNTIME_BASE_IMAGE_VERSION}\n":        1,
			npmVariable:                                   1,
			"RUN if command -v apt-get ":                  1,
			"https://download.docker.com" + dockerArchive: 2,
			"COPY --from=plugin:1 /opt/harness/scripts/ /opt/harness/scripts/\n":                            1,
			"ENV SERVERLESS_VERSION=" + framework + "\n":                                                    tc.npm,
			"npm install -g serverless@" + framework + " && echo \"service: pinned-version\" > ":            tc.npm,
			"RUN wget -O /opt/harness/client-tools/go-template https://app.harness.io" + goTemplate + " &&": 1,
		} {
			if got := strings.Count(dockerfile, part); got != want {
				t.Errorf("%s: %q is in it %d times, want %d:\n%s", name, part, got, want, dockerfile)
			}
		}
	}
}

func TestReadSteps(t *testing.T) {
	t.Parallel()
	steps := readSteps(`#1 [internal] load build definition from Dockerfile
#1 DONE 0.0s

#2 [python3.12-serverless] npm ci serverless@3.39.0
#2 ...

#3 [python3.12-base] copy the plugin
#3 CACHED

#2 [python3.12-serverless] npm ci serverless@3.39.0
#2 7.1 added 610 packages in 7s
#2 DONE 12.5s
`)
	want := []step{
		{name: "[internal] load build definition from Dockerfile"},
		{name: "[python3.12-serverless] npm ci serverless@3.39.0", took: 12500 * time.Millisecond},
		{name: "[python3.12-base] copy the plugin", cached: true},
	}
	if len(steps) != len(want) {
		t.Fatalf("got %d steps, want %d", len(steps), len(want))
	}
	for i := range want {
		if *steps[i] != want[i] {
			t.Errorf("got %+v, want %+v", *steps[i], want[i])
		}
	}
	ran := stepsThatRan("#1 [a] npm ci serverless@1\n#1 CACHED\n#2 [b] npm ci serverless@1\n#2 DONE 0.1s\n", npmStep)
	if len(ran) != 1 || ran[0].name != "[b] npm ci serverless@1" {
		t.Errorf("got %d steps that ran, want the second one", len(ran))
	}
}
