package frontend

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/subrequests/lint"
	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/internal/credentials"
	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// Report collects findings about several files, in the form of BuildKit's findings in a Dockerfile.
// Each finding is there once, however many functions share its file.
type Report struct{ Results *lint.LintResults }

// NewReport returns a report without findings about a file.
func NewReport(file *pb.SourceInfo) *Report {
	return &Report{&lint.LintResults{
		Warnings: []lint.Warning{}, // [] in JSON, and not null
		Sources:  []*pb.SourceInfo{file},
	}}
}

// TemplateReport returns a report about a template and those of its nested stacks.
func TemplateReport(t *samtemplate.Template) *Report {
	r := NewReport(yamlFile(t.Name, t.Shown()))
	for nested := range t.All() {
		r.AddFile(yamlFile(nested.Name, nested.Shown()))
	}
	return r
}

func yamlFile(name string, data []byte) *pb.SourceInfo {
	return &pb.SourceInfo{Filename: name, Language: "yaml", Data: shown(data)}
}

// shown returns a build file as clients may show it. What is not valid may be meant as a template.
func shown(data []byte) []byte {
	if bytes.Contains(data, []byte("NoEcho")) {
		return samtemplate.Shown(data)
	}
	return []byte(credentials.Mask(string(data)))
}

// AddFile adds a file that findings may be about. It returns the file's index.
func (r *Report) AddFile(file *pb.SourceInfo) int32 {
	i := slices.IndexFunc(r.Results.Sources, func(known *pb.SourceInfo) bool {
		return known.Filename == file.Filename && string(known.Data) == string(file.Data)
	})
	if i < 0 {
		i = len(r.Results.Sources)
		r.Results.Sources = append(r.Results.Sources, file)
	}
	return int32(i)
}

// Add adds findings about the files of the report.
func (r *Report) Add(found []*source.Diagnostic) {
	for _, d := range found {
		at := &pb.Location{Ranges: d.Ranges()}
		if i := slices.IndexFunc(r.Results.Sources, func(file *pb.SourceInfo) bool { return file.Filename == d.Filename }); i > 0 {
			at.SourceIndex = int32(i)
		}
		w := lint.Warning{RuleName: d.Rule, Detail: message(d), Location: at}
		if d.Rule != "" {
			rule := rules.Named(d.Rule)
			w.Description, w.URL = rule.Description, rule.URL()
		}
		r.add(w)
	}
}

func (r *Report) add(w lint.Warning) {
	if !slices.ContainsFunc(r.Results.Warnings, func(other lint.Warning) bool { return sameFinding(w, other) }) {
		r.Results.Warnings = append(r.Results.Warnings, w)
	}
}

func sameFinding(a, b lint.Warning) bool {
	return a.RuleName == b.RuleName && a.Detail == b.Detail && a.Location.SourceIndex == b.Location.SourceIndex &&
		fmt.Sprint(a.Location.Ranges) == fmt.Sprint(b.Location.Ranges)
}

// Merge adds the findings of another report and, if there is none yet, its mistake.
func (r *Report) Merge(other *lint.LintResults) {
	index := make([]int32, len(other.Sources))
	for i, file := range other.Sources {
		index[i] = r.AddFile(file)
	}
	moved := func(at *pb.Location) *pb.Location {
		if at == nil || int(at.SourceIndex) >= len(index) || at.SourceIndex < 0 {
			return &pb.Location{}
		}
		return &pb.Location{SourceIndex: index[at.SourceIndex], Ranges: at.Ranges}
	}
	for _, w := range other.Warnings {
		w.Location = moved(w.Location)
		r.add(w)
	}
	if other.Error != nil && r.Results.Error == nil {
		at := moved(&other.Error.Location)
		r.Results.Error = &lint.BuildError{Message: other.Error.Message, Location: pb.Location{SourceIndex: at.SourceIndex, Ranges: at.Ranges}}
	}
}

// Fail adds err as the mistake of the report, with the places of the mistakes in the first file that
// has any.
func (r *Report) Fail(err error) {
	r.Results.Error = &lint.BuildError{Message: err.Error()}
	mistakes := source.Diagnostics{}
	var one *source.Diagnostic
	switch {
	case errors.As(err, &mistakes):
	case errors.As(err, &one):
		mistakes = source.Diagnostics{one}
	default:
		return
	}
	var summaries []string
	at := &r.Results.Error.Location
	at.SourceIndex = r.AddFile(&pb.SourceInfo{Filename: mistakes[0].Filename, Language: "yaml", Data: r.data(mistakes[0].Filename)})
	for _, m := range mistakes {
		summaries = append(summaries, m.Summary())
		if m.Filename == mistakes[0].Filename {
			at.Ranges = append(at.Ranges, m.Ranges()...)
		}
	}
	if slices.ContainsFunc(mistakes, func(m *source.Diagnostic) bool { return m.UnknownKey }) {
		summaries = append(summaries, "if the file is made for a newer samforge, use that")
	}
	r.Results.Error.Message = strings.Join(summaries, "\n")
}

// data returns the text of a file of the report; nil for any other.
func (r *Report) data(name string) []byte {
	for _, file := range r.Results.Sources {
		if file.Filename == name {
			return file.Data
		}
	}
	return nil
}
