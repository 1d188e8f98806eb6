package samtemplate

import (
	"bytes"
	"iter"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/source"
)

// Template is a template that is read, with the templates of its nested stacks.
type Template struct {
	// Name is the file's path, as in [File].
	Name string
	// Stack is the path of the nested stack that it is the template of, such as "Child/Inner"; ""
	// for the root.
	Stack string
	// Functions are those whose code is an image, in the order of the template.
	Functions []*Function
	// ZipFunctions are those whose code is no image.
	ZipFunctions []*ZipFunction
	// Nested are the nested stacks.
	Nested []*Nested
	// NoEcho are the names of the parameters whose values are secret.
	NoEcho []string
	// Warnings are about what can be read, but is hardly meant.
	Warnings []*source.Diagnostic

	data   []byte
	doc    *source.Document
	root   source.Value
	checks rules.Choice
	// replaced is true if checks are those of [Options.Checks], which hold for Dockerfiles too.
	replaced bool
}

// Nested is a nested stack: a resource of one of the types AWS::CloudFormation::Stack and
// AWS::Serverless::Application.
type Nested struct {
	// LogicalID is the name of the resource.
	LogicalID string
	// At is the place of the resource.
	At source.Position
	// Location is its template, as it is given.
	Location Text
	// Template is what was read; nil if the template is not a local file, or if the condition of
	// the stack is false.
	Template *Template

	keys []string // the way from the template's root to the location
}

// All returns the template and those of its nested stacks, from the outside in.
func (t *Template) All() iter.Seq[*Template] {
	return func(yield func(*Template) bool) { t.walk(yield) }
}

func (t *Template) walk(yield func(*Template) bool) bool {
	if !yield(t) {
		return false
	}
	for _, nested := range t.Nested {
		if nested.Template != nil && !nested.Template.walk(yield) {
			return false
		}
	}
	return true
}

// AllFunctions returns the functions of the template and of its nested stacks.
func (t *Template) AllFunctions() []*Function {
	var functions []*Function
	for template := range t.All() {
		functions = append(functions, template.Functions...)
	}
	return functions
}

// AllWarnings returns the warnings about the template and about those of its nested stacks.
func (t *Template) AllWarnings() []*source.Diagnostic {
	var warnings []*source.Diagnostic
	for template := range t.All() {
		warnings = append(warnings, template.Warnings...)
	}
	return warnings
}

// WarningsAbout returns the warnings without what rules find in the settings of other functions.
func (t *Template) WarningsAbout(functions ...*Function) []*source.Diagnostic {
	var others []*Function
	for _, f := range t.AllFunctions() {
		if !slices.Contains(functions, f) {
			others = append(others, f)
		}
	}
	return slices.DeleteFunc(t.AllWarnings(), func(d *source.Diagnostic) bool {
		return d.Rule != "" && slices.ContainsFunc(others, func(f *Function) bool {
			return d.Filename == f.template.Name && strings.HasPrefix(d.Field, strings.Join(f.keys, ".")+".")
		})
	})
}

// Shown returns the text of the template with the same lines, but without those that have a secret
// value in them.
func (t *Template) Shown() []byte { return t.doc.Shown() }

// Shown returns the text of a file as [Template.Shown] does, even if there are mistakes in it. Of one
// that is no YAML, and may have a secret anywhere, it returns nothing.
func Shown(data []byte) []byte {
	doc := source.New("", data, syntax())
	root, ok := doc.Root()
	if !ok && bytes.Contains(data, []byte("NoEcho")) {
		return nil
	}
	section := plainEntries(root)["Parameters"]
	if section.Node == nil || section.Node.Kind != yaml.MappingNode {
		return doc.Shown()
	}
	for key, definition := range section.Entries() {
		if fields := plainEntries(definition); isTrue(literal(fields["NoEcho"])) {
			hideParameter(doc, key, fields)
		}
	}
	return doc.Shown()
}

// hideParameter hides the definition of a parameter whose value is secret.
func hideParameter(doc *source.Document, key source.Value, fields map[string]source.Value) {
	for _, v := range fields { // on one line with the value, perhaps
		doc.HideLine(v.Position().Line)
	}
	doc.HideBlock(key.Position())
}

// RefusesFindings reports whether the template, or that of a nested stack, says error=true in its
// check directive: a build fails if a rule finds anything.
func (t *Template) RefusesFindings() bool {
	for template := range t.All() {
		if template.checks.ReturnAsError {
			return true
		}
	}
	return false
}
