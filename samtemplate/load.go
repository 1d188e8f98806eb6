package samtemplate

import (
	"errors"
	"maps"
	"path"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/source"
)

// syntax is what templates have beside plain YAML.
func syntax() source.Syntax {
	return source.Syntax{
		Tags:      tags(),
		TagAdvice: "CloudFormation has no such function",
		MergeKeys: true,
	}
}

// IsTemplate reports whether a file looks like a template: it has Resources.
func IsTemplate(data []byte) bool {
	root, ok := source.New("", data, syntax()).Root()
	_, has := plainEntries(root)["Resources"]
	return ok && has
}

// Load reads a template and those of its nested stacks. Its errors are [source.Diagnostics], with
// all mistakes that were found.
func Load(file File, opt Options) (*Template, error) {
	l := &loader{opt: opt, budget: maxBudget, seen: map[string]bool{}}
	given := arguments{values: map[string]Text{}}
	for name, value := range opt.Parameters {
		if !slices.Contains(pseudoParameters(), name) {
			given.values[name] = Text{plain: value}
		}
	}
	t := l.load(file, "", given)
	if len(l.mistakes) > 0 {
		return nil, l.mistakes
	}
	return t, nil
}

// loader reads the templates of an application.
type loader struct {
	opt       Options
	budget    int
	templates int
	size      int      // of the nested templates
	around    []string // the files of the stacks around the one that is read
	mistakes  source.Diagnostics
	seen      map[string]bool // their texts
}

// load reads one template. given are the values of its parameters.
func (l *loader) load(file File, stack string, given arguments) *Template {
	t := &Template{Name: file.Name, Stack: stack, data: file.Data, doc: source.New(file.Name, file.Data, syntax())}
	defer l.collect(t.doc)
	root, ok := t.doc.Root()
	switch {
	case !ok && t.doc.Count() > 0:
		return t
	case !ok || root.IsNull():
		t.doc.ErrorAt(source.Position{}, "", "the template is empty")
		return t
	case root.Node.Kind != yaml.MappingNode:
		root.WrongType("a template, which is a mapping with Resources")
		return t
	}
	t.root = root
	t.checks, t.Warnings = rules.Read(t.doc, file.Data, rules.Template, l.opt.Checks)
	t.replaced = l.opt.Checks != nil
	sections := map[string]source.Value{}
	for key, section := range root.Entries() {
		sections[key.Node.Value] = section
		if key.Node.Value == "Resources" && section.IsNull() {
			key.Errorf("the section is empty")
			return t
		}
	}
	resources, ok := sections["Resources"]
	if !ok {
		advice := "this is not a template"
		if near := suggest.Nearest("Resources", slices.Sorted(maps.Keys(sections))); near != "" {
			advice = "did you mean it by " + near + "?"
		}
		root.Errorf("the section Resources is missing: %s", advice)
		return t
	}
	l.templates++
	r := l.newReader(t, sections, given)
	l.around = append(l.around, path.Clean(file.Name))
	r.readResources(resources, []string{"Resources"})
	l.around = l.around[:len(l.around)-1]
	return t
}

func (l *loader) newReader(t *Template, sections map[string]source.Value, given arguments) *reader {
	s := &scope{
		doc:        t.doc,
		pseudo:     pseudoValues(l.opt),
		conditions: readConditions(sections["Conditions"]),
		mappings:   readMappings(sections["Mappings"]),
		resources:  map[string]bool{},
		loops:      map[string]string{},
		budget:     &l.budget,
	}
	s.parameters = s.readParameters(sections["Parameters"], given)
	for _, name := range slices.Sorted(maps.Keys(s.parameters)) {
		if s.parameters[name].noEcho {
			t.NoEcho = append(t.NoEcho, name)
		}
	}
	for name := range plainEntries(sections["Resources"]) {
		s.resources[name] = true
	}
	return &reader{
		scope:      s,
		loader:     l,
		template:   t,
		globals:    s.readGlobals(sections["Globals"]),
		transforms: s.transforms(sections["Transform"]),
		ids:        map[string]bool{},
		warned:     map[string]bool{},
	}
}

// transforms returns the names of a template's transforms.
func (s *scope) transforms(section source.Value) map[string]bool {
	names := map[string]bool{}
	if section.Node == nil {
		return names
	}
	if section.Node.Kind == yaml.ScalarNode {
		names[section.Node.Value] = true
		return names
	}
	list, _ := s.list(section)
	for _, name := range list {
		names[name.Reveal()] = true
	}
	return names
}

// collect adds the mistakes of a template, those of one that is nested twice once.
func (l *loader) collect(doc *source.Document) {
	var mistakes source.Diagnostics
	errors.As(doc.Err(), &mistakes)
	for _, mistake := range mistakes {
		if text := mistake.Error(); len(l.mistakes) < maxMistakes && !l.seen[text] {
			l.seen[text] = true
			l.mistakes = append(l.mistakes, mistake)
		}
	}
}

// maxMistakes is how many mistakes of an application are reported.
const maxMistakes = 200
