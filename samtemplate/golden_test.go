package samtemplate_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samforge/samforge/samtemplate"
)

var update = flag.Bool("update", false, "rewrite testdata/golden")

// TestGolden shows what is read from each template of testdata. After a change on purpose: go test
// ./samtemplate -run Golden -update, and read the diff.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range templates(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			golden(t, name+".txt", describe(loadTestdata(t, name, nil)))
		})
	}
}

// golden compares a text with a file of testdata/golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata/golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update accepts it:\n--- want\n%s--- got\n%s", path, want, got)
	}
}

// describe returns what was read of an application, for people.
func describe(root *samtemplate.Template) string {
	var b strings.Builder
	for template := range root.All() {
		fmt.Fprintf(&b, "template %s", template.Name)
		if template.Stack != "" {
			fmt.Fprintf(&b, " of the stack %s", template.Stack)
		}
		b.WriteString("\n")
		for _, f := range template.Functions {
			describeFunction(&b, f)
		}
		for _, zip := range template.ZipFunctions {
			fmt.Fprintf(&b, "  zip function %s at %d:%d, code %q, local %t\n", zip.Path, zip.At.Line, zip.At.Column, zip.CodeUri, zip.Local)
		}
		for _, nested := range template.Nested {
			fmt.Fprintf(&b, "  nested stack %s at %d:%d, template %q, read %t\n", nested.LogicalID, nested.At.Line, nested.At.Column, nested.Location, nested.Template != nil)
		}
		for _, warning := range template.Warnings {
			fmt.Fprintf(&b, "  warning %s %s\n", warning.Rule, warning.Summary())
		}
	}
	return b.String()
}

func describeFunction(b *strings.Builder, f *samtemplate.Function) {
	fmt.Fprintf(b, "  function %s at %d:%d, from %s", f.Path, f.At.Line, f.At.Column, f.Origin)
	if f.Reason != "" {
		fmt.Fprintf(b, ": %s", f.Reason)
	}
	fmt.Fprintf(b, "\n    platform %s, local tag %s", f.Platform(), f.LocalTag())
	if f.ResourceID != f.LogicalID {
		fmt.Fprintf(b, ", also %s", f.ResourceID)
	}
	if f.Iterations != nil {
		fmt.Fprintf(b, ", iterations %v", f.Iterations)
	}
	b.WriteString("\n")
	for _, text := range []struct {
		name string
		text samtemplate.Text
	}{
		{"dockerfile", f.Dockerfile}, {"context", f.Context}, {"target", f.Target}, {"image", f.ImageUri},
		{"working directory", f.ImageConfig.WorkingDirectory},
	} {
		if text.text.Given() {
			fmt.Fprintf(b, "    %s %s\n", text.name, describeText(text.text))
		}
	}
	if f.ContextDir != "" {
		fmt.Fprintf(b, "    context folder %s\n", f.ContextDir)
	}
	for _, arg := range f.Args {
		fmt.Fprintf(b, "    argument %s=%s\n", arg.Name, describeText(arg.Value))
	}
	for _, word := range f.ImageConfig.Command {
		fmt.Fprintf(b, "    command %s\n", describeText(word))
	}
	for _, n := range []struct {
		name   string
		number samtemplate.Number
	}{{"timeout", f.Timeout}, {"memory", f.MemorySize}, {"storage", f.EphemeralStorage}} {
		if n.number.At.Line > 0 {
			fmt.Fprintf(b, "    %s %d at %d:%d\n", n.name, n.number.N, n.number.At.Line, n.number.At.Column)
		}
	}
	for _, v := range f.Environment {
		fmt.Fprintf(b, "    environment %s=%s\n", v.Name, describeText(v.Value))
	}
}

func describeText(t samtemplate.Text) string {
	at := fmt.Sprintf("at %d:%d", t.At.Line, t.At.Column)
	if t.Unresolved != nil {
		return fmt.Sprintf("unknown %s, because at %d:%d: %s", at, t.Unresolved.At.Line, t.Unresolved.At.Column, t.Unresolved.Reason)
	}
	return fmt.Sprintf("%q %s", t, at)
}
