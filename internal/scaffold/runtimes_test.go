package scaffold

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

func TestBaseImage(t *testing.T) {
	t.Parallel()
	tags := []string{"latest", "1.143.0", "1.143.0-20250822194415", "1.99.0-20231013165406", "1.143.0-20250822194415-x86_64", "1.144.0-20250911030138"}
	for name, c := range map[string]struct {
		answer     string
		tags       []string
		err        error
		want, says string
	}{
		"a runtime has its newest image":    {answer: "python3.12", tags: tags, want: "public.ecr.aws/sam/build-python3.12:1.144.0-20250911030138"},
		"an image is itself":                {answer: "registry.example.com/base:1", want: "registry.example.com/base:1"},
		"a runtime that does not exist":     {answer: "python3.21", says: "there is no runtime python3.21: did you mean python3."},
		"a registry that cannot be reached": {answer: "python3.12", err: errors.New("no route"), says: "no route: name an image, such as public.ecr.aws/sam/build-"},
		"only tags that move":               {answer: "python3.12", tags: tags[:2], says: "has no tag of one build"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opt := Options{Tags: func(_ context.Context, repository string) ([]string, error) {
				if repository != "public.ecr.aws/sam/build-python3.12" {
					t.Errorf("the tags of %s are listed", repository)
				}
				return c.tags, c.err
			}}
			got, err := opt.baseImage(t.Context(), c.answer)
			if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// Each kind has a plugin to propose, whose build file has no findings but those that a lock mends.
func TestPluginsOfTheKinds(t *testing.T) {
	t.Parallel()
	for _, kind := range llbgen.KindNames() {
		plugin := plugins()[kind]
		answers := Answers{Kind: kind, Plugin: plugin.image, PluginVersion: plugin.version, Runtimes: []string{"public.ecr.aws/sam/build-python3.13:1.143.0-20250822194415"}}
		if answers.needsNode() {
			answers.Nodes = []string{"public.ecr.aws/lambda/nodejs:22.2025.08.04.11"}
		}
		file, err := answers.File()
		if err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		plan, err := llbgen.Load(llbgen.Filename, file, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range plan.Findings(plan.Targets...) {
			if !strings.Contains(finding.Message, "run samforge lock") {
				t.Errorf("%s: %s: %s", kind, finding.Rule, finding.Message)
			}
		}
	}
}
