package samtemplate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

// TestBombs: a template that asks for far more than it has is refused, or read without all of it.
// Without limits, a few lines more would take minutes, or all memory.
func TestBombs(t *testing.T) {
	t.Parallel()
	repeat := func(count int, line string) string {
		var b strings.Builder
		for n := range count {
			fmt.Fprintf(&b, line, n, n+1)
		}
		return b.String()
	}
	for name, test := range map[string]struct{ template, want string }{
		"aliases multiply": {
			"Mappings:\n  a0: &a0 [x]\n" + repeat(30, "  a%[2]d: &a%[2]d [*a%[1]d, *a%[1]d]\n") + "Resources: {}\n",
			"the file has more than 1000000 values",
		},
		"texts multiply": {
			fn("", complete+", DockerTag: "+strings.Repeat("!Sub ['${A}${A}', {A: ", 40)+"x"+strings.Repeat("}]", 40)),
			"the intrinsic functions make too large a text here",
		},
		"very many functions split a text": {
			"Mappings: {M: {A: {B: '" + strings.Repeat("x,", 8000) + "'}}}\n" + fn("", complete) +
				repeat(40, "  Fn%[1]d: {Type: AWS::Serverless::Function, Properties: {PackageType: Image}, Metadata: {"+complete+", DockerBuildArgs: {A: !Select [0, !Split [',', !FindInMap [M, A, B]]]}}}\n"),
			"the intrinsic functions make too large a text here",
		},
		"very many names are wrong": {
			"Parameters:\n" + repeat(1000, "  Parameter%[1]d: {Type: String}\n") + fn(", Environment: {Variables: {"+repeat(1000, "V%[1]d: !Ref Paramater%[2]d, ")+"}}", complete),
			"",
		},
		"mappings refer to themselves": {
			"Mappings: {M: {A: {B: !FindInMap [M, A, B]}}}\n" + fn("", complete+", DockerTag: !FindInMap [M, A, B]"),
			"Mappings may have no functions in them",
		},
		"loops multiply": {
			"Transform: AWS::LanguageExtensions\nResources:\n" + loops(20),
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := samtemplate.Load(samtemplate.File{Name: "template.yaml", Data: []byte(test.template)}, samtemplate.Options{})
			if got := summaries(t, err); !strings.Contains(got, test.want) || (err == nil) != (test.want == "") {
				t.Errorf("got %.500s, want %s", got, test.want)
			}
		})
	}
}

// loops returns loops in each other, with a function in the innermost.
func loops(depth int) string {
	text := "{'Fn" + strings.Repeat("x", depth)
	for n := range depth {
		text += fmt.Sprintf("${V%d}", n)
	}
	text += "': {Type: AWS::Serverless::Function, Properties: {PackageType: Image}, Metadata: {" + complete + "}}}"
	for n := range depth {
		text = fmt.Sprintf("{'Fn::ForEach::L%d': [V%d, [a, b, c], %s]}", n, n, text)
	}
	return "  " + strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}") + "\n"
}
