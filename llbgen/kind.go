package llbgen

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/npm"
)

// kind is a kind of images that a build file can describe. A new kind is a file that implements
// this, and a line in kinds.
type kind interface {
	// name is the value of the key kind, and help says in a few words what it is for.
	name() string
	help() string
	// section returns an empty value for the kind's own section of the build file, or nil. It is a
	// pointer to a struct with yaml tags. The key of the section is the kind's name.
	section() any
	// fields are the rows of the field table for keys that only some kinds have.
	fields() []Field
	// variables are the build arguments that only some kinds have, in the order in which they are
	// applied.
	variables() []Variable
	// setDefaults fills in what the build file leaves out.
	setDefaults(f *File)
	// validate checks the values that only this kind has.
	validate(p *Plan)
	// variants names the images that it makes for each runtime. A kind that makes one has a single
	// empty name.
	variants() []string
	// tag is the template for the tag of a variant's image. tagFields are its placeholders in
	// addition to those of every kind.
	tag(variant string) string
	tagFields(f *File) map[string]string
	// describe says in a few words what the image of a target is.
	describe(p *Plan, t Target) string
	// packageOf returns the npm package that a variant's image has, or false.
	packageOf(f *File, variant string) (npmPackage, bool)
	// checkNode refuses a Node.js on which the kind's programs do not run. It need not check npm
	// packages with a lock: this is done for every kind.
	checkNode(p *Plan, at string, node catalogue.Runtime)
	// unpinned reports the kind's downloads that nothing pins.
	unpinned(p *Plan, targets []Target, report func(field, format string, args ...any))
	// build expresses one target as a graph.
	build(ctx context.Context, b *build) (*Image, error)
}

// kinds are all kinds, in the order they are listed.
func kinds() []kind {
	return []kind{
		samKind{},
		serverlessKind{},
		cdkKind{},
	}
}

// plainKind implements what a kind can leave out.
type plainKind struct{}

func (plainKind) section() any                                                      { return nil }
func (plainKind) fields() []Field                                                   { return nil }
func (plainKind) setDefaults(*File)                                                 {}
func (plainKind) validate(*Plan)                                                    {}
func (plainKind) variants() []string                                                { return []string{""} }
func (plainKind) tagFields(*File) map[string]string                                 { return nil }
func (plainKind) packageOf(*File, string) (npmPackage, bool)                        { return npmPackage{}, false }
func (plainKind) checkNode(*Plan, string, catalogue.Runtime)                        {}
func (plainKind) unpinned(*Plan, []Target, func(field, format string, args ...any)) {}

// KindNames returns the kinds of images that a build file can be for.
func KindNames() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.name())
	}
	return names
}

func kindNamed(name string) (kind, bool) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.name() == name })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

// kind returns the plan's kind. Load has checked that it exists.
func (p *Plan) kind() kind {
	k, _ := kindNamed(p.File.Kind)
	return k
}

// Sections are the sections of a build file that belong to one kind each, by the name of the kind.
type Sections map[string]any

// newFile returns an empty build file.
func newFile() File {
	f := File{Own: Sections{}}
	for _, k := range kinds() {
		if section := k.section(); section != nil {
			f.Own[k.name()] = section
		}
	}
	return f
}

// section returns a kind's own section of a build file.
func section[T any](f *File, key string) *T {
	if own, ok := f.Own[key].(*T); ok {
		return own
	}
	return new(T)
}

// sectionTypes yields the type of each kind's own section by its key.
func sectionTypes(yield func(key string, t reflect.Type) bool) {
	for _, k := range kinds() {
		if section := k.section(); section != nil && !yield(k.name(), reflect.TypeOf(section).Elem()) {
			return
		}
	}
}

// foreignFields returns the keys that a kind does not have, each section before its keys.
func foreignFields(kind string) []Field {
	return slices.DeleteFunc(Fields(), func(f Field) bool {
		return len(f.Kinds) == 0 || slices.Contains(f.Kinds, kind)
	})
}

// refuseForeignFields refuses keys of other kinds, in the build file and from build arguments.
func (p *Plan) refuseForeignFields() {
	for _, f := range foreignFields(p.File.Kind) {
		if parent, _, below := strings.Cut(f.Path, "."); below && p.doc.Given(parent) {
			continue // which is refused as a whole
		}
		for _, path := range p.occurrences(f.Path) {
			if p.doc.Given(path) {
				p.doc.Errorf(path, "belongs to kind: %s, and this is kind: %s", strings.Join(f.Kinds, " or "), p.File.Kind)
			}
		}
	}
}

// occurrences are the paths of a field: one, or one for each entry of `runtimes`.
func (p *Plan) occurrences(path string) []string {
	if !strings.Contains(path, "[]") {
		return []string{path}
	}
	var paths []string
	for i := range p.File.Runtimes {
		paths = append(paths, strings.Replace(path, "[]", fmt.Sprintf("[%d]", i), 1))
	}
	return paths
}

// packages returns the npm packages that are installed for the targets, each once.
func (p *Plan) packages(targets ...Target) []npmPackage {
	found := map[string]npmPackage{}
	for _, t := range targets {
		if pkg, ok := p.kind().packageOf(&p.File, t.Variant); ok {
			found[pkg.field] = pkg
		}
	}
	return slices.Collect(maps.Values(found))
}

// ReadsContext reports whether building reads files of the build context.
func (p *Plan) ReadsContext() bool {
	return slices.ContainsFunc(p.packages(p.Targets...), func(pkg npmPackage) bool { return pkg.lock != "" })
}

// Secrets returns the IDs of the secrets that building a target can use. All are optional.
func (p *Plan) Secrets(t Target) []string {
	if len(p.packages(t)) == 0 {
		return nil
	}
	return npm.Secrets()
}

// Description says in a few words what a target is.
func (p *Plan) Description(t Target) string { return p.kind().describe(p, t) }
