package llbgen_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// found returns the messages of a rule's findings.
func found(rule string, warnings []*source.Diagnostic) (messages []string) {
	for _, w := range warnings {
		if w.Rule == rule {
			messages = append(messages, w.Message)
		}
	}
	return messages
}

// cleanFile is a build file without findings.
const cleanFile = `kind: sam
plugin: {image: 'harness/aws-sam-plugin:1.1.2-beta-base-image', version: 1.1.2-beta}
repo: registry.example.com/ci/aws-sam-plugin
runtimes: [{image: 'public.ecr.aws/sam/build-java21:1.144.0-20250911030138'}]
goTemplate: false
`

const (
	lambdaNode18 = "public.ecr.aws/lambda/nodejs:18.2025.05.04.04"
	lambdaNode20 = "public.ecr.aws/lambda/nodejs:20.2025.03.25.16"
	lambdaNode22 = "public.ecr.aws/lambda/nodejs:22.2025.08.04.11"
)

// cleanPair is the same for a pair of images that go together.
var cleanPair = strings.NewReplacer("python3.12:1.143.0", "python3.13:1.143.0", "version: 3.39.0", "version: 3.40.0",
	"public.ecr.aws/sam/build-nodejs22.x:1.142.1-20250701194712", lambdaNode22).Replace(
	serverlessFile("python3.12", "nodejs22.x", "goTemplate: false\n"))

// TestRules has a row for each thing that a rule finds, and rows for similar things that are right.
func TestRules(t *testing.T) {
	t.Parallel()
	const sum = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	replace := func(file, old, new string) string {
		if !strings.Contains(file, old) {
			t.Fatalf("%q is not in the build file", old)
		}
		return strings.Replace(file, old, new, 1)
	}
	base := func(ref string) string {
		return replace(cleanFile, "'public.ecr.aws/sam/build-java21:1.144.0-20250911030138'", "'"+ref+"', name: java21, samVersion: 1.144.0")
	}
	node := func(ref string) string {
		return replace(cleanPair, lambdaNode22, ref)
	}
	plugin := func(image, version string) string {
		return replace(cleanFile, "{image: 'harness/aws-sam-plugin:1.1.2-beta-base-image', version: 1.1.2-beta}", "{image: '"+image+"', version: "+version+"}")
	}
	with := func(more string) string { return cleanFile + more + "\n" }
	goTemplate := func(more string) string { return replace(cleanFile, "goTemplate: false", "goTemplate: "+more) }
	for _, test := range []struct {
		name string
		file string
		arg  string // NAME=VALUE
		rule string
		want string // in the message; empty where all is well
		line int
	}{
		{name: "nothing", file: cleanFile},
		{name: "nothing of a pair", file: cleanPair},

		{name: "an image without a tag", file: base("public.ecr.aws/sam/build-java21"), rule: llbgen.RuleUnpinnedBase, want: "public.ecr.aws/sam/build-java21 has no tag, which means latest", line: 4},
		{name: "latest", file: base("public.ecr.aws/sam/build-java21:latest-x86_64"), rule: llbgen.RuleUnpinnedBase, want: "the tag latest-x86_64 moves", line: 4},
		{name: "a version of the SAM CLI", file: base("public.ecr.aws/sam/build-java21:1.144.0"), rule: llbgen.RuleUnpinnedBase, want: "the tag 1.144.0 moves when AWS builds the image again", line: 4},
		{name: "a tag of one's own", file: base("public.ecr.aws/sam/build-java21:2025-11-01")},
		{name: "a digest", file: base("public.ecr.aws/sam/build-java21@sha256:" + sum)},
		{name: "latest with a digest", file: base("public.ecr.aws/sam/build-java21:latest@sha256:" + sum)},
		{name: "a node image that moves", file: node("public.ecr.aws/lambda/nodejs:latest"), rule: llbgen.RuleUnpinnedBase, want: "the tag latest moves", line: 8},
		{name: "a Lambda base image that moves", file: node("public.ecr.aws/lambda/nodejs:22-arm64"), rule: llbgen.RuleUnpinnedBase, want: "the tag 22-arm64 moves when AWS builds the image again: use one with the time of a build, such as 22.2025.08.04.11", line: 8},
		{name: "a Lambda base image of one architecture", file: node(lambdaNode22 + "-x86_64")},
		{name: "a Lambda base image by its digest", file: node("public.ecr.aws/lambda/nodejs:22@sha256:" + sum)},
		{name: "a plugin image that moves", file: plugin("acme/sam-plugin:1", "1.1.2"), rule: llbgen.RuleUnpinnedBase, want: "the tag 1 moves from image to image", line: 2},
		{name: "a plugin image by a commit", file: plugin("acme/sam-plugin:4f798b3", "1.1.2")},
		{name: "a plugin image by a day", file: plugin("acme/sam-plugin:20250911", "1.1.2")},
		{name: "a Docker version that moves", file: with("docker: {version: '28'}"), rule: llbgen.RuleUnpinnedBase, want: "the tag 28-cli moves", line: 6},
		{name: "a Docker image that moves", file: with("docker: {image: 'docker:cli'}"), rule: llbgen.RuleUnpinnedBase, want: "the tag cli moves", line: 6},

		{name: "an image of one's own", file: base("acme/java:21.0.4"), rule: llbgen.RuleUnofficialBase, want: "acme/java:21.0.4 is not in the gallery public.ecr.aws/sam", line: 4},
		{name: "another image of AWS's", file: base("public.ecr.aws/lambda/build-java21:1.144.0-20250911030138"), rule: llbgen.RuleUnofficialBase, want: "is not in the gallery", line: 4},
		{name: "a copy that nothing says is one", file: base("mirror.example.com/ecr/sam/build-java21:1.144.0-20250911030138"), rule: llbgen.RuleUnofficialBase, want: "is not in the gallery", line: 4},
		{name: "a mirror", file: base("mirror.example.com/ecr/sam/build-java21:1.144.0-20250911030138") + "mirrors: {public.ecr.aws: mirror.example.com/ecr}\n"},
		{name: "a mirror of one image on Docker Hub", file: base("acme/build-java21:1.144.0-20250911030138") + "mirrors: {public.ecr.aws/sam/build-java21: acme/build-java21}\n"},
		{name: "a node image of one's own", file: "# check=skip=LargeNodeImage\n" + node("acme/build-nodejs22.x:1.144.0-20250911030138"), rule: llbgen.RuleUnofficialBase, want: "acme/build-nodejs22.x:1.144.0-20250911030138 is not", line: 9},
		{name: "a copy of a Lambda base image", file: node("acme/lambda/nodejs:22.2025.08.04.11"), rule: llbgen.RuleUnofficialBase, want: "acme/lambda/nodejs:22.2025.08.04.11 is in neither of the galleries public.ecr.aws/sam and public.ecr.aws/lambda", line: 8},
		{name: "a mirror of a Lambda base image", file: node("mirror.example.com/ecr/lambda/nodejs:22.2025.08.04.11") + "mirrors: {public.ecr.aws: mirror.example.com/ecr}\n"},
		{name: "a mirror that flattens the name of a Lambda base image", file: node("mirror.example.com/lambda-nodejs:22.2025.08.04.11") + "mirrors: {public.ecr.aws/lambda/nodejs: mirror.example.com/lambda-nodejs}\n"},

		{name: "a SAM image for its Node.js alone", file: node("public.ecr.aws/sam/build-nodejs22.x:1.142.1-20250701194712"), rule: llbgen.RuleLargeNodeImage, want: "use public.ecr.aws/lambda/nodejs:22.2025.08.04.11 or a newer build", line: 8},
		{name: "a SAM image that is a runtime image too", file: node("public.ecr.aws/sam/build-nodejs22.x:1.142.1-20250701194712") + "  - image: public.ecr.aws/sam/build-nodejs22.x:1.142.1-20250701194712\n    node: " + lambdaNode22 + "\n"},

		{name: "a runtime past its day", file: strings.ReplaceAll(cleanFile, "java21", "ruby3.2"), rule: llbgen.RuleRuntimeEndOfLife, want: "ruby3.2 is past its end of life, 2026-03-31: move to ruby4.0", line: 4},
		{name: "a node image past its day", file: node(lambdaNode20), rule: llbgen.RuleRuntimeEndOfLife, want: "nodejs20.x is past its end of life, 2026-04-30: use nodejs24.x or nodejs22.x", line: 8},
		{name: "the best node image for an old runtime", file: strings.NewReplacer("python3.13", "java17", lambdaNode22, lambdaNode18).Replace(cleanPair)},

		{name: "a runtime that is not known", file: strings.ReplaceAll(cleanFile, "java21", "java27"), rule: llbgen.RuleUnknownRuntime, want: `the runtime "java27" is not in the catalogue`, line: 4},
		{name: "a pair that works by luck", file: strings.NewReplacer("python3.13", "nodejs24.x", "goTemplate", "node: {layout: isolated}\ngoTemplate").Replace(cleanPair), rule: llbgen.RuleUnknownPair, want: "nodejs22.x on nodejs24.x is not a pair that is known to work", line: 9},
		{name: "the merged layout", file: "# check=experimental=OverwritesBase\n" + cleanPair, rule: llbgen.RuleOverwritesBase, want: "/var/lang and /opt of the node image lie over those of the runtime image", line: 9},
		{name: "the isolated layout", file: "# check=experimental=all\n" + cleanPair + "node: {layout: isolated}\n"},

		{name: "go-template without a checksum", file: goTemplate("{version: v0.4.15}"), rule: llbgen.RuleUnverifiedDownload, want: "go-template v0.4.15 is not checked against a known checksum", line: 5},
		{name: "go-template with a checksum", file: goTemplate("{version: v0.4.15, sha256: {arm64: " + sum + "}}")},
		{name: "go-template with the checksum of another architecture", file: strings.Replace(goTemplate("{version: v0.4.15, sha256: {arm64: "+sum+"}}"), "030138", "030138-x86_64", 1), rule: llbgen.RuleUnverifiedDownload, want: "go-template v0.4.15", line: 5},
		{name: "an archive without a checksum", file: with("docker: {archive: 'https://files.example.com/docker.tgz'}"), rule: llbgen.RuleUnverifiedDownload, want: "https://files.example.com/docker.tgz is not checked", line: 6},
		{name: "an archive whose checksum is known", file: with("docker: {version: 28.5.2, archive: 'https://download.docker.com/linux/static/stable/{{.Machine}}/docker-{{.Version}}.tgz'}")},
		{name: "Serverless Framework 4 without a checksum", file: replace(cleanPair, "version: 3.40.0", "version: 4.18.0"), rule: llbgen.RuleUnverifiedDownload, want: "Serverless Framework 4.18.0 is not checked", line: 4},
		{name: "Serverless Framework 4 with a checksum", file: replace(cleanPair, "version: 3.40.0", "version: 4.18.0, sha256: "+sum)},
		{name: "a framework without a lock", file: replace(cleanPair, "version: 3.40.0", "version: 3.37.0"), rule: llbgen.RuleUnverifiedDownload, want: "npm resolves it afresh", line: 4},
		{name: "a framework with a lock of one's own", file: replace(cleanPair, "version: 3.40.0", "version: 3.37.0, lock: package-lock.json")},

		{name: "an old Docker version", file: with("docker: {version: 24.0.9}"), rule: llbgen.RuleOldDockerCLI, want: "Docker CLI 24 is older than API 1.44", line: 6},
		{name: "an old Docker image", file: with("docker: {image: 'docker:20.10.24-cli'}"), rule: llbgen.RuleOldDockerCLI, want: "Docker CLI 20", line: 6},
		{name: "an old Docker archive", file: with("docker: {archive: 'https://download.docker.com/linux/static/stable/{{.Machine}}/docker-20.10.24.tgz'}"), rule: llbgen.RuleOldDockerCLI, want: "Docker CLI 20", line: 6},
		{name: "the oldest Docker that will do", file: with("docker: {version: 25.0.0}")},
		{name: "an image with a count of its own", file: with("docker: {image: 'acme/docker-tools:2.0.1'}")},
		{name: "no Docker", file: with("docker: false")},

		{name: "an old go-template", file: goTemplate("{version: v0.4.7, sha256: {amd64: " + sum + "}}"), rule: llbgen.RuleOldGoTemplate, want: "go-template v0.4.7 has known vulnerabilities", line: 5},
		{name: "an old go-template by its argument", file: goTemplate("{version: v0.4.8, sha256: {amd64: " + sum + "}}"), arg: "HARNESS_GO_PLUGIN_VERSION=v0.4.5", rule: llbgen.RuleOldGoTemplate, want: "go-template v0.4.5 has known vulnerabilities"},

		{name: "a secret", file: cleanFile, arg: "GITHUB_TOKEN=hunter2", rule: llbgen.RuleSecretInBuildArg, want: "this looks like a secret"},
		{name: "a password in the address of a proxy", file: cleanFile, arg: "HTTPS_PROXY=http://ci:hunter2@proxy.example.com:3128", rule: llbgen.RuleSecretInBuildArg, want: "the address has a password in it"},
		{name: "a proxy", file: cleanFile, arg: "HTTPS_PROXY=http://proxy.example.com:3128"},
		{name: "an argument that nothing uses", file: cleanFile, arg: "PUBLIC_KEY_FILE=a", rule: llbgen.RuleUnusedBuildArg, want: "build argument PUBLIC_KEY_FILE is not used"},

		{name: "a tag that drops beta", file: plugin("harness/aws-sam-plugin:1.1.2-beta-base-image", "1.1.2"), rule: llbgen.RuleTagDropsVersion, want: "the tags say 1.1.2, and the plugin image is 1.1.2-beta", line: 2},
		{name: "a tag that drops a number", file: plugin("harness/aws-cdk-plugin:v1.1.2-base-amd64", "1.1"), rule: llbgen.RuleTagDropsVersion, want: "the tags say 1.1, and the plugin image is 1.1.2", line: 2},
		{name: "a variant of the image", file: plugin("acme/sam-plugin:1.1.2-slim", "1.1.2")},
		{name: "a number that goes on", file: plugin("acme/sam-plugin:1.1.20", "1.1.2")},
		{name: "a count of one's own", file: plugin("harness/aws-sam-plugin:1.1.2-beta-base-image", "2025.9")},

		{name: "a rule that is misspelt", file: "# check=skip=UnpinedBase\n" + cleanFile, rule: llbgen.RuleUnknownRule, want: `there is no rule "UnpinedBase": did you mean "UnpinnedBase"?`, line: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := map[string]string{}
			if name, value, ok := strings.Cut(test.arg, "="); ok {
				args[name] = value
			}
			check := func(file string) []*source.Diagnostic {
				plan := load(t, file, args)
				return plan.Findings(plan.Targets...)
			}
			findings := check(test.file)
			for _, d := range findings {
				if strings.Contains(d.Error(), "hunter2") {
					t.Errorf("the secret is shown: %v", d)
				}
			}
			if test.want == "" {
				if len(findings) > 0 {
					t.Errorf("there are findings: %v", findings)
				}
				return
			}
			i := slices.IndexFunc(findings, func(d *source.Diagnostic) bool { return d.Rule == test.rule })
			if i < 0 || !strings.Contains(findings[i].Message, test.want) || findings[i].Line != test.line {
				t.Fatalf("the findings are %v; want one of %s on line %d that tells %q", findings, test.rule, test.line, test.want)
			}
			if strings.HasPrefix(test.file, "#") {
				return // the rule was asked for in the place of being skipped
			}
			if left := found(test.rule, check("# check=skip="+test.rule+"\n"+test.file)); len(left) > 0 {
				t.Errorf("skipped, it finds %v", left)
			}
		})
	}
}

// What is past its end of life depends on the day, which the caller gives.
func TestTodayDecidesWhatIsPastItsEndOfLife(t *testing.T) {
	t.Parallel()
	for day, want := range map[string]int{"2027-04-29": 0, "2027-04-30": 1} {
		today, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := llbgen.Load("samforge.yaml", []byte(strings.ReplaceAll(cleanFile, "java21", "nodejs22.x")), nil, llbgen.Today(today))
		if err != nil {
			t.Fatal(err)
		}
		if got := found(llbgen.RuleRuntimeEndOfLife, plan.Warnings); len(got) != want {
			t.Errorf("on %s: %v, want %d", day, got, want)
		}
	}
}

func TestWhichRulesCount(t *testing.T) {
	t.Parallel()
	bad := strings.NewReplacer("python3.13", "ruby3.3", lambdaNode22, lambdaNode20, "version: 1.1.0-beta", "version: 1.1.0").Replace(cleanPair)
	for name, test := range map[string]struct {
		head, arg string
		want      []string
	}{
		"as it is":                         {"", "", []string{"TagDropsVersion", "RuntimeEndOfLife"}},
		"one is skipped":                   {"# check=skip=TagDropsVersion\n", "", []string{"RuntimeEndOfLife"}},
		"after the syntax":                 {"# syntax=example.com/frontend\n#check = skip=TagDropsVersion, RuntimeEndOfLife\n", "", nil},
		"before the syntax":                {"# check=skip=all\r\n# syntax=example.com/frontend\r\n", "", nil},
		"behind a byte order mark":         {"\ufeff# check=skip=all\n", "", nil},
		"behind a comment":                 {"# Our images.\n#\n\n#Check = skip=all \r\n", "", nil},
		"behind a version of YAML":         {"%YAML 1.2\n# check=skip=all\n---\n", "", nil},
		"behind the start of the document": {"%YAML 1.2\n---\n# check=skip=all\n", "", nil},
		"too late":                         {"labels: {a: b}\n# check=skip=all\n", "", []string{"UnknownRule", "TagDropsVersion", "RuntimeEndOfLife"}},
		"an experimental one":              {"# check=experimental=OverwritesBase;skip=TagDropsVersion\n", "", []string{"OverwritesBase", "RuntimeEndOfLife"}},
		"nothing but experimental ones":    {"# check=skip=all;experimental=all\n", "", []string{"OverwritesBase"}},
		"the argument wins":                {"# check=skip=all\n", "skip=RuntimeEndOfLife", []string{"TagDropsVersion"}},
		"the empty argument wins too":      {"# check=skip=all\n", "-", []string{"TagDropsVersion", "RuntimeEndOfLife"}},
	} {
		args := map[string]string{}
		if test.arg != "" {
			args["BUILDKIT_DOCKERFILE_CHECK"] = strings.Trim(test.arg, "-")
		}
		var got []string
		for _, d := range load(t, test.head+bad, args).Warnings {
			got = append(got, d.Rule)
		}
		slices.Sort(got)
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: the findings are of %q, want %q", name, got, test.want)
		}
	}
}

func TestMistakesInTheCheckDirective(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ head, arg, want string }{
		"an option that there is not": {"# syntax=x\n# check=skp=all\n", "", `samforge.yaml:2:1: invalid check option "skp": write skip=RULE,RULE;experimental=RULE;error=true, or a part of it
   2 | # check=skp=all
       ^`},
		"no truth":                  {"# check=error=maybe\n", "", `samforge.yaml:1:1: failed to parse check option "error=maybe"`},
		"very many names":           {"# check=skip=" + strings.Repeat("a,", 900_000) + "a\n", "", "samforge.yaml:1:1: the check directive names 900001 rules, and at most 100 can be named: write skip=all for all"},
		"two of them":               {"# check=skip=all\n# check=skip=all\n", "", "samforge.yaml:2:1: there is a check directive on line 1 already: write all in one"},
		"a mistake in the argument": {"", "skip", `build argument BUILDKIT_DOCKERFILE_CHECK: invalid check option "skip"`},
	} {
		args := map[string]string{}
		if test.arg != "" {
			args["BUILDKIT_DOCKERFILE_CHECK"] = test.arg
		}
		_, err := llbgen.Load("samforge.yaml", []byte(test.head+cleanFile), args)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: the error is\n%v\nwant\n%s", name, err, test.want)
		}
	}
}

// With error=true findings fail a build, whether they are made before or during the build. Other
// warnings do not.
func TestFindingsFailTheBuildOnDemand(t *testing.T) {
	t.Parallel()
	file := strings.NewReplacer("1.1.2-beta}", "1.1.2}", "goTemplate: false", "goTemplate: {version: v0.4.15}").Replace(cleanFile)
	for head, want := range map[string][2]string{
		"":                     {"", ""},
		"# check=error=true\n": {"TagDropsVersion, UnverifiedDownload", "UnverifiedDownload"},
		"# check=skip=TagDropsVersion;error=true\n": {"UnverifiedDownload", "UnverifiedDownload"},
		"# check=skip=all;error=true\n":             {"", ""},
	} {
		plan := load(t, head+file, nil)
		opt := fakeOptions(plan, "linux/amd64")
		opt.NoMerge = true
		for i, warnings := range [][]*source.Diagnostic{plan.Findings(plan.Targets...), build(t, plan, opt).Warnings} {
			err := plan.Violation(warnings)
			var lint *llbgen.LintError
			switch {
			case want[i] == "" && err != nil:
				t.Errorf("%q: the error is %v", head, err)
			case want[i] != "" && (!errors.As(err, &lint) || err.Error() != "lint violation found for rules: "+want[i]):
				t.Errorf("%q: the error is %v, want one for the rules %s", head, err, want[i])
			}
		}
	}
}

// A build gets the warnings about its own runtime, and not about the others in the build file.
func TestWarningsOfATarget(t *testing.T) {
	t.Parallel()
	plan, err := loadRuntimes("{image: 'public.ecr.aws/sam/build-ruby3.2:1.144.0-20250911030138'}", "{image: 'public.ecr.aws/sam/build-java21:1.144.0-20250911030138'}")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{{"TagDropsVersion", "RuntimeEndOfLife"}, {"TagDropsVersion"}} {
		var got []string
		for _, d := range plan.WarningsOf(plan.Targets[i]) {
			got = append(got, d.Rule)
		}
		if !slices.Equal(got, want) {
			t.Errorf("target %s: the warnings are of %q, want %q", plan.Targets[i].Name, got, want)
		}
	}
}

// A finding in an image is reported although the rule is experimental.
func TestFindingOfWhatWasSeen(t *testing.T) {
	t.Parallel()
	seen := errors.New("it replaces a file")
	d := load(t, cleanFile, nil).Finding(llbgen.RuleOverwritesBase, "plugin.image", seen)
	if d == nil || d.Rule != llbgen.RuleOverwritesBase || d.Line != 2 || !errors.Is(d, seen) {
		t.Errorf("the finding is %v", d)
	}
	if d := load(t, "# check=skip=OverwritesBase\n"+cleanFile, nil).Finding(llbgen.RuleOverwritesBase, "plugin.image", seen); d != nil {
		t.Errorf("skipped, it is %v", d)
	}
}

// The examples are those of the published pipelines. These are the findings.
func TestFindingsOfTheExamples(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"sam/samforge.yaml": {
			"UnverifiedDownload: go-template v0.4.15 is not checked against a known checksum: run samforge lock, or give goTemplate.sha256",
		},
		"sam/matrix.yaml": {
			"UnverifiedDownload: go-template v0.4.15 is not checked against a known checksum: run samforge lock, or give goTemplate.sha256",
		},
		"serverless/samforge.yaml": {
			"UnverifiedDownload: go-template v0.4.15 is not checked against a known checksum: run samforge lock, or give goTemplate.sha256",
			"RuntimeEndOfLife: nodejs18.x is past its end of life, 2025-09-01: move to nodejs24.x",
			"RuntimeEndOfLife: nodejs20.x is past its end of life, 2026-04-30: move to nodejs24.x",
			"RuntimeEndOfLife: nodejs20.x is past its end of life, 2026-04-30: use nodejs24.x or nodejs22.x",
			"RuntimeEndOfLife: ruby3.2 is past its end of life, 2026-03-31: move to ruby4.0",
		},
	} {
		data, err := os.ReadFile("../examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		plan := load(t, string(data), nil)
		for _, d := range plan.Findings(plan.Targets...) {
			got = append(got, d.Rule+": "+d.Message)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s (-want +got):\n%s", name, diff(strings.Join(got, "\n"), strings.Join(want, "\n")))
		}
	}
}
