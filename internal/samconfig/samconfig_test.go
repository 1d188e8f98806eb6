package samconfig_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/samconfig"
)

// write writes files into a new folder.
func write(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const inTOML = `version = 0.1
[default.global.parameters]
region = "eu-central-1"
profile = "work"
parameter_overrides = "Stage=dev"

[default.build.parameters]
cached = true
parallel = true
template_file = "app/template.yaml"
base_dir = "src"
exclude = ["Slow", "Child/Old"]
parameter_overrides = ["Stage=test Size='1 2'", "ParameterKey=Arch,ParameterValue=arm64"]

[default.package.parameters]
s3_bucket = "uploads"
image_repositories = ["Hello=registry.example.com/hello"]
output_template_file = "packaged.yaml"
use_json = true
resolve_image_repos = true
stack_name = "demo"

[prod.build.parameters.parameter_overrides]
Stage = "prod"
Count = 3
Fast = true
Zones = ["a", "b"]
`

const inYAML = `version: 0.1
default:
  global: {parameters: {region: eu-central-1, profile: work, parameter_overrides: Stage=dev}}
  build:
    parameters:
      cached: true
      template_file: app/template.yaml
      base_dir: src
      exclude: [Slow, Child/Old]
      parameter_overrides: ["Stage=test Size='1 2'", {Arch: arm64}]
  package:
    parameters:
      image_repositories: Hello=registry.example.com/hello
      output_template_file: packaged.yaml
      use_json: true
      resolve_image_repos: true
      stack_name: demo
prod:
  build:
    parameters:
      parameter_overrides: {Stage: prod, Count: 3, Fast: true, Zones: [a, b]}
`

// Both forms say the same: those shared by all commands count least, those of a later command most.
func TestRead(t *testing.T) {
	t.Parallel()
	build := samconfig.Parameters{
		Region: "eu-central-1", Profile: "work", TemplateFile: "app/template.yaml", BaseDir: "src", Exclude: []string{"Slow", "Child/Old"},
		Overrides: map[string]string{"Stage": "test", "Size": "1 2", "Arch": "arm64"},
	}
	both := build
	both.ImageRepositories, both.OutputTemplateFile, both.UseJSON = []string{"Hello=registry.example.com/hello"}, "packaged.yaml", true
	both.ResolveImageRepos, both.StackName = true, "demo"
	prod := samconfig.Parameters{Overrides: map[string]string{"Stage": "prod", "Count": "3", "Fast": "true", "Zones": "a,b"}}
	for file, text := range map[string]string{"samconfig.toml": inTOML, "samconfig.yaml": inYAML, "samconfig.yml": inYAML, "other.toml": inTOML} {
		dir := write(t, map[string]string{file: text})
		named := ""
		if file == "other.toml" {
			named = file
		}
		for _, c := range []struct {
			env      string
			commands []string
			want     samconfig.Parameters
		}{
			{"", []string{"build"}, build},
			{"", []string{"build", "package"}, both},
			{"prod", []string{"build"}, prod},
			{"prod", []string{"package"}, samconfig.Parameters{}},
		} {
			got, err := samconfig.Read(t.Context(), samconfig.Query{Folder: dir, File: named, Env: c.env, Commands: c.commands})
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s, environment %q, %s: got %+v, %v; want %+v", file, c.env, c.commands, got, err, c.want)
			}
		}
	}
}

func TestReadWithoutAFile(t *testing.T) {
	t.Parallel()
	if got, err := samconfig.Read(t.Context(), samconfig.Query{Folder: t.TempDir(), Commands: []string{"build"}}); err != nil || !reflect.DeepEqual(got, samconfig.Parameters{}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, text string
		query      samconfig.Query
		want       string
	}{
		"no TOML":                      {"samconfig.toml", "[default\n", samconfig.Query{}, "samconfig.toml:1: toml: "},
		"no YAML":                      {"samconfig.yaml", "default: [\n", samconfig.Query{}, "samconfig.yaml: yaml: "},
		"a key twice":                  {"samconfig.yaml", "default: {}\ndefault: {}\n", samconfig.Query{}, `"default" already defined`},
		"a list of environments":       {"samconfig.yaml", "- default\n", samconfig.Query{}, "samconfig.yaml:1: the file is a list: expected a table"},
		"a number for a text":          {"samconfig.toml", "[default.build.parameters]\ncached = true\nregion = 1\n", samconfig.Query{}, "samconfig.toml:3: region is a number: expected a text, in quotes"},
		"a text for a truth value":     {"samconfig.toml", "[default.build.parameters]\nresolve_image_repos = \"yes\"\n", samconfig.Query{}, "samconfig.toml:2: resolve_image_repos is a text: expected true or false"},
		"a truth value for a text":     {"samconfig.yaml", "default:\n  build:\n    parameters:\n      base_dir: yes\n      region: true\n", samconfig.Query{}, "samconfig.yaml:5: region is true or false: expected a text"},
		"a table for a list":           {"samconfig.toml", "[default.build.parameters]\nexclude = {A = 1}\n", samconfig.Query{}, "samconfig.toml:2: exclude is a table: expected a list of texts"},
		"a number in a list":           {"samconfig.toml", "[default.build.parameters]\nexclude = [1]\n", samconfig.Query{}, "samconfig.toml:2: a value of exclude is a number: expected a text"},
		"a section that is a text":     {"samconfig.toml", "[default]\nbuild = \"x\"\n", samconfig.Query{}, "samconfig.toml:2: build is a text: expected a table, [default.build.parameters]"},
		"overrides that are a number":  {"samconfig.toml", "[default.build.parameters]\nparameter_overrides = 1\n", samconfig.Query{}, "samconfig.toml:2: parameter_overrides is a number: expected a text"},
		"overrides that are none":      {"samconfig.toml", "[default.build.parameters]\nparameter_overrides = \"canary\"\n", samconfig.Query{}, "samconfig.toml:2: parameter overrides: expected Name=value"},
		"a list in the overrides":      {"samconfig.yaml", "default:\n  build:\n    parameters:\n      parameter_overrides: [[A=canary]]\n", samconfig.Query{}, "samconfig.yaml:4: parameter_overrides has a list in its list"},
		"a table in a parameter":       {"samconfig.toml", "[default.build.parameters.parameter_overrides]\nA = {B = \"canary\"}\n", samconfig.Query{}, "samconfig.toml:2: the parameter A has a table in its value"},
		"a fraction in TOML":           {"samconfig.toml", "[default.build.parameters.parameter_overrides]\nVersion = 1.10\n", samconfig.Query{}, "samconfig.toml:2: the parameter Version is a number with a fraction, which TOML does not keep as it is written: put it in quotes"},
		"an unknown environment":       {"samconfig.toml", inTOML, samconfig.Query{Env: "prd"}, "samconfig.toml has no such environment, it has: default, prod"},
		"an environment, and no file":  {"other.toml", inTOML, samconfig.Query{Env: "prod"}, "--config-env prod: there is no samconfig.toml beside the template"},
		"a named file that is not one": {"samconfig.toml", inTOML, samconfig.Query{File: "other.toml"}, "--config-file other.toml: there is no "},
		"a file too large":             {"samconfig.toml", strings.Repeat("#", 1<<20+1), samconfig.Query{}, "read the configuration of SAM CLI: "},
	} {
		c.query.Folder, c.query.Commands = write(t, map[string]string{c.file: c.text}), []string{"build"}
		_, err := samconfig.Read(t.Context(), c.query)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestParseOverrides(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{
		"a.toml": "Stage = \"prod\"\nCount = 3\n", "b.yaml": "Version: 1.10\nEmpty:\n", "c.json": "{}", "d.yml": "[canary]", "e.yml": "A: {B: canary}",
	})
	got, err := samconfig.ParseOverrides(t.Context(), "Stage=dev Name=x", "file://"+dir+"/a.toml", "file://"+dir+"/b.yaml", "Count=4")
	if want := (map[string]string{"Stage": "prod", "Name": "x", "Count": "4", "Version": "1.10", "Empty": ""}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for file, want := range map[string]string{
		"c.json": "a file of parameters is .yaml, .yml or .toml",
		"d.yml":  "d.yml:1: the file is a list: expected a table",
		"e.yml":  "e.yml:1: the parameter A has a table in its value",
		"f.yaml": "there is no file",
	} {
		if _, err := samconfig.ParseOverrides(t.Context(), "file://"+dir+"/"+file); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want %s", file, err, want)
		}
	}
}
