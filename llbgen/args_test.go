package llbgen_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// TestArgumentsOverrideTheFile has a row for each variable, and more for those that change more
// than their own value.
func TestArgumentsOverrideTheFile(t *testing.T) {
	t.Parallel()
	const sum = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	for _, test := range []struct {
		name      string
		more      string // of the build file
		arg, with string
		got       func(f llbgen.File) any
		want      any
	}{
		{
			name: "HARNESS_BASE_IMAGE is the plugin image",
			arg:  "HARNESS_BASE_IMAGE", with: "acme/plugin:2",
			got:  func(f llbgen.File) any { return f.Plugin },
			want: llbgen.Plugin{Image: "acme/plugin:2", Version: "1.1.2"},
		},
		{
			name: "VERSION is the plugin version",
			arg:  "VERSION", with: "1.1.3",
			got:  func(f llbgen.File) any { return f.Plugin.Version },
			want: "1.1.3",
		},
		{
			name: "TARGET_REPO is the repository",
			arg:  "TARGET_REPO", with: "acme/sam",
			got:  func(f llbgen.File) any { return f.Repo },
			want: "acme/sam",
		},
		{
			name: "SAM_BASE_IMAGE takes the place of all runtimes",
			more: "  - {image: 'acme/custom:1', name: java21, samVersion: 1.2.3}\n",
			arg:  "SAM_BASE_IMAGE", with: "public.ecr.aws/sam/build-ruby3.4:1.144.0",
			got:  func(f llbgen.File) any { return f.Runtimes },
			want: []llbgen.RuntimeImage{{Image: "public.ecr.aws/sam/build-ruby3.4:1.144.0"}},
		},
		{
			name: "DOCKER_VERSION takes the place of an image",
			more: "docker: {image: 'acme/docker:1'}\n",
			arg:  "DOCKER_VERSION", with: "27.5.1",
			got:  func(f llbgen.File) any { return f.Docker },
			want: llbgen.Docker{Version: "27.5.1"},
		},
		{
			name: "DOCKER_VERSION chooses the version of an archive that depends on it",
			more: "docker: {version: 28.5.2, archive: 'https://files.example.com/docker-{{.Version}}.tgz'}\n",
			arg:  "DOCKER_VERSION", with: "27.5.1",
			got:  func(f llbgen.File) any { return f.Docker },
			want: llbgen.Docker{Version: "27.5.1", Archive: "https://files.example.com/docker-{{.Version}}.tgz"},
		},
		{
			name: "HARNESS_GO_PLUGIN_VERSION brings go-template back",
			more: "goTemplate: false\n",
			arg:  "HARNESS_GO_PLUGIN_VERSION", with: "v0.4.12",
			got:  func(f llbgen.File) any { return f.GoTemplate },
			want: llbgen.GoTemplate{Version: "v0.4.12"},
		},
		{
			name: "DOCKER_VERSION brings docker back",
			more: "docker: false\n",
			arg:  "DOCKER_VERSION", with: "27.5.1",
			got:  func(f llbgen.File) any { return f.Docker },
			want: llbgen.Docker{Version: "27.5.1"},
		},
		{
			name: "HARNESS_GO_PLUGIN_VERSION drops the checksum of the other version",
			more: "goTemplate: {version: v0.4.15, sha256: {amd64: " + sum + "}}\n",
			arg:  "HARNESS_GO_PLUGIN_VERSION", with: "v0.4.5",
			got:  func(f llbgen.File) any { return f.GoTemplate },
			want: llbgen.GoTemplate{Version: "v0.4.5"},
		},
		{
			name: "HARNESS_GO_PLUGIN_VERSION keeps the checksum of the same version",
			more: "goTemplate: {version: v0.4.5, sha256: {amd64: " + sum + "}}\n",
			arg:  "HARNESS_GO_PLUGIN_VERSION", with: "v0.4.5",
			got:  func(f llbgen.File) any { return f.GoTemplate },
			want: llbgen.GoTemplate{Version: "v0.4.5", SHA256: map[string]string{"amd64": sum}},
		},
		{
			name: "INSTALL_GO_TEMPLATE_BINARY=false leaves go-template out",
			arg:  "INSTALL_GO_TEMPLATE_BINARY", with: "false",
			got:  func(f llbgen.File) any { return f.GoTemplate.Disabled },
			want: true,
		},
		{
			name: "INSTALL_GO_TEMPLATE_BINARY=true brings go-template back",
			more: "goTemplate: false\n",
			arg:  "INSTALL_GO_TEMPLATE_BINARY", with: "true",
			got:  func(f llbgen.File) any { return f.GoTemplate },
			want: llbgen.GoTemplate{Version: llbgen.DefaultGoTemplateVersion},
		},
		{
			name: "UNIFIED_PIPELINE=true leaves go-template out",
			arg:  "UNIFIED_PIPELINE", with: "true",
			got:  func(f llbgen.File) any { return f.GoTemplate.Disabled },
			want: true,
		},
		{
			name: "UNIFIED_PIPELINE=false changes nothing",
			more: "goTemplate: false\n",
			arg:  "UNIFIED_PIPELINE", with: "false",
			got:  func(f llbgen.File) any { return f.GoTemplate.Disabled },
			want: true,
		},
		{
			name: "SAMFORGE_KIND is the kind",
			arg:  "SAMFORGE_KIND", with: "sam",
			got:  func(f llbgen.File) any { return f.Kind },
			want: "sam",
		},
		{
			name: "SAMFORGE_MIRRORS adds to the mirrors",
			more: "mirrors: {docker.io: a.example.com, public.ecr.aws: b.example.com}\n",
			arg:  "SAMFORGE_MIRRORS", with: "public.ecr.aws=c.example.com/ecr,https://app.harness.io/=https://d.example.com/",
			got: func(f llbgen.File) any { return f.Mirrors },
			want: llbgen.Mirrors{
				"docker.io":               "a.example.com",
				"public.ecr.aws":          "c.example.com/ecr",
				"https://app.harness.io/": "https://d.example.com/",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, buildFile+test.more, map[string]string{test.arg: test.with})
			if got := test.got(plan.File); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if !slices.ContainsFunc(llbgen.Variables(), func(v llbgen.Variable) bool { return v.Name == test.arg }) {
				t.Errorf("%s is not among the variables", test.arg)
			}
		})
	}
}

// TestAnEmptyArgumentIsNotGiven: CI systems set a variable without a value to the empty string.
func TestAnEmptyArgumentIsNotGiven(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		buildFile + "docker: {version: 27.5.1}\ngoTemplate: {version: v0.4.11}\nmirrors: {docker.io: mirror.example.com}\n",
		strings.Replace(serverlessFile("python3.12", "nodejs20.x", ""), "3.39.0", "3.39.0, lock: package-lock.json", 1),
	} {
		empty := map[string]string{"DOCKER_PASSWORD": "", "UNHEARD_OF": ""}
		for _, v := range llbgen.Variables() {
			empty[v.Name] = ""
		}
		got, want := load(t, file, empty), load(t, file, nil)
		if !reflect.DeepEqual(got.File, want.File) || got.Verify != want.Verify {
			t.Errorf("empty arguments change the build file to %+v, want %+v", got.File, want.File)
		}
		if len(got.Warnings) != len(want.Warnings) {
			t.Errorf("empty arguments are warned of: %v", got.Warnings)
		}
	}
}

func TestArgumentMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, arg, with, want string }{
		{
			name: "a base image without a version names the argument, not the line it replaced",
			arg:  "SAM_BASE_IMAGE", with: "public.ecr.aws/sam/build-python3.12:latest",
			want: `build argument SAM_BASE_IMAGE: no SAM CLI version can be read from "public.ecr.aws/sam/build-python3.12:latest": use a tag that begins with one, such as 1.143.0-20250822194415, or set runtimes[0].samVersion by hand`,
		},
		{
			name: "a plugin version that cannot be part of a tag",
			arg:  "VERSION", with: "1.1/2",
			want: `build argument VERSION: "1.1/2" cannot be part of a tag: use letters, digits, dots, dashes and underscores`,
		},
		{
			name: "a repository with a tag",
			arg:  "TARGET_REPO", with: "acme/sam:latest",
			want: `build argument TARGET_REPO: "acme/sam:latest" has a tag or a digest: name the repository alone, samforge makes the tags`,
		},
		{
			name: "an unknown kind",
			arg:  "SAMFORGE_KIND", with: "lambda",
			want: `build argument SAMFORGE_KIND: unknown kind "lambda"; the kinds are: sam, serverless, cdk`,
		},
		{
			name: "something else than true or false",
			arg:  "INSTALL_GO_TEMPLATE_BINARY", with: "no",
			want: `build argument INSTALL_GO_TEMPLATE_BINARY: expected true or false, found "no"`,
		},
		{
			name: "a repository with upper case",
			arg:  "TARGET_REPO", with: "registry.example.com/CI/sam",
			want: `build argument TARGET_REPO: "registry.example.com/CI/sam" is not a repository: invalid reference format: repository name (CI/sam) must be lowercase`,
		},
		{
			name: "a mirror for nothing",
			arg:  "SAMFORGE_MIRRORS", with: "docker.io",
			want: `build argument SAMFORGE_MIRRORS: "" cannot replace "docker.io": a registry is replaced by a registry, a URL prefix by a URL prefix`,
		},
		{
			name: "a mirror with a password",
			arg:  "SAMFORGE_MIRRORS", with: "https://a.example.com/=https://ci:hunter2@b.example.com/",
			want: "build argument SAMFORGE_MIRRORS: there is a user or a password in the address, which would be recorded with the image: leave it out, and pass it with --secret id=HTTP_AUTH_HEADER_b.example.com,src=FILE, which is the value of the Authorization header",
		},
		{
			name: "a password",
			arg:  "DOCKER_PASSWORD", with: "hunter2",
			want: "build argument DOCKER_PASSWORD: credentials are not build arguments, which are recorded with the image: use `docker login`",
		},
		{
			name: "a user name",
			arg:  "DOCKER_USERNAME", with: "hunter2",
			want: "build argument DOCKER_USERNAME: credentials are not build arguments, which are recorded with the image: use `docker login`",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := llbgen.Load("samforge.yaml", []byte(buildFile), map[string]string{test.arg: test.with})
			wantError(t, err, test.want)
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the secret is in the error")
			}
		})
	}
}

func TestUnknownArgumentsAreWarnedOf(t *testing.T) {
	t.Parallel()
	plan := load(t, buildFile, map[string]string{
		"VERSON": "1.1.3", "TIMESTAMP": "20250911",
		// BuildKit gives these a meaning, whatever the file.
		"SOURCE_DATE_EPOCH": "0", "BUILDKIT_SYNTAX": "x", "http_proxy": "x", "HTTPS_PROXY": "x", "no_proxy": "x", "ALL_PROXY": "x",
	})
	got := found(llbgen.RuleUnusedBuildArg, plan.Warnings)
	want := []string{
		"build argument TIMESTAMP is not used by this build file",
		"build argument VERSON is not used by this build file: did you mean \"VERSION\"?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestEnvironmentArgs(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"VERSION": "42", "DOCKER_VERSION": "", "SAM_BASE_IMAGE": "sam", "RUNTIME_BASE_IMAGE_VERSION": "runtime",
		"SERVERLESS_VERSION": "3.38.0", "AWS_CDK_VERSION": "2.1", "PATH": "/bin",
	}
	for name, test := range map[string]struct {
		file string
		args map[string]string
		want []string
	}{
		"those of the kind":                {"kind: sam\n", nil, []string{"SAM_BASE_IMAGE", "VERSION"}},
		"those of another kind":            {"kind: serverless\n", nil, []string{"RUNTIME_BASE_IMAGE_VERSION", "SERVERLESS_VERSION", "VERSION"}},
		"an argument gives the kind":       {"kind: sam\n", map[string]string{"SAMFORGE_KIND": "cdk"}, []string{"AWS_CDK_VERSION", "RUNTIME_BASE_IMAGE_VERSION", "VERSION"}},
		"what is given is not taken":       {"kind: sam\n", map[string]string{"VERSION": "1"}, []string{"SAM_BASE_IMAGE"}},
		"a kind that is none takes all":    {"kind: lambda\n", nil, []string{"AWS_CDK_VERSION", "RUNTIME_BASE_IMAGE_VERSION", "SAM_BASE_IMAGE", "SERVERLESS_VERSION", "VERSION"}},
		"a file with mistakes has no kind": {"kind: [\n", map[string]string{"VERSION": "1"}, []string{"AWS_CDK_VERSION", "RUNTIME_BASE_IMAGE_VERSION", "SAM_BASE_IMAGE", "SERVERLESS_VERSION"}},
	} {
		found := llbgen.EnvironmentArgs([]byte(test.file), test.args, func(name string) string { return env[name] })
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestMirrorsArgCarriesMirrors(t *testing.T) {
	t.Parallel()
	mirrors := llbgen.Mirrors{"public.ecr.aws": "mirror.example.com/ecr", "docker.io": "localhost:5000", "https://app.harness.io/": "https://files.example.com/"}
	name, value := llbgen.MirrorsArg(mirrors)
	if want := "docker.io=localhost:5000,https://app.harness.io/=https://files.example.com/,public.ecr.aws=mirror.example.com/ecr"; value != want {
		t.Errorf("got  %s\nwant %s", value, want)
	}
	if got := load(t, buildFile, map[string]string{name: value}).File.Mirrors; !maps.Equal(got, mirrors) {
		t.Errorf("it arrives as %v, want %v", got, mirrors)
	}
}
