package scaffold_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/samforge/samforge/internal/scaffold"
)

const (
	newPython = "public.ecr.aws/sam/build-python3.13:1.150.0-20251211000000"
	newNode   = "public.ecr.aws/sam/build-nodejs22.x:1.150.0-20251211000000"
)

// initIn runs Init beside some files, and returns the build file and what it says.
func initIn(t *testing.T, files map[string]string, opt scaffold.Options) (file, said string, err error) {
	t.Helper()
	if opt.Found, err = scaffold.Find(folder(t, files)); err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	opt.Path, opt.Stdout, opt.Stderr = "-", &out, &stderr
	opt.Tags = func(context.Context, string) ([]string, error) { return []string{"1.150.0-20251211000000"}, nil }
	err = scaffold.Init(t.Context(), opt)
	return out.String(), stderr.String(), err
}

func pluginAnswers() scaffold.Answers {
	return scaffold.Answers{Plugin: "harness/plugin:1", PluginVersion: "1"}
}

// What no flag says comes from the folder, and init says from which file.
func TestInitTakesWhatTheFolderSays(t *testing.T) {
	t.Parallel()
	flags := pluginAnswers()
	flags.Kind, flags.Runtimes, flags.Nodes = "serverless", []string{java}, []string{node22}
	other := pluginAnswers()
	other.Kind, other.Runtimes = "sam", []string{java}
	for name, test := range map[string]struct {
		files          map[string]string
		given          scaffold.Answers
		want, not, say []string
	}{
		"everything": {
			files: map[string]string{"serverless.yml": service},
			given: pluginAnswers(),
			want: []string{
				"kind: serverless\n", "  - image: " + newPython + "\n    node: public.ecr.aws/lambda/nodejs:24.",
				"  - image: " + newNode + "\n    node: " + newNode + "\n", "\nserverless:\n", "\n  version: 3.39.0\n",
			},
			not: []string{"#serverless:"},
			say: []string{
				"From serverless.yml: --kind serverless, --runtime python3.13, --runtime nodejs22.x, serverless 3.39.0.\n",
				"From the catalogue: --node public.ecr.aws/lambda/nodejs:24.", ", --node " + newNode + ".\n",
			},
		},
		"flags win": {
			files: map[string]string{"serverless.yml": service},
			given: flags,
			want:  []string{"  - image: " + java + "\n    node: " + node22 + "\n", "\n  version: 3.39.0\n"},
			not:   []string{"python3.13", "From the catalogue"},
			say:   []string{"From serverless.yml: serverless 3.39.0.\n"},
		},
		"another kind": {
			files: map[string]string{"serverless.yml": service},
			given: other,
			want:  []string{"kind: sam\n"},
			not:   []string{"version: 3.39.0", "From "},
		},
		"the fork of the framework, and another folder's runtime": {
			files: map[string]string{"package.json": `{"dependencies": {"osls": "^3"}}`},
			given: scaffold.Answers{Plugin: "harness/plugin:1", PluginVersion: "1", Runtimes: []string{python}},
			want:  []string{"\n  flavor: osls\n\n"},
			not:   []string{"  version: 3."},
			say: []string{
				"From package.json: --kind serverless, osls.\n",
				"package.json: osls is ^3, which is no exact version: set serverless.version in the build file, or keep the default.\n",
			},
		},
		"a version without a lock": {
			files: map[string]string{"cdk.json": "{}", "package.json": `{"devDependencies": {"aws-cdk": "2.1000.0"}}`},
			given: scaffold.Answers{Plugin: "harness/plugin:1", PluginVersion: "1", Runtimes: []string{python}},
			want:  []string{"kind: cdk\n", "\ncdk:\n", "\n  version: 2.1000.0\n"},
			say: []string{
				"From cdk.json: --kind cdk.\nFrom package.json: aws-cdk 2.1000.0.\n",
				"samforge has no npm lock for aws-cdk 2.1000.0: name yours in cdk.lock, or take one of 2.1148.1.\n",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, said, err := initIn(t, test.files, scaffold.Options{Answers: test.given})
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			load(t, []byte(file))
			wantIn(t, file, test.want...)
			wantIn(t, said, test.say...)
			for _, not := range test.not {
				if strings.Contains(file+said, not) {
					t.Errorf("%q is in\n%s%s", not, file, said)
				}
			}
		})
	}
}

func wantIn(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

// Files of several kinds are named with what to pass; so is what is still missing.
func TestInitInAFolderThatSaysTooMuchOrTooLittle(t *testing.T) {
	t.Parallel()
	both := map[string]string{"serverless.yml": service, "cdk.json": "{}"}
	for name, test := range map[string]struct {
		files map[string]string
		opt   scaffold.Options
		want  string
	}{
		"two kinds": {both, scaffold.Options{}, "this folder has files of several kinds: serverless.yml (--kind serverless), cdk.json (--kind cdk): choose one with --kind"},
		"a template too": {
			map[string]string{"cdk.json": "{}"}, scaffold.Options{Template: "template.yaml"},
			"this folder has files of several kinds: cdk.json (--kind cdk), template.yaml (a SAM template, and a build file as it is: samforge build -f template.yaml): choose one with --kind",
		},
		"no plugin": {
			map[string]string{"serverless.yml": service}, scaffold.Options{},
			"missing: --plugin, --plugin-version\nfor example: --plugin harness/serverless-plugin:1.1.0-beta-base-image --plugin-version 1.1.0-beta",
		},
		"no runtime": {
			map[string]string{"cdk.json": "{}"}, scaffold.Options{Answers: scaffold.Answers{Plugin: "harness/Plugin", PluginVersion: "1"}},
			"missing: --runtime\n" + `--plugin: "harness/Plugin" is not an image reference`,
		},
		"a runtime that the catalogue does not have": {
			nil, scaffold.Options{Answers: scaffold.Answers{Kind: "cdk", Plugin: "harness/plugin:1", PluginVersion: "1", Runtimes: []string{"acme/build-cobol85:1.143.0"}}},
			"missing: --node",
		},
	} {
		_, said, err := initIn(t, test.files, test.opt)
		var input *scaffold.InputError
		if !errors.As(err, &input) || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v\n%s\nwant %s", name, err, said, test.want)
		}
	}
}

// On a terminal, what the folder says is proposed.
func TestQuestionsInAFolder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files       map[string]string
		answers     string
		want, asked []string
	}{
		"Enter takes it": {
			files: map[string]string{"serverless.yml": service}, answers: "\n\n\n\n\n\n\n",
			want: []string{"kind: serverless\n", "  - image: " + newPython + "\n", "  - image: " + newNode + "\n", "  version: 3.39.0\n"},
			asked: []string{
				"for a SAM template (Enter for serverless, because of serverless.yml): ", "(Enter for python3.13 and nodejs22.x, from serverless.yml): ",
				"From serverless.yml: --runtime python3.13, --runtime nodejs22.x, serverless 3.39.0.\n",
			},
		},
		"another answer wins": {
			files: map[string]string{"serverless.yml": service}, answers: "\n\n\n\n" + java + "\n\n\n",
			want: []string{"kind: serverless\n", "runtimes:\n  #", "  - image: " + java + "\n    node: public.ecr.aws/lambda/nodejs:24."},
		},
		"with two kinds there is no proposal": {
			files: map[string]string{"serverless.yml": service, "cdk.json": "{}"}, answers: "\ncdk\n\n\n\npython3.13\n\n\n",
			want:  []string{"kind: cdk\n", "  - image: " + newPython + "\n"},
			asked: []string{"this folder has files of several kinds: serverless.yml (--kind serverless), cdk.json (--kind cdk)\nKind of the images, sam or serverless or cdk, or application for a SAM template: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, asked, err := initIn(t, test.files, scaffold.Options{Ask: true, Stdin: strings.NewReader(test.answers)})
			if err != nil {
				t.Fatalf("%v\n%s", err, asked)
			}
			load(t, []byte(file))
			wantIn(t, file, test.want...)
			wantIn(t, asked, test.asked...)
		})
	}
}
