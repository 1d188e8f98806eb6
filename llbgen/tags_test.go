package llbgen_test

import (
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/llbgen"
)

func TestReference(t *testing.T) {
	t.Parallel()
	noon := time.Date(2025, 9, 11, 14, 1, 38, 0, time.FixedZone("CEST", 2*60*60))
	for _, test := range []struct {
		name   string
		file   string
		arch   string
		tagger llbgen.Tagger
		want   string
		err    string
	}{
		{
			name: "the published pipeline's tag, without the time that it ended in",
			file: buildFile, arch: "amd64",
			want: "registry.example.com/ci/aws-sam-plugin:1.1.2-nodejs22.x-1.144.0-linux-amd64",
		},
		{
			name: "an index has no architecture",
			file: buildFile,
			want: "registry.example.com/ci/aws-sam-plugin:1.1.2-nodejs22.x-1.144.0",
		},
		{
			name: "a repository of Docker Hub stays as it was written",
			file: strings.Replace(buildFile, "registry.example.com/ci/", "acme/", 1), arch: "arm64",
			want: "acme/aws-sam-plugin:1.1.2-nodejs22.x-1.144.0-linux-arm64",
		},
		{
			name: "what a reference does not tell is set by hand",
			file: buildFile + "    name: python3.12\n    samVersion: 1.143.0\n", arch: "amd64",
			want: "registry.example.com/ci/aws-sam-plugin:1.1.2-python3.12-1.143.0-linux-amd64",
		},
		{
			name: "a template of one's own",
			file: buildFile, arch: "amd64",
			tagger: llbgen.Tagger{Template: "{{.Target}}_{{.Runtime}}_{{.SAMVersion}}_{{.Version}}_{{.Arch}}"},
			want:   "registry.example.com/ci/aws-sam-plugin:nodejs22.x_nodejs22.x_1.144.0_1.1.2_amd64",
		},
		{
			name: "the published pipeline's tag, with the time in UTC",
			file: buildFile, arch: "amd64",
			tagger: llbgen.Tagger{Template: llbgen.SAMTag + "-{{.Timestamp}}", Time: noon},
			want:   "registry.example.com/ci/aws-sam-plugin:1.1.2-nodejs22.x-1.144.0-linux-amd64-20250911120138",
		},
		{
			name: "a template may say latest",
			file: buildFile, arch: "amd64",
			tagger: llbgen.Tagger{Template: "latest"},
			want:   "registry.example.com/ci/aws-sam-plugin:latest",
		},

		// Mistakes.
		{
			name: "there is no repository",
			file: strings.Replace(buildFile, "repo: registry.example.com/ci/aws-sam-plugin\n", "", 1),
			err:  "samforge.yaml: repo: missing: name the repository to tag the images in here, with --repo or with --build-arg TARGET_REPO=…",
		},
		{
			name: "a template uses an unknown field",
			file: buildFile, tagger: llbgen.Tagger{Template: "{{.Node}}"},
			err: `tag template "{{.Node}}": there is no .Node: use .Arch, .Runtime, .SAMVersion, .Target, .Timestamp, .Variant, .Version`,
		},
		{
			name: "a template is not closed",
			file: buildFile, tagger: llbgen.Tagger{Template: "{{.Version"},
			err: `tag template "{{.Version": unclosed action`,
		},
		{
			name: "a template loops",
			file: buildFile, tagger: llbgen.Tagger{Template: "{{range 100000000000}}aaaa{{end}}"},
			err: `tag template "{{range 100000000000}}aaaa{{end}}": {{range 100000000000}}aaaa{{end}} is not allowed: use {{.NAME}}, {{with .NAME}}...{{end}} or {{if .NAME}}...{{end}}`,
		},
		{
			name: "a template makes an empty tag, as the published pipeline did of a mirror",
			file: buildFile, tagger: llbgen.Tagger{Template: "{{with .Arch}}{{.}}{{end}}"},
			err: `target nodejs22.x: "" is not a legal tag: at most 128 letters, digits, dots, dashes and underscores, with a letter or a digit first`,
		},
		{
			name: "a tag begins with a dash",
			file: buildFile, tagger: llbgen.Tagger{Template: "-{{.Version}}"},
			err: `target nodejs22.x: "-1.1.2" is not a legal tag: at most 128 letters, digits, dots, dashes and underscores, with a letter or a digit first`,
		},
		{
			name: "a tag holds a plus",
			file: buildFile, tagger: llbgen.Tagger{Template: "{{.Version}}+1"},
			err: `target nodejs22.x: "1.1.2+1" is not a legal tag: at most 128 letters, digits, dots, dashes and underscores, with a letter or a digit first`,
		},
		{
			name: "a tag ends in a line break",
			file: buildFile, tagger: llbgen.Tagger{Template: "{{.Version}}\n"},
			err: `target nodejs22.x: "1.1.2\n" is not a legal tag: at most 128 letters, digits, dots, dashes and underscores, with a letter or a digit first`,
		},
		{
			name: "a tag is too long",
			file: buildFile, tagger: llbgen.Tagger{Template: strings.Repeat("a", 129)},
			err: `target nodejs22.x: "` + strings.Repeat("a", 129) + `" is not a legal tag: at most 128 letters, digits, dots, dashes and underscores, with a letter or a digit first`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan := load(t, test.file, nil)
			got, err := plan.Reference(plan.Targets[0], test.arch, test.tagger)
			if test.err != "" {
				wantError(t, err, test.err)
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, test.want)
			}
		})
	}
}
