package ci

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// sample returns a value of a setting that differs from its default.
func sample(s Setting) string {
	switch {
	case s.Type == typeBool && s.Default == "true":
		return "false"
	case s.Type == typeBool:
		return "true"
	case s.Type == typeNumber:
		return "7"
	case s.Type == typeSemis:
		return "a=1;b=2"
	case s.Type == typeCommas:
		return "a=1,b=2"
	}
	return "sample"
}

// Every variable of every setting does something, or causes a warning that says why not.
func TestSettings(t *testing.T) {
	t.Parallel()
	before, _, err := Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, setting := range Settings() {
		texts := slices.DeleteFunc([]string{setting.Does, setting.Ignored, setting.Refused}, func(text string) bool { return text == "" })
		if len(texts) != 1 || setting.Type == "" {
			t.Errorf("%s: one of Does, Ignored and Refused is wanted", setting.Names)
		}
		for _, name := range setting.Names {
			if seen[name] {
				t.Errorf("%s is in two settings", name)
			}
			seen[name] = true
			value := sample(setting)
			if strings.HasPrefix(name, "PLUGIN_BUILDX_OPTIONS") {
				value = "--label=a=b"
			}
			if name == "PLUGIN_BUILDKIT_RESPONSE_HEADER_TIMEOUT" {
				value = "30s"
			}
			if name == envFile {
				value = os.DevNull
			}
			after, warnings, err := Read([]string{name + "=" + value})
			if setting.Refused != "" {
				if err == nil || !strings.HasPrefix(err.Error(), name+": ") {
					t.Errorf("%s: got %v, want an error", name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			after.environment = before.environment
			warned := slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(w, name+" does nothing here: ") })
			if does := !reflect.DeepEqual(before, after); does != (setting.Does != "") || warned != (setting.Ignored != "") {
				t.Errorf("%s: it does something: %t, the warnings are %q", name, does, warnings)
			}
		}
		if names := setting.Names; len(names) > 1 {
			first, _, err := Read([]string{names[1] + "=" + sample(setting), names[0] + "=" + sample(setting) + "x"})
			only, _, _ := Read([]string{names[0] + "=" + sample(setting) + "x"})
			if err == nil && only != nil {
				first.environment, only.environment = nil, nil
				if !reflect.DeepEqual(first, only) {
					t.Errorf("%s does not win over %s", names[0], names[1])
				}
			}
		}
	}
}

func TestUnknownSettings(t *testing.T) {
	t.Parallel()
	_, warnings, err := Read([]string{"PLUGIN_TAG5=a", "PLUGIN_EMPTY=", "OTHER=b"})
	if want := []string{"PLUGIN_TAG5 is no setting of this step: did you mean PLUGIN_TAG?"}; err != nil || !slices.Equal(warnings, want) {
		t.Errorf("got %q, %v, want %q", warnings, err, want)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ref, suffix string
		want        string
	}{
		{"refs/tags/v1.2.3", "", "1 1.2 1.2.3"},
		{"refs/tags/1.2.3", "alpine", "1-alpine 1.2-alpine 1.2.3-alpine"},
		{"refs/tags/v0.3.1", "", "0.3 0.3.1"},
		{"refs/tags/v1.2.3-rc.1", "", "1.2.3-rc.1"},
		{"refs/tags/1.2.3-rc.1", "", "1.2.3-rc.1"},
		{"refs/heads/main", "", "latest"},
		{"refs/heads/main", "slim", "slim"},
		{"refs/heads/topic", "", ""},
		{"refs/pull/1/head", "", ""},
	} {
		got, err := autoTags(c.ref, "main", c.suffix)
		if strings.Join(got, " ") != c.want || (c.want == "") != errors.Is(err, ErrNothing) {
			t.Errorf("%s: got %q, %v, want %q", c.ref, got, err, c.want)
		}
	}
	for _, ref := range []string{"", "refs/tags/release"} {
		if got, err := autoTags(ref, "main", ""); err == nil || errors.Is(err, ErrNothing) {
			t.Errorf("%q: got %q, %v, want a mistake", ref, got, err)
		}
	}
}

func TestRepository(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ registry, repo, want string }{
		{"", "team/app", "team/app"},
		{"https://index.docker.io/v1/", "team/app", "team/app"},
		{"registry.example.com", "team/app", "registry.example.com/team/app"},
		{"https://registry.example.com:5000/v2/", "team/app", "registry.example.com:5000/team/app"},
		{"registry.example.com", "registry.example.com/team/app", "registry.example.com/team/app"},
		{"registry.example.com/v2/", "team/app", "registry.example.com/team/app"},
		{"us-docker.pkg.dev/setup/public/project", "app", "us-docker.pkg.dev/setup/public/project/app"},
		{"us.gcr.io/project/", "us.gcr.io/other/app", "us.gcr.io/other/app"},
		{"123456789012.dkr.ecr.us-east-1.amazonaws.com", "test-image", "123456789012.dkr.ecr.us-east-1.amazonaws.com/test-image"},
	} {
		s := &Step{registry: c.registry, repo: c.repo}
		if got, err := s.repository(); err != nil || got != c.want {
			t.Errorf("%s, %s: got %q, %v, want %q", c.registry, c.repo, got, err, c.want)
		}
	}
	for _, repo := range []string{"Team/App", "team/app:1", "a b"} {
		if got, err := (&Step{repo: repo}).repository(); err == nil || !strings.Contains(err.Error(), "PLUGIN_REPO") {
			t.Errorf("%s: got %q, %v", repo, got, err)
		}
	}
}

// A mapping, which CI systems hand over as JSON, is a list of pairs.
func TestMappings(t *testing.T) {
	t.Parallel()
	s, _, err := Read([]string{`PLUGIN_BUILD_ARGS={"LIST": "a,b", "DEBUG": true, "BUILD": 12}`, "PLUGIN_CUSTOM_LABELS={\n  \"team\" : \"blue\"\n}"})
	if err != nil || !slices.Equal(s.buildArgs, []string{"BUILD=12", "DEBUG=true", "LIST=a,b"}) || !slices.Equal(s.labels, []string{"team=blue"}) {
		t.Errorf("got %+v, %v", s, err)
	}
	for _, value := range []string{`{"A": ["b"]}`, `{"A": null}`, "{A=b"} {
		if _, _, err := Read([]string{"PLUGIN_BUILD_ARGS=" + value}); err == nil || !strings.HasPrefix(err.Error(), "PLUGIN_BUILD_ARGS: ") {
			t.Errorf("%s: got %v, want a mistake", value, err)
		}
	}
}

// The repository of the cache is in the registry of the image.
func TestCacheRepository(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ registry, cache, want string }{
		{"us-docker.pkg.dev/setup/public/project", "test/cache", "us-docker.pkg.dev/setup/public/project/test/cache"},
		{"us-docker.pkg.dev/setup", "registry.example.com/cache:1", "registry.example.com/cache:1"},
		{"https://index.docker.io/v1/", "team/cache", "team/cache"},
		{"registry.example.com", "", ""},
	} {
		if got := (&Step{registry: c.registry, cacheRepo: c.cache}).cacheRepository(); got != c.want {
			t.Errorf("%s, %s: got %q, want %q", c.registry, c.cache, got, c.want)
		}
	}
}

// A file has further settings, and those of the environment win.
func TestEnvFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(path, []byte("# settings\nPLUGIN_REPO=team/file\nPLUGIN_TAGS=1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := Read([]string{"PLUGIN_ENV_FILE=" + path, "PLUGIN_REPO=team/environment"})
	if err != nil || s.repo != "team/environment" || !slices.Equal(s.tags, []string{"1", "2"}) {
		t.Errorf("got %+v, %v", s, err)
	}
	if _, _, err := Read([]string{"PLUGIN_ENV_FILE=nowhere"}); err == nil || !strings.Contains(err.Error(), "PLUGIN_ENV_FILE: ") {
		t.Errorf("got %v", err)
	}
}

// Build arguments of docker buildx's flags are added to those of either setting.
func TestBuildArguments(t *testing.T) {
	t.Parallel()
	for _, settings := range [][]string{
		{"PLUGIN_BUILD_ARGS=A=1"}, {"PLUGIN_BUILD_ARGS_NEW=A=1"}, {"PLUGIN_BUILD_ARGS_NEW=A=1", "PLUGIN_BUILD_ARGS=A=2", "PLUGIN_MULTIPLE_BUILD_ARGS=true"},
	} {
		s, _, err := Read(append(settings, "PLUGIN_BUILDX_OPTIONS=--build-arg=B=2"))
		if err != nil {
			t.Fatal(err)
		}
		if args, err := s.args(); err != nil || args["A"] != "1" || args["B"] != "2" {
			t.Errorf("%s: got %v, %v", settings, args, err)
		}
	}
}

// Programs that the step starts have no passwords of its settings, and all variables that secrets of the
// build come from.
func TestForget(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("OF_THE_FILE=c\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"PLUGIN_PASSWORD": "p", "DOCKER_PASSWORD": "p", "PLUGIN_TOKEN": "t", "AWS_SECRET_ACCESS_KEY": "k", "AWS_ACCESS_KEY_ID": "i", "PLUGIN_USERNAME": "u",
		"PLUGIN_SECRETS_FROM_ENV": "a=OF_THE_FILE", "PLUGIN_SECRET": "id=b,env=PLUGIN_TOKEN", "PLUGIN_ENV_FILE": file,
	} {
		t.Setenv(name, value)
	}
	s, _, err := Read(os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	s.Forget()
	for name, want := range map[string]string{
		"PLUGIN_PASSWORD": "", "DOCKER_PASSWORD": "", "PLUGIN_SECRET": "", "PLUGIN_TOKEN": "t", "OF_THE_FILE": "c", "AWS_SECRET_ACCESS_KEY": "k",
	} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !slices.Contains(s.SecretValues(), "t") || !slices.Contains(s.SecretValues(), "c") {
		t.Errorf("the secrets are %q", s.SecretValues())
	}
	_ = os.Unsetenv("OF_THE_FILE")
}

// What CI systems put into addresses is in no label and in no attestation.
func TestNoPasswordIsRecorded(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://ci:canary@git.example.com/app.git": "https://git.example.com/app.git",
		"https://canary@git.example.com/app":        "https://git.example.com/app",
		"https://git.example.com/app":               "https://git.example.com/app",
		"git@git.example.com:team/app.git":          "git@git.example.com:team/app.git",
	} {
		s, _, err := Read([]string{"PLUGIN_REPO=a/b", "DRONE_REMOTE_URL=" + address, "DRONE_REPO_LINK=" + address})
		if err != nil {
			t.Fatal(err)
		}
		labels, err := s.allLabels(t.Context())
		if err != nil || labels["org.opencontainers.image.source"] != want || labels["org.opencontainers.image.url"] != want {
			t.Errorf("%s: the labels are %v, %v", address, labels, err)
		}
	}
	for options, want := range map[string]bool{"--provenance=mode=max": true, "--provenance=true": false, "": false} {
		s, _, err := Read([]string{"PLUGIN_REPO=a/b", "HTTPS_PROXY=http://ci:canary@proxy:3128", "PLUGIN_BUILDX_OPTIONS_SEMICOLON=" + options})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.options(t.Context(), nil)
		if (err != nil) != want || err != nil && (!strings.Contains(err.Error(), "HTTPS_PROXY has a password") || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%s: %v", options, err)
		}
	}
}

// A flag and its value may be in one entry, and values may have spaces.
func TestFlagsWithValues(t *testing.T) {
	t.Parallel()
	s, _, err := Read([]string{"PLUGIN_BUILDX_OPTIONS_SEMICOLON=--label a=b c;--label=d=e f;--pull"})
	if err != nil || !slices.Equal(s.labels, []string{"a=b c", "d=e f"}) {
		t.Errorf("the labels are %q, %v", s.labels, err)
	}
	if got, want := words([]string{"--set *.args.A=b c", "--set=web.args.D=e f", "web"}), []string{"--set", "*.args.A=b c", "--set=web.args.D=e f", "web"}; !slices.Equal(got, want) {
		t.Errorf("the words are %q, want %q", got, want)
	}
}
