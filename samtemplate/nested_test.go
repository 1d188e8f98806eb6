package samtemplate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

// stack is a template with a nested stack.
func stack(location, parameters string) string {
	return "Resources:\n  Child:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: " + location + "\n      Parameters: {" + parameters + "}\n"
}

// TestNestedMistakes: mistakes are in the file that they are in.
func TestNestedMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files files
		want  string
	}{
		"the file is missing": {
			files{"template.yaml": stack("child.yaml", "")},
			"template.yaml:5:20: Resources.Child.Properties.TemplateURL: cannot read the template of the nested stack: open child.yaml: file does not exist",
		},
		"the file is relative to that around it": {
			files{"template.yaml": stack("a/child.yaml", ""), "a/child.yaml": stack("../b/inner.yaml", ""), "b/inner.yaml": "Resources:\n  A: []\n"},
			"b/inner.yaml:2:6: Resources.A: expected a mapping of keys to values, found a list",
		},
		"it nests itself": {
			files{"template.yaml": stack("child.yaml", ""), "child.yaml": stack("template.yaml", "")},
			"child.yaml:5:20: Resources.Child.Properties.TemplateURL: the template nests itself: template.yaml nests child.yaml nests template.yaml",
		},
		"a parameter is misspelt": {
			files{"template.yaml": stack("child.yaml", "Stge: a"), "child.yaml": "Parameters:\n  Stage: {Type: String}\nResources: {}\n"},
			`template.yaml:6:20: Resources.Child.Properties.Parameters.Stge: the parameter Stge is given, but the template has none of that name: did you mean "Stage"?`,
		},
		"a value is not known in the template around it": {
			files{"template.yaml": stack("child.yaml", "Stage: !GetAtt Table.Arn"), "child.yaml": "Parameters:\n  Stage: {Type: String}\n" + fn("", complete+", DockerTag: !Ref Stage")},
			"child.yaml:7:69: Resources.Fn.Metadata.DockerTag: the parameter Stage gets its value from the template around this stack, where Fn::GetAtt is not known before the stack is deployed",
		},
		"it is nested twice": {
			files{"template.yaml": stack("child.yaml", "") + strings.Replace(strings.TrimPrefix(stack("child.yaml", ""), "Resources:\n"), "Child", "Again", 1), "child.yaml": "Resources:\n  A: []\n"},
			"child.yaml:2:6: Resources.A: expected a mapping of keys to values, found a list",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.files.load()
			if got := summaries(t, err); got != test.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, test.want)
			}
		})
	}
}

// TestVeryManyNestedTemplates: twenty files that each nest the next one twice are a million.
func TestVeryManyNestedTemplates(t *testing.T) {
	t.Parallel()
	application := files{"20.yaml": "Resources: {}\n"}
	for n := range 20 {
		name := fmt.Sprintf("%d.yaml", n)
		if n == 0 {
			name = "template.yaml"
		}
		next := stack(fmt.Sprintf("%d.yaml", n+1), "")
		application[name] = next + strings.Replace(strings.TrimPrefix(next, "Resources:\n"), "Child", "Again", 1)
	}
	_, err := application.load()
	if got := summaries(t, err); !strings.Contains(got, "the application has more than 500 templates") {
		t.Errorf("got %s", got)
	}
}

// TestStacksWithAFalseCondition are not read.
func TestStacksWithAFalseCondition(t *testing.T) {
	t.Parallel()
	template, err := files{"template.yaml": "Conditions: {Never: !Equals [a, b]}\n" + strings.Replace(stack("child.yaml", ""), "    Properties", "    Condition: Never\n    Properties", 1)}.load()
	if err != nil || len(template.Nested) != 1 || template.Nested[0].Template != nil {
		t.Errorf("got %+v, %v", template, err)
	}
}

// TestContextsOfNestedStacks are relative to their own template, unless there is a base folder.
func TestContextsOfNestedStacks(t *testing.T) {
	t.Parallel()
	application := files{"template.yaml": stack("a/child.yaml", ""), "a/child.yaml": fn(", ImageUri: a.tar", "Dockerfile: Dockerfile, DockerContext: ../code")}
	for base, want := range map[string]string{"": "code", "/src/x": "/src/code"} {
		opt := application.options()
		opt.BaseDir = base
		file, _ := application.read("template.yaml")
		template, err := samtemplate.Load(file, opt)
		if err != nil {
			t.Fatal(err)
		}
		if got := function(t, template, "Child/Fn").ContextDir; got != want {
			t.Errorf("with the base folder %q: got %s, want %s", base, got, want)
		}
	}
}
