package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/samforge/samforge/catalogue"
)

// execute runs samforge in process and returns its standard output.
func execute(args ...string) (string, error) {
	root := newRoot()
	var stdout bytes.Buffer
	root.SetOut(&stdout)
	root.SetErr(&bytes.Buffer{})
	refuseOtherTopics(root)
	root.SetArgs(args)
	err := root.Execute()
	return stdout.String(), err
}

func TestMistakesInFlagsAreUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"build", "--plattform", "linux/amd64"},
		{"build", ".", "samforge.yaml"},
		{"build", ""},
		{"build", "--label", "no-value"},
		{"build", "--parameter-overrides", "no-value"},
		{"build", "--mirror", "=nothing"},
		{"build", "--build-arg", "=nothing"},
		{"runtimes", "--format", "xml"},
		{"check", "--format", "xml"},
		{"check", "--push"},
		{"version", "now"},
		{"frobnicate"},
		{"plan", "--format", "xml"},
		{"graph", "--format", "gif"},
		{"outdated", "a", "b"},
	} {
		_, err := execute(args...)
		var usage *usageError
		if !errors.As(err, &usage) {
			t.Errorf("samforge %s: the error is %v, want a usage error", strings.Join(args, " "), err)
		}
		if code := exitCode(err); code != exitInput {
			t.Errorf("samforge %s: exit code %d, want %d", strings.Join(args, " "), code, exitInput)
		}
	}
}

func TestBuildArgs(t *testing.T) {
	t.Setenv("VERSION", "from-the-environment")
	t.Setenv("TARGET_REPO", "from-the-environment")
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for name, c := range map[string]struct {
		flags buildFlags
		want  map[string]string
	}{
		"a name alone takes the environment's value": {
			buildFlags{args: []string{"VERSION", "NOT_SET_ANYWHERE"}},
			map[string]string{"VERSION": "from-the-environment"},
		},
		"a flag wins over the build argument it is short for": {
			buildFlags{args: []string{"SAMFORGE_VERIFY=off"}, verify: "full", kind: "sam"},
			map[string]string{"SAMFORGE_VERIFY": "full", "SAMFORGE_KIND": "sam"},
		},
		"a value may contain an equals sign": {
			buildFlags{args: []string{"VERSION=a=b"}},
			map[string]string{"VERSION": "a=b"},
		},
	} {
		got, err := c.flags.buildArgs()
		if err != nil {
			t.Fatal(err)
		}
		c.want["SOURCE_DATE_EPOCH"] = "1700000000"
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// --env-args takes the build arguments of the images' kind, lets --build-arg win, and reports what
// it took.
func TestEnvironmentArgs(t *testing.T) {
	t.Setenv("VERSION", "42")
	t.Setenv("DOCKER_VERSION", "27.0.0")
	t.Setenv("SERVERLESS_VERSION", "3.38.0") // another pipeline's
	file := filepath.Join(t.TempDir(), "samforge.yaml")
	if err := os.WriteFile(file, []byte("kind: sam\nplugin: {image: harness/aws-sam-plugin:1.1.2-beta-base-image, version: 1.1.2-beta}\n"+
		"repo: registry.example.com/ci/sam\nruntimes: [{image: 'public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138'}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := execute("bake", "-f", file, "--frontend", "frontend", "--env-args", "--build-arg", "DOCKER_VERSION=28.5.2")
	if err != nil || !strings.Contains(out, `"VERSION": "42"`) || !strings.Contains(out, `"DOCKER_VERSION": "28.5.2"`) || strings.Contains(out, "SERVERLESS") {
		t.Errorf("%v:\n%s", err, out)
	}
	got := taken(map[string]string{"VERSION": "42", "SAMFORGE_MIRRORS": "https://a/=https://me:secret@b/"})
	if want := "samforge: --env-args took from the environment: SAMFORGE_MIRRORS=https://a/=https://xxxxxxxxx@b/ VERSION=42"; got != want {
		t.Errorf("it says  %s\nand not %s", got, want)
	}
}

// What no command line shows is said: once, without credentials, and for commands that build.
func TestVariablesThatNobodyNamed(t *testing.T) {
	t.Setenv("BUILDKIT_HOST", "tcp://me:secret@127.0.0.1:1")
	t.Setenv("SOURCE_DATE_EPOCH", "1")
	t.Setenv("SAM_BUILD_MODE", "")
	file := filepath.Join(t.TempDir(), "samforge.yaml")
	if err := os.WriteFile(file, []byte("kind: sam\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const from = "samforge: from the environment:"
	for line, want := range map[string]string{
		"build":                                 from + " BUILDKIT_HOST=tcp://xxxxxxxxx@127.0.0.1:1 SOURCE_DATE_EPOCH=1\n",
		"build --builder tcp://127.0.0.1:2":     from + " SOURCE_DATE_EPOCH=1\n",
		"build --build-arg SOURCE_DATE_EPOCH=2": from + " BUILDKIT_HOST=tcp://xxxxxxxxx@127.0.0.1:1\n",
		"build -q":                              "",
		"check":                                 "",
	} {
		root := newRoot()
		var said bytes.Buffer
		root.SetOut(io.Discard)
		root.SetErr(&said)
		root.SetArgs(append(strings.Fields(line), "-f", file))
		if err := root.Execute(); err == nil {
			t.Errorf("samforge %s builds from nothing", line)
		}
		if got := said.String(); got != want {
			t.Errorf("samforge %s says %q, want %q", line, got, want)
		}
	}
}

// What --env-args takes changes tags, so it is said with --quiet too.
func TestQuietSaysWhatWasTaken(t *testing.T) {
	t.Setenv("VERSION", "42")
	root := newRoot()
	var said bytes.Buffer
	root.SetErr(&said)
	root.SetArgs([]string{"build", "--kind", "sam", "--env-args", "-q", "--builder", "unix:///missing.sock", t.TempDir()})
	if err := root.Execute(); err == nil || said.String() != "samforge: --env-args took from the environment: VERSION=42\n" {
		t.Errorf("%v, and it says %q", err, said.String())
	}
}

func TestAttestations(t *testing.T) {
	for value, want := range map[string]string{
		"": "", "false": "", "true": "type=sbom", "generator=x": "type=sbom,generator=x",
	} {
		if got := strings.Join(attest("sbom", value), " "); got != want {
			t.Errorf("--sbom %q becomes %q, want %q", value, got, want)
		}
	}
}

func TestRuntimesAsJSON(t *testing.T) {
	out, err := execute("runtimes", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var runtimes []catalogue.Runtime
	if err := json.Unmarshal([]byte(out), &runtimes); err != nil {
		t.Fatal(err)
	}
	for _, r := range runtimes {
		if r.Name == "python3.12" && r.OS == "al2023" {
			return
		}
	}
	t.Errorf("python3.12 on al2023 is not among the %d runtimes", len(runtimes))
}

// The table shows the state of today, not of the day of the catalogue.
func TestRuntimesTable(t *testing.T) {
	known, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	if err := runtimesTable(&table, known, time.Date(2027, 5, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(table.String()) {
		if strings.HasPrefix(line, "nodejs22.x ") {
			if !strings.Contains(line, "deprecated") || !strings.Contains(line, "amd64,arm64") {
				t.Errorf("nodejs22.x in May 2027: %s", line)
			}
			return
		}
	}
	t.Error("nodejs22.x is not in the table")
}

func TestVersion(t *testing.T) {
	flag, err := execute("--version")
	if err != nil {
		t.Fatal(err)
	}
	out, err := execute("version")
	if flag != out {
		t.Errorf("--version prints %q, version %q", flag, out)
	}
	if err != nil || !strings.HasPrefix(out, "samforge ") || !strings.Contains(out, "buildkit ") {
		t.Errorf("%q, %v", out, err)
	}
}

// samforge exits if something does not end within 25 seconds of the first Ctrl-C, and not before.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		var stderr bytes.Buffer
		exited := make(chan int, 1)
		giveUp(ctx, patience, &stderr, func(code int) { exited <- code })
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(exited) > 0 {
			t.Fatal("gave up without Ctrl-C")
		}
		interrupt()
		start := time.Now()
		if code, took := <-exited, time.Since(start); code != 130 || took != 25*time.Second {
			t.Errorf("exit code %d after %s, want 130 after 25s", code, took)
		}
		if !strings.Contains(stderr.String(), "something does not end: giving up on it") {
			t.Errorf("stderr is %q", stderr.String())
		}
	})
}

func TestLoginIsOfDocker(t *testing.T) {
	for _, args := range [][]string{{"login"}, {"login", "registry.example.com", "-u", "ci"}} {
		if _, err := execute(args...); codeOf(err) != exitInput || !strings.Contains(err.Error(), "docker login HOST") || !strings.Contains(err.Error(), "DOCKER_AUTH_CONFIG") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
