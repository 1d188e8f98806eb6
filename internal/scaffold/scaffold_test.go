package scaffold_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/scaffold"
	"github.com/samforge/samforge/llbgen"
)

const (
	python = "public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415"
	java   = "public.ecr.aws/sam/build-java21:1.143.0-20250822194412"
	old    = "public.ecr.aws/sam/build-python3.11:1.143.0-20250822194415"
	node20 = "public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712"
	node22 = "public.ecr.aws/sam/build-nodejs22.x:1.144.0-20250911030138"
)

func samAnswers() scaffold.Answers {
	return scaffold.Answers{
		Kind:          "sam",
		Plugin:        "harness/aws-sam-plugin:1.1.2-beta-base-image",
		PluginVersion: "1.10",
		Repo:          "registry.example.com:5000/ci/aws-sam-plugin",
		Runtimes:      []string{python, java},
	}
}

func serverlessAnswers() scaffold.Answers {
	return scaffold.Answers{
		Kind:          "serverless",
		Plugin:        "harness/serverless-plugin:1.1.0-beta-base-image",
		PluginVersion: "1.1.0-beta",
		Runtimes:      []string{python, java},
		Nodes:         []string{node20},
	}
}

func load(t *testing.T, file []byte) llbgen.File {
	t.Helper()
	plan, err := llbgen.Load(llbgen.Filename, file, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	return plan.File
}

func TestTheFileSaysWhatWasAnswered(t *testing.T) {
	t.Parallel()
	file, err := samAnswers().File()
	if err != nil {
		t.Fatal(err)
	}
	f := load(t, file)
	if f.Kind != "sam" || f.Plugin.Image != "harness/aws-sam-plugin:1.1.2-beta-base-image" || f.Plugin.Version != "1.10" ||
		f.Repo != "registry.example.com:5000/ci/aws-sam-plugin" || len(f.Runtimes) != 2 || f.Runtimes[1].Image != java {
		t.Errorf("got %+v from\n%s", f, file)
	}
}

func TestNodeImages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ nodes, want []string }{
		"one for all":  {[]string{node20}, []string{node20, node20}},
		"one for each": {[]string{node20, node22}, []string{node20, node22}},
	} {
		answers := serverlessAnswers()
		answers.Nodes = test.nodes
		file, err := answers.File()
		if err != nil {
			t.Fatal(err)
		}
		for i, runtime := range load(t, file).Runtimes {
			if runtime.Node != test.want[i] {
				t.Errorf("%s: runtime %d has %s, want %s", name, i, runtime.Node, test.want[i])
			}
		}
	}
}

// The commented-out parts are right too: with them the file loads and means the same as without,
// except for mirrors and labels, which are examples.
func TestWhatIsCommentedOutLoads(t *testing.T) {
	t.Parallel()
	commentedOut := regexp.MustCompile(`(?m)^#([a-zA-Z]|  )`)
	for _, answers := range []scaffold.Answers{samAnswers(), serverlessAnswers()} {
		file, err := answers.File()
		if err != nil {
			t.Fatal(err)
		}
		all := load(t, commentedOut.ReplaceAll(file, []byte("$1")))
		if len(all.Mirrors) != 1 || len(all.Labels) != 1 || all.Repo == "" {
			t.Errorf("got %+v from\n%s", all, file)
		}
		plain := load(t, file)
		if all.Docker.Version != plain.Docker.Version || all.GoTemplate.Version != plain.GoTemplate.Version ||
			!reflect.DeepEqual(all.Own, plain.Own) || all.Node != plain.Node {
			t.Errorf("what is commented out is not the default: %+v, %+v", all, plain)
		}
	}
}

func TestMistakesNameTheFlag(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(a *scaffold.Answers)
		want   string
	}{
		{"nothing is given", func(a *scaffold.Answers) { *a = scaffold.Answers{} }, "missing: --kind, --plugin, --plugin-version, --runtime"},
		{"the node image is missing", func(a *scaffold.Answers) { a.Nodes = nil }, "missing: --node"},
		{
			"one answer is missing, another is wrong",
			func(a *scaffold.Answers) { a.Plugin, a.Repo = "", "https://registry.example.com" },
			"missing: --plugin\n" + `--repo: "https://registry.example.com" is not a repository: leave https:// out, as in registry.example.com`,
		},
		{"the kind is unknown", func(a *scaffold.Answers) { a.Kind = "lambda" }, `--kind: unknown kind "lambda"; the kinds are: sam, serverless`},
		{
			"a plugin that is not an image reference", func(a *scaffold.Answers) { a.Plugin = "harness/Plugin" },
			`--plugin: "harness/Plugin" is not an image reference: invalid reference format: repository name (harness/Plugin) must be lowercase`,
		},
		{
			"a version that cannot be part of a tag", func(a *scaffold.Answers) { a.PluginVersion = "1.1\nkind: sam" },
			`--plugin-version: "1.1\nkind: sam" cannot be part of a tag: use letters, digits, dots, dashes and underscores`,
		},
		{
			"a base image without a version", func(a *scaffold.Answers) { a.Runtimes = []string{"public.ecr.aws/sam/build-java21"} },
			`--runtime: no SAM CLI version can be read from "public.ecr.aws/sam/build-java21": use a tag that begins with one, such as 1.143.0-20250822194415, or set runtimes[0].samVersion by hand`,
		},
		{
			"the same base image twice", func(a *scaffold.Answers) { a.Runtimes = []string{java, java} },
			"--runtime: gives the same tag as runtimes[0] (java21-1.1.0-beta): one image would overwrite the other; drop one, or set name",
		},
		{
			"a pair that cannot work", func(a *scaffold.Answers) { a.Runtimes = []string{old} },
			"--node: python3.11 is Amazon Linux 2 (glibc 2.26); nodejs20.x needs glibc 2.28: use nodejs18.x or nodejs16.x",
		},
		{
			"a node image for SAM", func(a *scaffold.Answers) { a.Kind, a.Runtimes = "sam", []string{java} },
			"--node: belongs to kind: serverless or cdk, and this is kind: sam",
		},
		{
			"more node images than base images", func(a *scaffold.Answers) { a.Nodes = []string{node20, node20, node22} },
			"--node: 3 images for 2 base images: give one for all, or one for each",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answers := serverlessAnswers()
			test.change(&answers)
			_, err := answers.File()
			var input *scaffold.InputError
			if !errors.As(err, &input) || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestQuestions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		given   scaffold.Answers
		answers string
		want    []string // in the file
		asked   []string // in the questions
	}{
		{
			name:    "all of a SAM image, and no repository",
			answers: "sam\nharness/plugin:1\n1.1.2\n\n" + python + "\n" + java + "\n\n",
			want:    []string{"kind: sam\n", "  image: harness/plugin:1\n", "  version: 1.1.2\n", "\n#repo: ", "  - image: " + python + "\n  - image: " + java + "\n\n"},
		},
		{
			name:    "all of a Serverless image, and the proposed Node.js",
			answers: "serverless\nharness/plugin:1\n1.1.2\nacme/plugin\n" + python + "\n" + node22 + "\n\n\n\n",
			want:    []string{"\nrepo: acme/plugin\n", "  - image: " + python + "\n    node: public.ecr.aws/lambda/nodejs:24.", "  - image: " + node22 + "\n    node: " + node22 + "\n"},
			asked:   []string{"for " + python + " (Enter for public.ecr.aws/lambda/nodejs:24.", "for " + node22 + " (Enter for " + node22 + ")"},
		},
		{
			name:    "a Serverless image with another Node.js than the proposed one",
			answers: "serverless\nharness/plugin:1\n1.1.2\nacme/plugin\n" + python + "\n\n" + node20 + "\n",
			want:    []string{"  - image: " + python + "\n    node: " + node20 + "\n"},
		},
		{
			name:    "the question is repeated after a wrong answer",
			answers: "lambda\n\nsam\nharness/Plugin\nharness/plugin:1\n1.1.2\n\nlatest\n" + java + "\n" + java + "\n" + python + "\n\n",
			want:    []string{"kind: sam\n", "  image: harness/plugin:1\n", "  - image: " + java + "\n  - image: " + python + "\n\n"},
			asked:   []string{`  unknown kind "lambda"`, `  "harness/Plugin" is not an image reference`, "  there is no runtime latest", "  gives the same tag as runtimes[0]"},
		},
		{
			name: "the question is repeated for a pair that cannot work", given: scaffold.Answers{Kind: "serverless", Runtimes: []string{python, old}},
			answers: "harness/plugin:1\n1.1.2\n\n\n" + node20 + "\npublic.ecr.aws/sam/build-nodejs18.x:1.143.0-20250502200316\n",
			want:    []string{"    node: public.ecr.aws/sam/build-nodejs18.x:1.143.0-20250502200316\n"},
			asked:   []string{"  python3.11 is Amazon Linux 2"},
		},
		{
			name: "values from flags are not asked for", given: func() scaffold.Answers { a := samAnswers(); a.PluginVersion = ""; return a }(),
			answers: "1.2.3", // the input ends without an end of line
			want:    []string{"  version: 1.2.3\n"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var asked, out bytes.Buffer
			err := scaffold.Init(t.Context(), scaffold.Options{
				Answers: test.given, Path: "-", Ask: true, Stdin: strings.NewReader(test.answers), Stdout: &out, Stderr: &asked,
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, asked.String())
			}
			load(t, out.Bytes())
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not in\n%s", want, out.String())
				}
			}
			for _, want := range test.asked {
				if !strings.Contains(asked.String(), want) {
					t.Errorf("%q is not in\n%s", want, asked.String())
				}
			}
		})
	}
}

func TestQuestionsThatAreNotAnswered(t *testing.T) {
	t.Parallel()
	for answers, want := range map[string]string{
		"":                                 "missing: --kind",
		"sam\nharness/plugin:1\n1.1.2\n\n": "missing: --runtime",
		"serverless\nharness/plugin:1\n1.1.2\n\nacme/build-cobol85:1.143.0\n\n": "missing: --node",
	} {
		path := filepath.Join(t.TempDir(), "samforge.yaml")
		err := scaffold.Init(t.Context(), scaffold.Options{Path: path, Ask: true, Stdin: strings.NewReader(answers), Stderr: io.Discard})
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", answers, err, want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%q: a file was written", answers)
		}
	}
}

func TestCancelEndsAQuestion(t *testing.T) {
	t.Parallel()
	terminal, writer := io.Pipe()
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := scaffold.Init(ctx, scaffold.Options{Path: "-", Ask: true, Stdin: terminal, Stderr: io.Discard})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsThereStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "samforge.yaml"), filepath.Join(dir, "link.yaml")
	opt := scaffold.Options{Answers: samAnswers(), Path: path, Stderr: io.Discard}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	var input *scaffold.InputError
	if err := scaffold.Init(t.Context(), opt); !errors.As(err, &input) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("got %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "precious" {
		t.Errorf("the file was replaced by %s", got)
	}

	opt.Force, opt.Path = true, link
	if err := scaffold.Init(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	load(t, file)
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("something is left over: %v", entries)
	}
}

func TestNothingIsWrittenWhereSomethingIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	answers := samAnswers()
	answers.Plugin = "harness/Plugin"
	opt := scaffold.Options{Answers: answers, Path: filepath.Join(dir, "samforge.yaml"), Force: true, Stderr: io.Discard}
	if err := scaffold.Init(t.Context(), opt); err == nil {
		t.Error("no mistake is reported")
	}
	opt.Answers, opt.Path = samAnswers(), filepath.Join(dir, "missing", "samforge.yaml")
	if err := scaffold.Init(t.Context(), opt); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("something was written: %v", entries)
	}
}
