package frontend

import (
	"fmt"
	"testing"

	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/source"
)

// dockerResults are the results of Docker's rules about a Dockerfile.
func dockerResults(name, data string, line int32) *lint.LintResults {
	return &lint.LintResults{
		Sources:  []*pb.SourceInfo{{Filename: name, Data: []byte(data)}},
		Warnings: []lint.Warning{{RuleName: "FromAsCasing", Detail: "a", Location: &pb.Location{Ranges: []*pb.Range{{Start: &pb.Position{Line: line}, End: &pb.Position{Line: line}}}}}},
	}
}

// A report has each finding once, with the file that it is about.
func TestReport(t *testing.T) {
	t.Parallel()
	r := NewReport(yamlFile("template.yaml", []byte("Resources:\n")))
	r.Merge(dockerResults("a/Dockerfile", "FROM a\n", 1))
	r.Merge(dockerResults("b/Dockerfile", "FROM b\n", 1))
	r.Merge(dockerResults("a/Dockerfile", "FROM a\n", 1))
	r.Merge(dockerResults("a/Dockerfile", "FROM a\n", 2))
	wrong := dockerResults("c/Dockerfile", "FORM c\n", 1)
	wrong.Error = &lint.BuildError{Message: "wrong"}
	r.Merge(wrong)
	r.Add([]*source.Diagnostic{
		{Filename: "b/Dockerfile", Line: 1, Column: 1, Rule: "UnpinnedBase", Message: "b"},
		{Filename: "template.yaml", Line: 1, Column: 3, Message: "c"},
		{Message: "d"},
	})
	var got []string
	for _, w := range r.Results.Warnings {
		line := int32(0)
		if len(w.Location.Ranges) > 0 {
			line = w.Location.Ranges[0].Start.Line
		}
		got = append(got, fmt.Sprintf("%s:%d %s %s %t", r.Results.Sources[w.Location.SourceIndex].Filename, line, w.RuleName, w.Detail, w.URL != ""))
	}
	want := []string{
		"a/Dockerfile:1 FromAsCasing a false", "b/Dockerfile:1 FromAsCasing a false", "a/Dockerfile:2 FromAsCasing a false", "c/Dockerfile:1 FromAsCasing a false",
		"b/Dockerfile:1 UnpinnedBase b true", "template.yaml:1  c false", "template.yaml:0  d false",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the findings are\n%q\nwant\n%q", got, want)
	}
	if e := r.Results.Error; e == nil || e.Message != "wrong" || r.Results.Sources[e.Location.SourceIndex].Filename != "c/Dockerfile" {
		t.Errorf("the mistake is %+v", e)
	}
}

// A client that shows one file's name for all files finds the right one in the texts.
func TestNamesOfFilesInFindings(t *testing.T) {
	t.Parallel()
	r := NewReport(yamlFile("template.yaml", nil))
	r.Add([]*source.Diagnostic{{Filename: "template.yaml", Line: 1, Column: 1, Message: "b"}})
	wrong := dockerResults("a/Dockerfile", "FROM a\n", 1)
	wrong.Error = &lint.BuildError{Message: "wrong"}
	r.Merge(wrong)
	nameFiles(r.Results)
	if w := r.Results.Warnings; w[0].Detail != "b" || w[1].Detail != "a/Dockerfile: a" || r.Results.Error.Message != "a/Dockerfile: wrong" {
		t.Errorf("the findings are %+v, and the mistake is %v", w, r.Results.Error)
	}
}
