package llbgen

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/samforge/samforge/catalogue"
	"github.com/samforge/samforge/internal/rules"
	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/npm"
	"github.com/samforge/samforge/source"
)

// Plan is a valid build file: what there is to build.
type Plan struct {
	// File is the build file with defaults and build arguments applied.
	File File
	// Targets are the images of the file, in its order.
	Targets []Target
	// Warnings are problems that do not stop a build.
	Warnings []*source.Diagnostic
	// Verify says how far images are checked: [VerifyStatic], [VerifyFull] or [VerifyOff].
	Verify string

	lockfile  *Lockfile // nil for none
	locked    bool      // everything must be in it
	doc       *source.Document
	catalogue *catalogue.Catalogue
	checksums *catalogue.Checksums
	checks    rules.Choice // which rules count
	today     time.Time    // zero if [Today] was not given
	newest    func(runtime string, mirrors Mirrors) string

	locksMu sync.Mutex
	locks   map[string]*npm.Lock // the embedded locks by package; nil for a package without one
}

// A LoadOption gives [Load] something that is not in the build file.
type LoadOption func(*Plan)

// Today sets the day to compare ends of life with. The default is [catalogue.Catalogue.AsOf].
func Today(day time.Time) LoadOption { return func(p *Plan) { p.today = day } }

// WithLockfile makes the plan use a lock file; nil means none.
func WithLockfile(l *Lockfile) LoadOption { return func(p *Plan) { p.lockfile = l } }

// MaxFileSize is far more than a build file needs: a thousand runtimes take a tenth of it.
const MaxFileSize = 2 << 20

// syntax is that of the build file.
func syntax() source.Syntax {
	return source.Syntax{TagAdvice: "write the value itself, or give it with a build argument"}
}

// Load reads a build file and applies the build arguments. With empty data, the arguments must give
// everything. It returns all mistakes together, as [source.Diagnostics].
func Load(filename string, data []byte, args map[string]string, opts ...LoadOption) (*Plan, error) {
	if len(data) > MaxFileSize {
		return nil, fmt.Errorf("%s: %d bytes are more than a build file may have (%d)", filename, len(data), MaxFileSize)
	}
	known, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	checksums, err := catalogue.LoadChecksums()
	if err != nil {
		return nil, err
	}
	p := &Plan{File: newFile(), catalogue: known, checksums: checksums, doc: source.New(filename, data, syntax())}
	for _, opt := range opts {
		opt(p)
	}
	// An empty variable of a CI system is one that was not given.
	args = maps.Clone(args)
	maps.DeleteFunc(args, func(name, value string) bool { return value == "" && name != rules.Arg })
	p.Verify = cmp.Or(args[verifyArg], VerifyStatic)
	if p.locked, err = Locked(args); err != nil {
		p.doc.Errorf("locked", "%v", err)
	}
	p.readChecks(data, args)
	p.doc.Decode(&p.File)
	unused := p.apply(args)
	p.lintArgs(args, unused)
	if p.doc.Count() == 0 {
		p.File.setDefaults()
		p.validate()
	}
	if err := p.doc.Err(); err != nil {
		return nil, err
	}
	p.lint()
	sortByPlace(p.Warnings)
	return p, nil
}

// Select returns the targets that name selects: a target of that name, or all targets of a runtime
// or of a variant. The empty name selects all.
func (p *Plan) Select(name string) ([]Target, error) {
	if name == "" {
		return p.Targets, nil
	}
	var selected []Target
	for _, t := range p.Targets {
		if slices.Contains([]string{t.Name, t.entry, t.Runtime, t.Variant}, name) {
			selected = append(selected, t)
		}
	}
	if len(selected) > 0 {
		return selected, nil
	}
	message := fmt.Sprintf("unknown target %q", name)
	if near := suggest.Nearest(name, p.targetNames()); near != "" {
		message += fmt.Sprintf(": did you mean %q?", near)
	}
	return nil, fmt.Errorf("%s (targets: %s)", message, strings.Join(p.targetNames(), ", "))
}

// SelectOne returns the one target that name selects. If there are several, the error lists them: a
// build through a frontend makes one image.
func (p *Plan) SelectOne(name string) (Target, error) {
	selected, err := p.Select(name)
	if err != nil {
		return Target{}, err
	}
	if len(selected) > 1 {
		return Target{}, fmt.Errorf("%s has several targets and one build makes one image: choose one with --target (%s)",
			p.source(), strings.Join(names(selected), ", "))
	}
	return selected[0], nil
}

func (p *Plan) source() string {
	if p.doc.Filename() == "" {
		return "the build"
	}
	return p.doc.Filename()
}

func (p *Plan) targetNames() []string { return names(p.Targets) }

func names(targets []Target) []string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Name)
	}
	return names
}

// At returns err as a [source.Diagnostic] at the place of field in the build file.
func (p *Plan) At(field string, err error) *source.Diagnostic {
	d := p.doc.At(field, "%v", err)
	d.Err = err
	return d
}
