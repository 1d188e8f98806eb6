package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// defaultsIn writes a build file below a repository, with the defaults of the repository and of the user.
func defaultsIn(t *testing.T, repository, user string) (file string) {
	t.Helper()
	root := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(root, "config"))
	t.Setenv("HOME", filepath.Join(root, "home"))
	file = filepath.Join(root, "repository", "images", "samforge.yaml")
	for name, text := range map[string]string{
		file: checkFile,
		filepath.Join(root, "repository", ".git", "HEAD"):          "ref: refs/heads/main\n",
		filepath.Join(root, "repository", defaultsName):            repository,
		filepath.Join(root, "config", "samforge", "defaults.yaml"): user,
		filepath.Join(root, defaultsName):                          "nope: above the repository\n",
	} {
		if text == "" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// Flags win over the repository's defaults, which win over the user's.
func TestDefaults(t *testing.T) {
	file := defaultsIn(t, "label: [team=blue]\nplatform: [linux/arm64]\n", "platform: [linux/amd64]\ncache-from: ['type=registry,ref=registry.example.com/cache']\n")
	bake := func(args ...string) string {
		out, err := execute(append([]string{"bake", "-f", file, "--frontend", "frontend"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := bake(); !strings.Contains(out, `"team": "blue"`) || !strings.Contains(out, `"linux/arm64"`) || strings.Contains(out, `"linux/amd64"`) || !strings.Contains(out, "registry.example.com/cache") {
		t.Errorf("bake writes %s", out)
	}
	if out := bake("--platform", "linux/amd64", "--label", "team=red"); strings.Contains(out, "blue") || strings.Contains(out, `"linux/arm64"`) {
		t.Errorf("with flags bake writes %s", out)
	}
}

func TestMistakesInDefaults(t *testing.T) {
	for name, c := range map[string]struct{ repository, user, want string }{
		"an unknown key":                        {"label: [a=b]\nlable: [a=b]\n", "", `samforge.defaults.yaml:2:1: unknown key "lable": did you mean "label"?`},
		"a value that the flag refuses":         {"fail-on: [a]\n", "", "samforge.defaults.yaml:1:10: fail-on: expected a string, found a list"},
		"a builder that a repository chooses":   {"builder: [tcp://builder.example.com:1234]\n", "", "samforge.defaults.yaml:1:10: builder: a repository must not choose this"},
		"a cache that a repository chooses":     {"cache-to: ['type=local,dest=/tmp']\n", "", "samforge.defaults.yaml:1:11: cache-to: a repository must not choose this"},
		"a string for a list":                   {"platform: linux/amd64\n", "", `samforge.defaults.yaml:1:11: platform: expected a list, found "linux/amd64": write [linux/amd64]`},
		"a key without a value":                 {"platform:\n", "", "platform: it has no value"},
		"a mirror that is no registry":          {"mirror: [a=b]\n", "", `samforge.defaults.yaml:1:10: mirror[0]: "a" does not begin with a registry`},
		"a label without a value":               {"label: [x, 5]\n", "", `samforge.defaults.yaml:1:9: label[0]: "x": expected KEY=VALUE`},
		"an SBOM that is neither":               {"sbom: maybe\n", "", `samforge.defaults.yaml:1:7: sbom: "maybe": use true, false, or attributes`},
		"an unknown key in the user's defaults": {"", "pushh: true\n", "defaults.yaml:1:1: unknown key"},
	} {
		t.Run(name, func(t *testing.T) {
			file := defaultsIn(t, c.repository, c.user)
			if _, err := execute("check", "-f", file); codeOf(err) != exitInput || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestUserChoosesTheBuilder(t *testing.T) {
	file := defaultsIn(t, "", "builder: [tcp://127.0.0.1:1]\n")
	t.Setenv("BUILDKIT_HOST", "")
	if _, err := execute("build", "-f", file, "-q"); err == nil || !strings.Contains(err.Error(), "tcp://127.0.0.1:1") {
		t.Errorf("%v", err)
	}
}

// What a file says of --fail-on decides, as the flag would.
func TestDefaultOfFailOn(t *testing.T) {
	for value, want := range map[string]int{"date": exitFailed, "warning": 0, "never": exitInput} {
		file := defaultsIn(t, "fail-on: "+value+"\n", "")
		ended := strings.ReplaceAll(checkFile, "java17.al2023", "python3.9")
		if err := os.WriteFile(file, []byte(ended), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := execute("check", "-f", file)
		if codeOf(err) != want {
			t.Errorf("fail-on: %s: %v\n%s", value, err, out)
		}
	}
}

// A flag that only SAM templates have is refused for another build file, and not passed over.
func TestFlagsOfTemplates(t *testing.T) {
	file := defaultsIn(t, "", "")
	for flag, value := range map[string]string{"--exclude": "nodejs22.x", "--region": "eu-west-1", "--base-dir": ".", "--parameter-overrides": "A=b"} {
		for _, verb := range []string{"build", "plan", "check"} {
			_, err := execute(verb, "-f", file, flag, value)
			if want := flag + " is for a SAM template, and samforge.yaml is none"; codeOf(err) != exitInput || !strings.Contains(err.Error(), want) {
				t.Errorf("samforge %s %s: %v", verb, flag, err)
			}
		}
	}
}

// A file that was meant to have defaults is not passed over.
func TestDefaultsThatCannotBeRead(t *testing.T) {
	file := defaultsIn(t, "", "")
	repository := filepath.Dir(filepath.Dir(file))
	link := filepath.Join(repository, defaultsName)
	if err := os.MkdirAll(filepath.Join(repository, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere.yaml", link); err != nil {
		t.Fatal(err)
	}
	if _, err := execute("check", "-f", file); codeOf(err) != exitInput || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("of a link that leads nowhere: %v", err)
	}
	if err := os.Rename(link, filepath.Join(repository, misnamedDefaults)); err != nil {
		t.Fatal(err)
	}
	if _, err := execute("check", "-f", file); codeOf(err) != exitInput || !strings.Contains(err.Error(), "rename the file") {
		t.Errorf("of another name: %v", err)
	}
}

func TestMistakesInValuesNameTheFlag(t *testing.T) {
	for flag, want := range map[string]string{
		"--provenance=foo":    `--provenance: "foo": use true, false, or attributes such as mode=max`,
		"--sbom=maybe":        `--sbom: "maybe": use true, false, or attributes such as generator=IMAGE`,
		"--mirror=docker.io=": `--mirror: "" cannot replace "docker.io"`,
		"--label=x":           `--label: "x": expected KEY=VALUE`,
	} {
		if _, err := execute("build", "--kind", "sam", flag, t.TempDir()); codeOf(err) != exitInput || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}
