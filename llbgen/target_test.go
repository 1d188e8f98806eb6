package llbgen_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

func TestTargetNames(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ entries, want []string }{
		"a target is named after its runtime": {
			[]string{"{image: public.ecr.aws/sam/build-nodejs22.x:1.144.0}", "{image: public.ecr.aws/sam/build-java8.al2:1.144.0}"},
			[]string{"nodejs22.x", "java8.al2"},
		},
		"a name given by hand is the runtime's": {
			[]string{"{image: acme/base:stable, name: python3.12, samVersion: 1.144.0}"},
			[]string{"python3.12"},
		},
		"the SAM version tells two of a runtime apart": {
			[]string{"{image: public.ecr.aws/sam/build-java21:1.143.0}", "{image: public.ecr.aws/sam/build-java21:1.144.0}", "{image: public.ecr.aws/sam/build-java17:1.144.0}"},
			[]string{"java21-1.143.0", "java21-1.144.0", "java17"},
		},
		"the architecture tells two of a version apart": {
			[]string{"{image: public.ecr.aws/sam/build-java21:1.144.0-x86_64}", "{image: public.ecr.aws/sam/build-java21:1.144.0-arm64}", "{image: public.ecr.aws/sam/build-java21:1.143.0}"},
			[]string{"java21-1.144.0-amd64", "java21-1.144.0-arm64", "java21-1.143.0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := loadRuntimes(test.entries...)
			if err != nil {
				t.Fatal(err)
			}
			if got := targetNames(plan.Targets); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// TestRuntimeMistakes: the entries of `runtimes` begin on line 7.
func TestRuntimeMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		entries []string
		want    string
	}{
		{
			name:    "two entries would have the same tag",
			entries: []string{"{image: 'public.ecr.aws/sam/build-java21:1.144.0'}", "{image: 'mirror.example.com/build-java21:1.144.0-20250911030138'}"},
			want: `samforge.yaml:8:5: runtimes[1]: gives the same tag as runtimes[0] (1.1.2-java21-1.144.0): one image would overwrite the other; drop one, or set name
   8 |   - {image: 'mirror.example.com/build-java21:1.144.0-20250911030138'}
           ^`,
		},
		{
			name:    "one entry has both architectures and another one of them",
			entries: []string{"{image: 'public.ecr.aws/sam/build-java21:1.144.0'}", "{image: 'public.ecr.aws/sam/build-java21:1.144.0-arm64'}"},
			want: `samforge.yaml:8:5: runtimes[1]: gives the same tag as runtimes[0] (1.1.2-java21-1.144.0): one image would overwrite the other; drop one, or set name
   8 |   - {image: 'public.ecr.aws/sam/build-java21:1.144.0-arm64'}
           ^`,
		},
		{
			name:    "the tag is latest",
			entries: []string{"image: public.ecr.aws/sam/build-java21:latest-x86_64"},
			want: `samforge.yaml:7:12: runtimes[0].image: no SAM CLI version can be read from "public.ecr.aws/sam/build-java21:latest-x86_64": use a tag that begins with one, such as 1.143.0-20250822194415, or set runtimes[0].samVersion by hand
   7 |   - image: public.ecr.aws/sam/build-java21:latest-x86_64
                  ^`,
		},
		{
			name:    "a mirror does not say build-",
			entries: []string{"image: mirror.example.com/sam/java21:1.144.0"},
			want: `samforge.yaml:7:12: runtimes[0].image: no runtime can be read from "mirror.example.com/sam/java21:1.144.0" (it has no build-<runtime>): set runtimes[0].name by hand, such as name: java21
   7 |   - image: mirror.example.com/sam/java21:1.144.0
                  ^`,
		},
		{
			name:    "the image is no reference",
			entries: []string{"image: https://public.ecr.aws/sam/build-java21:1.144.0"},
			want: `samforge.yaml:7:12: runtimes[0].image: "https://public.ecr.aws/sam/build-java21:1.144.0" is not an image reference: it is a URL: leave out what stands before the registry's host name
   7 |   - image: https://public.ecr.aws/sam/build-java21:1.144.0
                  ^`,
		},
		{
			name:    "a name is no runtime's",
			entries: []string{"{image: public.ecr.aws/sam/build-java21:1.144.0, name: Java 21}"},
			want: `samforge.yaml:7:60: runtimes[0].name: "Java 21" is not the name of a runtime, such as python3.12
   7 |   - {image: public.ecr.aws/sam/build-java21:1.144.0, name: Java 21}
                                                                  ^`,
		},
		{
			name:    "a SAM version cannot be part of a tag",
			entries: []string{"{image: public.ecr.aws/sam/build-java21, samVersion: 1.144+1}"},
			want: `samforge.yaml:7:58: runtimes[0].samVersion: "1.144+1" cannot be part of a tag: use a version such as 1.143.0
   7 |   - {image: public.ecr.aws/sam/build-java21, samVersion: 1.144+1}
                                                                ^`,
		},
		{
			name:    "the runtime never had that architecture",
			entries: []string{"image: public.ecr.aws/sam/build-python3.7:1.100.0-arm64"},
			want: `samforge.yaml:7:12: runtimes[0].image: python3.7 exists for amd64 only
   7 |   - image: public.ecr.aws/sam/build-python3.7:1.100.0-arm64
                  ^`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := loadRuntimes(test.entries...)
			wantError(t, err, test.want)
		})
	}
}

func TestRuntimeWarnings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ entry, rule, want string }{
		"the runtime is misspelt or new": {
			"image: public.ecr.aws/sam/build-nodejs28.x:1.200.0", llbgen.RuleUnknownRuntime,
			`the runtime "nodejs28.x" is not in the catalogue (did you mean "nodejs24.x"?): it is built as it is`,
		},
		"the runtime is like no other": {
			"image: public.ecr.aws/sam/build-cobol85:1.200.0", llbgen.RuleUnknownRuntime,
			`the runtime "cobol85" is not in the catalogue: it is built as it is`,
		},
		"the runtime is no longer published": {
			"image: public.ecr.aws/sam/build-python3.7:1.100.0-x86_64", llbgen.RuleRuntimeEndOfLife,
			"AWS no longer publishes images for python3.7: it stays at its last version",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := loadRuntimes(test.entry)
			if err != nil {
				t.Fatal(err)
			}
			if got := found(test.rule, plan.Warnings); len(got) != 1 || got[0] != test.want {
				t.Errorf("got %v, want %q", plan.Warnings, test.want)
			}
		})
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	const (
		both   = "image: public.ecr.aws/sam/build-java21:1.144.0"
		x86    = "image: public.ecr.aws/sam/build-java21:1.144.0-x86_64"
		python = "image: public.ecr.aws/sam/build-python3.7:1.100.0"
	)
	for _, test := range []struct {
		name, entry string
		asked       []string
		fallback    string
		want        []string
		err         string
	}{
		{name: "none asked for is the fallback", entry: both, fallback: "linux/arm64", want: []string{"linux/arm64"}},
		{name: "none asked for is what the tag says", entry: x86, fallback: "linux/arm64", want: []string{"linux/amd64"}},
		{name: "both are asked for", entry: both, asked: []string{"linux/amd64", "linux/arm64"}, want: []string{"linux/amd64", "linux/arm64"}},
		{name: "other names are understood", entry: both, asked: []string{"linux/x86_64", "linux/aarch64", "linux/arm64/v8"}, want: []string{"linux/amd64", "linux/arm64"}},
		{
			name: "the tag says x86_64 and arm64 is asked for", entry: x86, asked: []string{"linux/amd64", "linux/arm64"},
			err: `samforge.yaml:7:12: runtimes[0].image: target java21 cannot be built for linux/arm64: its base image public.ecr.aws/sam/build-java21:1.144.0-x86_64 is for linux/amd64 only; a tag without -x86_64 or -arm64 has both
   7 |   - image: public.ecr.aws/sam/build-java21:1.144.0-x86_64
                  ^`,
		},
		{
			name: "no image is for this operating system", entry: both, fallback: "darwin/arm64",
			err: `samforge.yaml:7:12: runtimes[0].image: target java21 cannot be built for darwin/arm64: SAM images exist for linux/amd64 and linux/arm64
   7 |   - image: public.ecr.aws/sam/build-java21:1.144.0
                  ^`,
		},
		{
			name: "no image is for this architecture", entry: both, asked: []string{"linux/riscv64"},
			err: `samforge.yaml:7:12: runtimes[0].image: target java21 cannot be built for linux/riscv64: SAM images exist for linux/amd64 and linux/arm64
   7 |   - image: public.ecr.aws/sam/build-java21:1.144.0
                  ^`,
		},
		{
			name: "the runtime never had this architecture", entry: python, asked: []string{"linux/arm64"},
			err: `samforge.yaml:7:12: runtimes[0].image: target python3.7 cannot be built for linux/arm64: python3.7 exists for amd64 only
   7 |   - image: public.ecr.aws/sam/build-python3.7:1.100.0
                  ^`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			plan, err := loadRuntimes(test.entry)
			if err != nil {
				t.Fatal(err)
			}
			var asked []ocispecs.Platform
			for _, p := range test.asked {
				asked = append(asked, parsePlatform(p))
			}
			before := slices.Clone(asked)
			found, err := plan.Platforms(plan.Targets[0], asked, parsePlatform(test.fallback))
			if test.err != "" {
				wantError(t, err, test.err)
				return
			}
			var got []string
			for _, p := range found {
				got = append(got, platforms.Format(p))
			}
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			if !slices.EqualFunc(asked, before, func(a, b ocispecs.Platform) bool { return a.Architecture == b.Architecture }) {
				t.Errorf("the platforms asked for were changed to %v", asked)
			}
		})
	}
}

// parsePlatform does not change the names: Platforms has to understand them.
func parsePlatform(s string) ocispecs.Platform {
	var p ocispecs.Platform
	p.OS, s, _ = strings.Cut(s, "/")
	p.Architecture, p.Variant, _ = strings.Cut(s, "/")
	return p
}

func TestSelect(t *testing.T) {
	t.Parallel()
	plan, err := loadRuntimes(
		"image: public.ecr.aws/sam/build-nodejs22.x:1.144.0",
		"image: public.ecr.aws/sam/build-java21:1.143.0",
		"image: public.ecr.aws/sam/build-java21:1.144.0",
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		target string
		want   []string
		err    string
	}{
		"no name selects all":                        {"", []string{"nodejs22.x", "java21-1.143.0", "java21-1.144.0"}, ""},
		"a target's name selects it":                 {"java21-1.144.0", []string{"java21-1.144.0"}, ""},
		"a runtime's name selects its targets":       {"java21", []string{"java21-1.143.0", "java21-1.144.0"}, ""},
		"a name that is nearly right is suggested":   {"nodejs22", nil, `unknown target "nodejs22": did you mean "nodejs22.x"? (targets: nodejs22.x, java21-1.143.0, java21-1.144.0)`},
		"a name that is all wrong lists the targets": {"python3.12", nil, `unknown target "python3.12" (targets: nodejs22.x, java21-1.143.0, java21-1.144.0)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			selected, err := plan.Select(test.target)
			if got := targetNames(selected); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if test.err != "" {
				wantError(t, err, test.err)
			}
		})
	}
}

func TestSelectOne(t *testing.T) {
	t.Parallel()
	plan, err := loadRuntimes("image: public.ecr.aws/sam/build-nodejs22.x:1.144.0", "image: public.ecr.aws/sam/build-java21:1.144.0")
	if err != nil {
		t.Fatal(err)
	}
	target, err := plan.SelectOne("java21")
	if err != nil || target.Name != "java21" {
		t.Errorf("got %q, %v, want java21", target.Name, err)
	}
	_, err = plan.SelectOne("")
	wantError(t, err, "samforge.yaml has several targets and one build makes one image: choose one with --target (nodejs22.x, java21)")
	_, err = plan.SelectOne("ruby3.4")
	wantError(t, err, `unknown target "ruby3.4" (targets: nodejs22.x, java21)`)
}

func TestSelectOneWithoutAFile(t *testing.T) {
	t.Parallel()
	plan, err := llbgen.Load("", []byte(buildFile+"  - image: public.ecr.aws/sam/build-java21:1.144.0\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = plan.SelectOne("")
	wantError(t, err, "the build has several targets and one build makes one image: choose one with --target (nodejs22.x, java21)")
}

func TestAtKeepsTheCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such image")
	err := load(t, buildFile, nil).At("plugin.image", cause)
	wantError(t, err, "samforge.yaml:3:10: plugin.image: no such image\n   3 |   image: harness/aws-sam-plugin:1.1.2-beta-base-image\n                ^")
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
}

func targetNames(targets []llbgen.Target) []string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Name)
	}
	return names
}
