package llbgen_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// serverlessFile returns a build file of one pair.
func serverlessFile(runtime, node, more string) string {
	return `kind: serverless
plugin: {image: harness/serverless-plugin:1.1.0-beta-base-image, version: 1.1.0-beta}
repo: registry.example.com/ci/serverless-plugin
serverless: {version: 3.39.0}
` + more + `runtimes:
  - image: public.ecr.aws/sam/build-` + runtime + `:1.143.0-20250822194415
    node: public.ecr.aws/sam/build-` + node + `:1.142.1-20250701194712
`
}

// The pairs that the published pipeline recommends, and the valid ones that it lacks.
func TestPairsThatWork(t *testing.T) {
	t.Parallel()
	for _, pair := range []string{
		"nodejs18.x nodejs18.x", "nodejs20.x nodejs20.x", "nodejs22.x nodejs22.x", "java17 nodejs18.x", "java21 nodejs22.x",
		"python3.11 nodejs18.x", "python3.12 nodejs20.x", "java8.al2 nodejs18.x", "ruby3.2 nodejs18.x",
		"python3.13 nodejs22.x", "python3.14 nodejs24.x", "java25 nodejs24.x", "java17.al2023 nodejs22.x", "java8.al2023 nodejs20.x",
		"ruby3.3 nodejs20.x", "ruby3.4 nodejs22.x", "dotnet8 nodejs22.x", "dotnet10 nodejs24.x", "provided.al2023 nodejs22.x",
		"java11 nodejs18.x", "python3.10 nodejs18.x", "python3.9 nodejs18.x", "dotnet6 nodejs18.x", "provided.al2 nodejs18.x",
	} {
		runtime, node, _ := strings.Cut(pair, " ")
		sam := serverlessFile(runtime, node, "")
		for _, file := range []string{sam, fromLambda(sam)} {
			plan, err := llbgen.Load("samforge.yaml", []byte(file), nil)
			if err != nil {
				t.Errorf("%s: %v", pair, err)
				continue
			}
			for _, message := range found(llbgen.RuleUnknownPair, plan.Warnings) {
				t.Errorf("%s: a warning: %s", pair, message)
			}
		}
	}
}

var samNode = regexp.MustCompile(`node: public\.ecr\.aws/sam/build-nodejs(\d+)\.x:1\.142\.1-20250701194712`)

// fromLambda takes Node.js from the Lambda base image instead of the SAM image.
func fromLambda(file string) string {
	return samNode.ReplaceAllString(file, "node: public.ecr.aws/lambda/nodejs:$1.2025.05.04.04")
}

func TestPairsThatDoNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ runtime, node, more, want string }{
		"a libc that is too old": {
			"python3.11", "nodejs20.x", "",
			"samforge.yaml:7:11: runtimes[0].node: python3.11 is Amazon Linux 2 (glibc 2.26); nodejs20.x needs glibc 2.28: use nodejs18.x or nodejs16.x",
		},
		"a runtime with a newer sibling": {
			"java17", "nodejs22.x", "",
			"java17 is Amazon Linux 2 (glibc 2.26); nodejs22.x needs glibc 2.28: use nodejs18.x or nodejs16.x, or the runtime java17.al2023, which takes nodejs24.x or nodejs22.x or nodejs20.x",
		},
		"two Node.js in one place": {
			"nodejs22.x", "nodejs20.x", "",
			"nodejs22.x and nodejs20.x both have Node.js in /var/lang, and one would overwrite the other: use nodejs22.x",
		},
		"a node image without node": {
			"python3.12", "java21", "",
			"the name of public.ecr.aws/sam/build-java21:1.142.1-20250701194712 says that it has no Node.js: use a Lambda base image, such as public.ecr.aws/lambda/nodejs:24",
		},
	} {
		sam := serverlessFile(c.runtime, c.node, c.more)
		for _, file := range []string{sam, fromLambda(sam)} {
			_, err := llbgen.Load("samforge.yaml", []byte(file), nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: the error is\n%v\nwant one that says\n%s", name, err, c.want)
			}
		}
	}
}

func TestFrameworksThatNeedANewerNode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ node, framework, want string }{
		"osls":            {"nodejs18.x", "flavor: osls, version: 4.3.1", "osls 4.3.1 needs Node.js 20.19 or later, and nodejs18.x has 18"},
		"version 4":       {"nodejs16.x", "version: 4.18.0", "Serverless Framework 4.18.0 needs Node.js 18 or later, and nodejs16.x has 16"},
		"version 4 on 18": {"nodejs18.x", "version: 4.18.0", ""},
		"version 3 on 18": {"nodejs18.x", "version: 3.39.0", ""},
	} {
		file := strings.Replace(serverlessFile("java17", c.node, ""), "version: 3.39.0", c.framework, 1)
		_, err := llbgen.Load("samforge.yaml", []byte(file), nil)
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: the error is\n%v\nwant one that tells\n%s", name, err, c.want)
		}
	}
}

func TestPairsThatWorkByLuck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ runtime, node, more string }{
		"an older node on a newer system": {"python3.12", "nodejs18.x", ""},
		"two Node.js in two places":       {"nodejs22.x", "nodejs20.x", "node: {layout: isolated}\n"},
	} {
		plan, err := llbgen.Load("samforge.yaml", []byte(serverlessFile(c.runtime, c.node, c.more)), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if pairs := found(llbgen.RuleUnknownPair, plan.Warnings); len(pairs) != 1 || !strings.Contains(pairs[0], "not a pair that is known to work") {
			t.Errorf("%s: the warnings are %v", name, plan.Warnings)
		}
	}
}

func TestVerifyOffBuildsAnyPair(t *testing.T) {
	t.Parallel()
	file := []byte(serverlessFile("python3.11", "nodejs20.x", ""))
	if _, err := llbgen.Load("samforge.yaml", file, map[string]string{"SAMFORGE_VERIFY": "off"}); err != nil {
		t.Error(err)
	}
	if _, err := llbgen.Load("samforge.yaml", file, map[string]string{"SAMFORGE_VERIFY": "maybe"}); err == nil ||
		!strings.Contains(err.Error(), `build argument SAMFORGE_VERIFY: expected static, full or off, found "maybe"`) {
		t.Errorf("the error is %v", err)
	}
}

// A Lambda base image whose name contains its runtime is checked against the runtime image. Any
// other is built with a warning.
func TestReferencesOfLambdaBaseImages(t *testing.T) {
	t.Parallel()
	const sum = "@sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	for ref, want := range map[string]string{
		"public.ecr.aws/lambda/nodejs:22":                       "nodejs22.x needs glibc 2.28",
		"public.ecr.aws/lambda/nodejs:22-x86_64":                "nodejs22.x needs glibc 2.28",
		"public.ecr.aws/lambda/nodejs:22-arm64":                 "nodejs22.x needs glibc 2.28",
		"public.ecr.aws/lambda/nodejs:22.2025.08.04.11":         "nodejs22.x needs glibc 2.28",
		"public.ecr.aws/lambda/nodejs:22.2025.08.04.11-arm64":   "nodejs22.x needs glibc 2.28",
		"public.ecr.aws/lambda/nodejs:22" + sum:                 "nodejs22.x needs glibc 2.28",
		"amazon/aws-lambda-nodejs:22":                           "nodejs22.x needs glibc 2.28",
		"mirror.example.com/ecr/lambda/nodejs:22":               "nodejs22.x needs glibc 2.28",
		"mirror.example.com/ecr-lambda-nodejs:22.2025.08.04.11": "nodejs22.x needs glibc 2.28",
		"public.ecr.aws/lambda/python:3.12":                     "says that it has no Node.js",
		"public.ecr.aws/lambda/python:latest":                   "says that it has no Node.js",
		"public.ecr.aws/lambda/provided:al2023":                 "says that it has no Node.js",
		"public.ecr.aws/lambda/nodejs:latest":                   "warning: its tag does not name a version of Node.js, as 22 and 22.2025.08.04.11 do",
		"public.ecr.aws/lambda/nodejs" + sum:                    "warning: its tag does not name a version of Node.js",
		"public.ecr.aws/lambda/nodejs":                          "warning: its tag does not name a version of Node.js",
		"public.ecr.aws/lambda/nodejs:26-preview":               "warning: nodejs26.x is not in the catalogue",
		"public.ecr.aws/sam/build-nodejs26.x:1.170.0":           "warning: nodejs26.x is not in the catalogue",
		"nodejs22.x":           `warning: "nodejs22.x" is a runtime, not an image: write public.ecr.aws/lambda/nodejs:22.`,
		"node:22":              "warning: its name is neither that of a SAM image, such as sam/build-nodejs22.x, nor that of a Lambda base image",
		"acme/my-nodejs:22":    "warning: its name is neither",
		"acme/lambdanodejs:22": "warning: its name is neither",
		"public.ecr.aws/lambda/nodejs:22.2025.08.04.11.9":                          "warning: its tag does not name a version of Node.js",
		"public.ecr.aws/lambda/nodejs:22.2025.08.04.11-x86_64-x":                   "warning: its tag does not name a version of Node.js",
		"public.ecr.aws/lambda/nodejs:18.2025.05.04.04":                            "",
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com/ecr-public/lambda/nodejs:18": "",
	} {
		file := samNode.ReplaceAllLiteralString(serverlessFile("python3.11", "nodejs18.x", ""), "node: "+ref)
		plan, err := llbgen.Load("samforge.yaml", []byte(file), nil)
		got := ""
		if err != nil {
			got = err.Error()
		} else if warnings := found(llbgen.RuleUnknownPair, plan.Warnings); len(warnings) > 0 {
			got = "warning: " + strings.Join(warnings, "\n")
		}
		warning, isWarning := strings.CutPrefix(want, "warning: ")
		if (want == "") != (got == "") || !strings.Contains(got, warning) || isWarning != strings.HasPrefix(got, "warning: ") {
			t.Errorf("%s: got %q, want %q", ref, got, want)
		}
	}
}
