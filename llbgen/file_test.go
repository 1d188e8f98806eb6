package llbgen_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

func ExampleLoad() {
	plan, err := llbgen.Load("samforge.yaml", []byte(`
kind: sam
plugin:
  image: harness/aws-sam-plugin:1.1.2-beta-base-image
  version: 1.1.2
repo: registry.example.com/ci/aws-sam-plugin
runtimes:
  - image: public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138-x86_64
  - image: public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415-x86_64
`), map[string]string{"VERSION": "1.1.3"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, target := range plan.Targets {
		ref, _ := plan.Reference(target, target.Arch, llbgen.Tagger{})
		fmt.Println(target.Name, ref)
	}
	// Output:
	// nodejs22.x registry.example.com/ci/aws-sam-plugin:1.1.3-nodejs22.x-1.144.0-linux-amd64
	// python3.12 registry.example.com/ci/aws-sam-plugin:1.1.3-python3.12-1.143.0-linux-amd64
}

// TestYAML12: files are read as YAML 1.2 says, and a null means the same as a missing value.
func TestYAML12(t *testing.T) {
	t.Parallel()
	want := load(t, buildFile+"docker: false\nlabels: {b: c}\n", nil).File
	for _, file := range []string{
		"%YAML 1.2\n---\n" + buildFile + "docker: false\nlabels: {b: c}\n",
		"\ufeff# a comment\r\n\r\n%YAML 1.2 # the newest\r\n---\r\n" + buildFile + "docker: False\nlabels: {a: null, b: c, d: }\n",
		"%YAML 1.1\n---\n" + buildFile + "docker: FALSE\nlabels: {b: !!str c}\nmirrors: {docker.io: null}\n",
		buildFile + "docker: !!bool false\nlabels: {b: ! c, a: &x !!null ~, d: *x}\n",
	} {
		if got := load(t, file, nil).File; !reflect.DeepEqual(got.Labels, want.Labels) || !got.Docker.Disabled || len(got.Mirrors) > 0 {
			t.Errorf("%s\ngives %+v, want %+v", file, got, want)
		}
	}
	_, err := llbgen.Load("samforge.yaml", []byte("%YAML 1.2\n---\nkind: !env KIND\n"), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "samforge.yaml:3:7: kind: the tag !env is unknown") {
		t.Errorf("below the directive, a mistake is at another place: %v", err)
	}
}

// TestVeryManyMistakes: a file full of mistakes on one line gives a message of a sensible size.
func TestVeryManyMistakes(t *testing.T) {
	t.Parallel()
	file := strings.Replace(buildFile, "runtimes:\n  - image: ", "runtimes: [&x {image: ", 1)
	file = strings.TrimSuffix(file, "\n") + "}" + strings.Repeat(", *x", 9_999) + "]\n"
	_, err := llbgen.Load("samforge.yaml", []byte(file), nil)
	var mistakes source.Diagnostics
	if !errors.As(err, &mistakes) || len(mistakes) != 101 {
		t.Fatalf("there are %d mistakes, want 100 and the number of the others", len(mistakes))
	}
	if got := mistakes[100].Error(); got != "samforge.yaml: 9899 more mistakes are not shown" {
		t.Errorf("the last one is %q", got)
	}
	if !strings.HasPrefix(mistakes[0].Message, "gives the same tag as runtimes[0]") {
		t.Errorf("the first one is %q", mistakes[0].Message)
	}
	if size := len(err.Error()); size > 50_000 {
		t.Errorf("the message has %d bytes", size)
	}
}

// TestExcerpt: of a long line, the part around the place is shown.
func TestExcerpt(t *testing.T) {
	t.Parallel()
	file := strings.TrimSuffix(buildFile, "\n") + "\nlabels: {a: " + strings.Repeat("ä", 300) + ", a: b, c: " + strings.Repeat("x", 300) + "}\n"
	_, err := llbgen.Load("samforge.yaml", []byte(file), nil)
	wantError(t, err, `samforge.yaml:8:315: labels.a: the key is repeated: it is already on line 8
   8 | `+strings.Repeat("ä", 78)+", a: b, c: "+strings.Repeat("x", 71)+`
       `+strings.Repeat(" ", 80)+"^")
}

func ExampleLoad_mistakes() {
	_, err := llbgen.Load("samforge.yaml", []byte(`kind: sam
plugin: {image: harness/aws-sam-plugin, verison: 1.1.2}
runtimes: nodejs22.x
`), nil)
	fmt.Println(err)
	// Output:
	// samforge.yaml:2:41: plugin: unknown key "verison": did you mean "version"?
	//    2 | plugin: {image: harness/aws-sam-plugin, verison: 1.1.2}
	//                                                ^
	// samforge.yaml:3:11: runtimes: expected a list, found "nodejs22.x"
	//    3 | runtimes: nodejs22.x
	//                  ^
}

// mistake is one that a build file can have, with its whole error.
type mistake struct{ name, file, want string }

// mistakes are all of them. buildFile has lines 1 to 7.
func mistakes() []mistake {
	return []mistake{
		// What YAML does not allow.
		{
			name: "a tab indents",
			file: "kind: sam\nplugin:\n\timage: harness/aws-sam-plugin\n",
			want: `samforge.yaml:3:1: cannot read the YAML: a tab or another character that YAML does not allow here: indent with spaces
   3 |  image: harness/aws-sam-plugin
       ^`,
		},
		{
			name: "a quote is not closed",
			file: "kind: \"sam\n",
			want: `samforge.yaml:2:1: cannot read the YAML: found unexpected end of stream`,
		},
		{
			name: "a value holds a colon",
			file: "kind: sam: serverless\n",
			want: `samforge.yaml:1:10: cannot read the YAML: mapping values are not allowed in this context
   1 | kind: sam: serverless
                ^`,
		},
		{
			name: "an alias has no anchor",
			file: "kind: *sam\n",
			want: `samforge.yaml:1:7: cannot read the YAML: unknown anchor 'sam' referenced
   1 | kind: *sam
             ^`,
		},
		{
			name: "the file holds two documents",
			file: "kind: sam\n---\nkind: sam\n",
			want: `samforge.yaml: cannot read the YAML: expected single document, found multiple`,
		},
		{
			name: "the file is not UTF-8",
			file: "kind: sam\nrepo: caf\xe9/plugin\n",
			want: "samforge.yaml:2:10: the file is not valid UTF-8 here: save it as UTF-8\n   2 | repo: caf\xe9/plugin\n                ^",
		},

		// Keys.
		{
			name: "a key is misspelt",
			file: buildFile + "goTemplat: false\n",
			want: `samforge.yaml:8:1: unknown key "goTemplat": did you mean "goTemplate"?
   8 | goTemplat: false
       ^`,
		},
		{
			name: "a key is like no other",
			file: buildFile + "entrypoint: /bin/sh\n",
			want: `samforge.yaml:8:1: unknown key "entrypoint"; known keys are cdk, docker, goTemplate, kind, labels, mirrors, node, plugin, repo, runtimes, serverless
   8 | entrypoint: /bin/sh
       ^`,
		},
		{
			name: "a key of a list entry is misspelt",
			file: buildFile + "  - imag: public.ecr.aws/sam/build-java21:1.144.0\n",
			want: `samforge.yaml:8:5: runtimes[1]: unknown key "imag": did you mean "image"?
   8 |   - imag: public.ecr.aws/sam/build-java21:1.144.0
           ^`,
		},
		{
			name: "a key stands twice",
			file: buildFile + "kind: sam\n",
			want: `samforge.yaml:8:1: kind: the key is repeated: it is already on line 1
   8 | kind: sam
       ^`,
		},
		{
			name: "a label stands twice",
			file: buildFile + "labels: {team: a, team: b}\n",
			want: `samforge.yaml:8:19: labels.team: the key is repeated: it is already on line 8
   8 | labels: {team: a, team: b}
                         ^`,
		},
		{
			name: "a merge key",
			file: buildFile + "docker: &d {version: 28.5.2}\ngoTemplate: {<<: *d}\n",
			want: `samforge.yaml:9:14: goTemplate: merge keys (<<) are not supported: write the keys out, or use an anchor and an alias for the whole value
   9 | goTemplate: {<<: *d}
                    ^`,
		},
		{
			name: "a key is a list",
			file: "? [kind]\n: sam\n",
			want: `samforge.yaml:1:3: a key must be a plain string
   1 | ? [kind]
         ^`,
		},

		// Types.
		{
			name: "a list where a string belongs",
			file: "kind: [sam]\n",
			want: `samforge.yaml:1:7: kind: expected a string, found a list
   1 | kind: [sam]
             ^`,
		},
		{
			name: "a mapping where a string belongs",
			file: "kind: sam\nrepo: {name: registry.example.com/ci}\n",
			want: `samforge.yaml:2:7: repo: expected a string, found a mapping
   2 | repo: {name: registry.example.com/ci}
             ^`,
		},
		{
			name: "a string where a list belongs",
			file: "kind: sam\nruntimes: python3.12\n",
			want: `samforge.yaml:2:11: runtimes: expected a list, found "python3.12"
   2 | runtimes: python3.12
                 ^`,
		},
		{
			name: "a string where a mapping belongs",
			file: "kind: sam\nplugin: harness/aws-sam-plugin\n",
			want: `samforge.yaml:2:9: plugin: expected a mapping of keys to values, found "harness/aws-sam-plugin"
   2 | plugin: harness/aws-sam-plugin
               ^`,
		},
		{
			name: "a list entry is a string",
			file: "kind: sam\nruntimes:\n  - python3.12\n",
			want: `samforge.yaml:3:5: runtimes[0]: expected a mapping of keys to values, found "python3.12"
   3 |   - python3.12
           ^`,
		},
		{
			name: "a number where a mapping or false belongs",
			file: buildFile + "docker: 3\n",
			want: `samforge.yaml:8:9: docker: expected a mapping, or false to leave it out, found "3"
   8 | docker: 3
               ^`,
		},
		{
			name: "the file is a list",
			file: "- kind: sam\n",
			want: `samforge.yaml:1:1: expected a mapping of keys to values, found a list
   1 | - kind: sam
       ^`,
		},

		// What is missing.
		{
			name: "the file is empty",
			file: "",
			want: "samforge.yaml: kind: missing: say what to build with kind or --kind; the kinds are: sam, serverless, cdk",
		},
		{
			name: "the file has a comment only",
			file: "# syntax=registry.example.com/samforge-frontend:1\n",
			want: "samforge.yaml: kind: missing: say what to build with kind or --kind; the kinds are: sam, serverless, cdk",
		},
		{
			name: "nothing but the kind is given",
			file: "kind: sam\n",
			want: `samforge.yaml:1:1: plugin.image: missing: name the plugin's base image here or with --build-arg HARNESS_BASE_IMAGE=…
   1 | kind: sam
       ^
samforge.yaml:1:1: plugin.version: missing: give the version that the tags carry here or with --build-arg VERSION=…
   1 | kind: sam
       ^
samforge.yaml:1:1: runtimes: missing: list at least one base image here, or name it with --build-arg SAM_BASE_IMAGE=…
   1 | kind: sam
       ^`,
		},
		{
			name: "null is as good as nothing",
			file: "kind: sam\nplugin: {image: harness/aws-sam-plugin, version: null}\nruntimes: ~\ndocker:\n",
			want: `samforge.yaml:2:50: plugin.version: missing: give the version that the tags carry here or with --build-arg VERSION=…
   2 | plugin: {image: harness/aws-sam-plugin, version: null}
                                                        ^
samforge.yaml:3:11: runtimes: missing: list at least one base image here, or name it with --build-arg SAM_BASE_IMAGE=…
   3 | runtimes: ~
                 ^`,
		},
		{
			name: "a runtime has no image",
			file: buildFile + "  - name: java21\n",
			want: `samforge.yaml:8:5: runtimes[1].image: missing: name the base image, such as public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415
   8 |   - name: java21
           ^`,
		},

		// Values.
		{
			name: "the kind is unknown",
			file: "kind: lambda\n",
			want: `samforge.yaml:1:7: kind: unknown kind "lambda"; the kinds are: sam, serverless, cdk
   1 | kind: lambda
             ^`,
		},
		{
			name: "the plugin image is no reference",
			file: strings.Replace(buildFile, "harness/aws-sam-plugin:1.1.2-beta-base-image", "harness/AWS-SAM-plugin", 1),
			want: `samforge.yaml:3:10: plugin.image: "harness/AWS-SAM-plugin" is not an image reference: invalid reference format: repository name (harness/AWS-SAM-plugin) must be lowercase
   3 |   image: harness/AWS-SAM-plugin
                ^`,
		},
		{
			name: "the plugin version cannot be part of a tag",
			file: strings.Replace(buildFile, "version: 1.1.2", "version: 1.1.2 beta", 1),
			want: `samforge.yaml:4:12: plugin.version: "1.1.2 beta" cannot be part of a tag: use letters, digits, dots, dashes and underscores
   4 |   version: 1.1.2 beta
                  ^`,
		},
		{
			name: "the repository has a tag",
			file: strings.Replace(buildFile, "ci/aws-sam-plugin\n", "ci/aws-sam-plugin:1.1.2\n", 1),
			want: `samforge.yaml:5:7: repo: "registry.example.com/ci/aws-sam-plugin:1.1.2" has a tag or a digest: name the repository alone, samforge makes the tags
   5 | repo: registry.example.com/ci/aws-sam-plugin:1.1.2
             ^`,
		},
		{
			name: "the repository is a URL",
			file: strings.Replace(buildFile, "repo: ", "repo: https://", 1),
			want: `samforge.yaml:5:7: repo: "https://registry.example.com/ci/aws-sam-plugin" is not a repository: leave https:// out, as in registry.example.com/ci/aws-sam-plugin
   5 | repo: https://registry.example.com/ci/aws-sam-plugin
             ^`,
		},
		{
			name: "a checksum is too short",
			file: buildFile + "goTemplate: {sha256: {amd64: abc123}}\n",
			want: `samforge.yaml:8:30: goTemplate.sha256.amd64: "abc123" is not a SHA-256 sum: expected 64 hexadecimal digits
   8 | goTemplate: {sha256: {amd64: abc123}}
                                    ^`,
		},
		{
			name: "a checksum is for an unknown architecture",
			file: buildFile + "goTemplate: {sha256: {x86_64: " + strings.Repeat("a1", 32) + "}}\n",
			want: `samforge.yaml:8:31: goTemplate.sha256.x86_64: unknown architecture "x86_64": use amd64 or arm64
   8 | goTemplate: {sha256: {x86_64: ` + strings.Repeat("a1", 32) + `}}
                                     ^`,
		},
		{
			name: "docker comes from an image and an archive",
			file: buildFile + "docker:\n  image: docker:28-cli\n  archive: https://files.example.com/docker.tgz\n",
			want: `samforge.yaml:9:3: docker: image and archive exclude each other: keep one
   9 |   image: docker:28-cli
         ^`,
		},
		{
			name: "a docker image has a checksum",
			file: buildFile + "docker:\n  image: docker:28-cli\n  sha256: {amd64: " + strings.Repeat("a1", 32) + "}\n",
			want: `samforge.yaml:10:11: docker.sha256: belongs to archive, which is not set; an image is pinned by its digest
  10 |   sha256: {amd64: ` + strings.Repeat("a1", 32) + `}
                 ^`,
		},
		{
			name: "the docker image is no reference",
			file: buildFile + "docker: {image: 'docker:'}\n",
			want: `samforge.yaml:8:17: docker.image: "docker:" is not an image reference: invalid reference format
   8 | docker: {image: 'docker:'}
                       ^`,
		},
		{
			name: "the docker version is none",
			file: buildFile + "docker: {version: ^28}\n",
			want: `samforge.yaml:8:19: docker.version: "^28" is not a version such as 28.5.2
   8 | docker: {version: ^28}
                         ^`,
		},
		{
			name: "the docker archive is a path",
			file: buildFile + "docker: {archive: ./docker.tgz}\n",
			want: `samforge.yaml:8:19: docker.archive: "./docker.tgz" is not a URL: it must start with https:// or http://
   8 | docker: {archive: ./docker.tgz}
                         ^`,
		},
		{
			name: "the docker archive uses a version that is missing",
			file: buildFile + "docker: {archive: 'https://files.example.com/docker-{{.Version}}.tgz'}\n",
			want: `samforge.yaml:8:19: docker.archive: the URL uses the version, which is missing: set docker.version
   8 | docker: {archive: 'https://files.example.com/docker-{{.Version}}.tgz'}
                         ^`,
		},
		{
			name: "the docker archive uses an unknown field",
			file: buildFile + "docker: {archive: 'https://files.example.com/{{.OS}}/docker.tgz'}\n",
			want: `samforge.yaml:8:19: docker.archive: the placeholders of the URL: there is no .OS: use .Arch, .Machine, .Version
   8 | docker: {archive: 'https://files.example.com/{{.OS}}/docker.tgz'}
                         ^`,
		},
		{
			name: "the docker archive loops",
			file: buildFile + "docker: {archive: 'https://x/{{range 100000000000}}aaaa{{end}}'}\n",
			want: `samforge.yaml:8:19: docker.archive: the placeholders of the URL: {{range 100000000000}}aaaa{{end}} is not allowed: use {{.NAME}}, {{with .NAME}}...{{end}} or {{if .NAME}}...{{end}}
   8 | docker: {archive: 'https://x/{{range 100000000000}}aaaa{{end}}'}
                         ^`,
		},
		{
			name: "the docker archive has a password in its address",
			file: buildFile + "docker: {archive: 'https://ci:hunter2@files.example.com/docker.tgz'}\n",
			want: `samforge.yaml:8:19: docker.archive: there is a user or a password in the address, which would be recorded with the image: leave it out, and pass it with --secret id=HTTP_AUTH_HEADER_files.example.com,src=FILE, which is the value of the Authorization header
   8 | docker: {archive: 'https://xxxxxxxxxx@files.example.com/docker.tgz'}
                         ^`,
		},
		{
			name: "a mirror of the npm registry has a token in its address",
			file: buildFile + "mirrors:\n  https://registry.npmjs.org/: https://hunter2@npm.example.com/\n",
			want: `samforge.yaml:9:32: mirrors.https://registry.npmjs.org/: there is a user or a password in the address, which would be recorded with the image: leave it out, and pass it with --secret id=npmrc,src=FILE
   9 |   https://registry.npmjs.org/: https://xxxxxxx@npm.example.com/
                                      ^`,
		},
		{
			name: "another mistake stands beside a password",
			file: buildFile + "docker: {archvie: 'https://ci:hunter2@files.example.com/docker.tgz'}\n",
			want: `samforge.yaml:8:10: docker: unknown key "archvie": did you mean "archive"?
   8 | docker: {archvie: 'https://xxxxxxxxxx@files.example.com/docker.tgz'}
                ^`,
		},
		{
			name: "the go-template version is none",
			file: buildFile + "goTemplate: {version: v0.4/5}\n",
			want: `samforge.yaml:8:23: goTemplate.version: "v0.4/5" is not a version such as v0.4.15
   8 | goTemplate: {version: v0.4/5}
                             ^`,
		},
		{
			name: "a list has more entries than anyone has images",
			file: strings.Replace(buildFile, "  - image:", "  - &image\n    image:", 1) + strings.Repeat("  - *image\n", 10_000),
			want: `samforge.yaml:7:3: runtimes: the list has 10001 entries, and at most 10000 can be in one file: split it
   7 |   - &image
         ^`,
		},
		{
			name: "a value has a tag of another program",
			file: strings.Replace(buildFile, "version: 1.1.2", "version: !env VERSION", 1),
			want: `samforge.yaml:4:12: plugin.version: the tag !env is unknown: write the value itself, or give it with a build argument
   4 |   version: !env VERSION
                  ^`,
		},
		{
			name: "a mapping has a tag of another program",
			file: buildFile + "labels: !include {}\n",
			want: `samforge.yaml:8:9: labels: the tag !include is unknown: write the value itself, or give it with a build argument
   8 | labels: !include {}
               ^`,
		},
		{
			name: "the repository has upper case",
			file: strings.Replace(buildFile, "ci/aws-sam-plugin", "CI/aws-sam-plugin", 1),
			want: `samforge.yaml:5:7: repo: "registry.example.com/CI/aws-sam-plugin" is not a repository: invalid reference format: repository name (CI/aws-sam-plugin) must be lowercase
   5 | repo: registry.example.com/CI/aws-sam-plugin
             ^`,
		},
		{
			name: "false is in quotes",
			file: buildFile + "docker: \"false\"\n",
			want: `samforge.yaml:8:9: docker: "false" in quotes is a string: write it without quotes
   8 | docker: "false"
               ^`,
		},
		{
			name: "a mirror for no registry",
			file: buildFile + "mirrors: {harness: mirror.example.com}\n",
			want: `samforge.yaml:8:20: mirrors.harness: "harness" does not begin with a registry, and no image would match it: write docker.io/harness for a repository of Docker Hub
   8 | mirrors: {harness: mirror.example.com}
                          ^`,
		},
		{
			name: "two mirrors for one registry",
			file: buildFile + "mirrors: {docker.io: a.example.com, index.docker.io: b.example.com}\n",
			want: `samforge.yaml:8:54: mirrors.index.docker.io: is another name of docker.io, which has the mirror a.example.com: keep one of them
   8 | mirrors: {docker.io: a.example.com, index.docker.io: b.example.com}
                                                            ^`,
		},
		{
			name: "a mirror that is no registry",
			file: buildFile + "mirrors: {docker.io: Mirror/Hub}\n",
			want: `samforge.yaml:8:22: mirrors.docker.io: "Mirror/Hub" is not a registry with or without a path: invalid reference format: repository name (Hub/image) must be lowercase
   8 | mirrors: {docker.io: Mirror/Hub}
                            ^`,
		},
		{
			name: "a registry is mirrored by a URL",
			file: buildFile + "mirrors:\n  public.ecr.aws: https://mirror.example.com/ecr\n",
			want: `samforge.yaml:9:19: mirrors.public.ecr.aws: "https://mirror.example.com/ecr" cannot replace "public.ecr.aws": a registry is replaced by a registry, a URL prefix by a URL prefix
   9 |   public.ecr.aws: https://mirror.example.com/ecr
                         ^`,
		},
		{
			name: "a mirror is for the web site of Docker Hub",
			file: buildFile + "mirrors: {hub.docker.com/library: mirror.example.com}\n",
			want: `samforge.yaml:8:35: mirrors.hub.docker.com/library: hub.docker.com is not a registry, and no image would match it: write docker.io for Docker Hub
   8 | mirrors: {hub.docker.com/library: mirror.example.com}
                                         ^`,
		},
		{
			name: "a mirror is empty",
			file: buildFile + "mirrors: {docker.io: ''}\n",
			want: `samforge.yaml:8:22: mirrors.docker.io: "" cannot replace "docker.io": a registry is replaced by a registry, a URL prefix by a URL prefix
   8 | mirrors: {docker.io: ''}
                            ^`,
		},

		// Several at once.
		{
			name: "all mistakes are told together",
			file: "knd: sam\nplugin: [a]\n",
			want: `samforge.yaml:1:1: unknown key "knd": did you mean "kind"?
   1 | knd: sam
       ^
samforge.yaml:2:9: plugin: expected a mapping of keys to values, found a list
   2 | plugin: [a]
               ^`,
		},
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range mistakes() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := llbgen.Load("samforge.yaml", []byte(test.file), nil)
			wantError(t, err, test.want)
			var d *source.Diagnostic
			if !errors.As(err, &d) || (d.Ranges() != nil) != (d.Line > 0) {
				t.Errorf("%v is no Diagnostic with the place it tells", err)
			}
		})
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// TestWaysToWriteIt reads files that say the same as buildFile in other forms.
func TestWaysToWriteIt(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"as JSON": `{
	"kind": "sam",
	"plugin": {"image": "harness/aws-sam-plugin:1.1.2-beta-base-image", "version": "1.1.2"},
	"repo": "registry.example.com/ci/aws-sam-plugin",
	"runtimes": [{"image": "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138"}]
}`,
		"with an anchor and an alias": strings.Replace(strings.Replace(buildFile, "version: 1.1.2", "version: &v 1.1.2", 1),
			"repo:", "goTemplate: false\ndocker: {version: 28.5.2}\nlabels: {v: *v}\nrepo:", 1),
		"with Windows line breaks":      strings.ReplaceAll(buildFile, "\n", "\r\n"),
		"with a byte order mark":        "\ufeff" + buildFile,
		"with a syntax line":            "# syntax=registry.example.com/samforge-frontend:1\n" + buildFile,
		"with nulls for what is unset":  buildFile + "docker: null\ngoTemplate: ~\nmirrors:\nlabels:\n",
		"with true for what is default": buildFile + "docker: true\ngoTemplate: true\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, file, nil)
			f := plan.File
			if f.Kind != "sam" || f.Plugin.Version != "1.1.2" || f.Repo != "registry.example.com/ci/aws-sam-plugin" ||
				f.Docker.Version != llbgen.DefaultDockerVersion || len(plan.Targets) != 1 || plan.Targets[0].Name != "nodejs22.x" {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestFalseLeavesOut(t *testing.T) {
	t.Parallel()
	f := load(t, buildFile+"docker: false\ngoTemplate: false\n", nil).File
	if !f.Docker.Disabled || f.Docker.Version != "" || !f.GoTemplate.Disabled || f.GoTemplate.Version != "" {
		t.Errorf("got docker %+v, goTemplate %+v", f.Docker, f.GoTemplate)
	}
}

func TestNumbersStayAsWritten(t *testing.T) {
	t.Parallel()
	plan := load(t, strings.Replace(buildFile, "version: 1.1.2", "version: 1.10", 1), nil)
	if got := plan.File.Plugin.Version; got != "1.10" {
		t.Errorf("version is %q, want 1.10", got)
	}
}

func TestTheLineShownIsTheOneMeant(t *testing.T) {
	t.Parallel()
	for name, lineBreak := range map[string]string{
		"Unix": "\n", "Windows": "\r\n", "old Mac": "\r", "NEL": "\u0085", "line separator": "\u2028",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := llbgen.Load("samforge.yaml", []byte("kind: sam"+lineBreak+"rep: x"+lineBreak), nil)
			wantError(t, err, "samforge.yaml:2:1: unknown key \"rep\": did you mean \"repo\"?\n   2 | rep: x\n       ^")
		})
	}
}
