package llbgen

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/catalogue"
)

// Target is one image that a build file makes.
type Target struct {
	// Name selects the target: "nodejs22.x", or "python3.12-serverless".
	Name string
	// Variant names one of the runtime's images; empty if the kind makes one image for each
	// runtime.
	Variant string
	// Runtime is the name of the Lambda runtime: "nodejs22.x".
	Runtime string
	// SAMVersion is the version of the SAM CLI in the base image.
	SAMVersion string
	// Base is the reference of the base image, as written.
	Base string
	// Arch is the architecture that the tag of Base names: "amd64" or "arm64"; empty if it names
	// none.
	Arch string

	// Node is the reference of the node image, as written; empty for kinds without one.
	Node string

	entry string // name of the entry of `runtimes`, which its variants share
	path  string // of the entry in the build file, for errors
}

// Entry names the target's entry of `runtimes`. The variants of an entry share layers.
func (t Target) Entry() string { return t.entry }

var (
	tagPart        = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	runtimePattern = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)
)

// architectures are those that the images are built for, by their OCI names.
func architectures() []string { return []string{"amd64", "arm64"} }

// validateRuntimes turns the entries of `runtimes` into targets.
func (p *Plan) validateRuntimes() {
	if len(p.File.Runtimes) == 0 {
		p.doc.Errorf("runtimes", "missing: list at least one base image here, or name it with --build-arg SAM_BASE_IMAGE=…")
		return
	}
	for i, entry := range p.File.Runtimes {
		t, ok := p.target(fmt.Sprintf("runtimes[%d]", i), entry)
		if !ok {
			continue
		}
		for _, variant := range p.kind().variants() {
			t.Variant = variant
			p.Targets = append(p.Targets, t)
		}
	}
	p.nameTargets()
	p.refuseEqualTags()
}

// target reads one entry of `runtimes`.
func (p *Plan) target(path string, entry RuntimeImage) (Target, bool) {
	doc := p.doc
	if entry.Image == "" {
		doc.Errorf(path+".image", "missing: name the base image, such as public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415")
		return Target{}, false
	}
	ref, err := catalogue.ParseSAMReference(entry.Image)
	var missing *catalogue.ReferenceError
	if err != nil && !errors.As(err, &missing) {
		doc.Errorf(path+".image", "%v", err)
		return Target{}, false
	}
	t := Target{Runtime: ref.Runtime, SAMVersion: ref.SAMVersion, Base: entry.Image, Arch: ref.Arch, path: path}
	if entry.Name != "" {
		t.Runtime = entry.Name
	}
	if entry.SAMVersion != "" {
		t.SAMVersion = entry.SAMVersion
	}
	before := doc.Count()
	switch {
	case t.Runtime == "":
		doc.Errorf(path+".image", "%s", p.noRuntime(path, entry.Image))
	case !runtimePattern.MatchString(t.Runtime):
		doc.Errorf(path+".name", "%q is not the name of a runtime, such as python3.12", t.Runtime)
	}
	_, isName := p.catalogue.Runtime(entry.Image)
	switch {
	case t.SAMVersion == "" && isName: // the same mistake
	case t.SAMVersion == "":
		doc.Errorf(path+".image", "no SAM CLI version can be read from %q: use a tag that begins with one, such as 1.143.0-20250822194415, or set %s.samVersion by hand", entry.Image, path)
	case !tagPart.MatchString(t.SAMVersion):
		doc.Errorf(path+".samVersion", "%q cannot be part of a tag: use a version such as 1.143.0", t.SAMVersion)
	}
	t.Node = entry.Node
	p.consult(t)
	if t.Node != "" {
		p.checkPair(t)
	}
	return t, doc.Count() == before
}

// consult checks the target's runtime against the catalogue.
func (p *Plan) consult(t Target) {
	if t.Runtime == "" {
		return
	}
	at := t.path + ".image"
	runtime, ok := p.catalogue.Runtime(t.Runtime)
	switch {
	case !ok && p.catalogue.Nearest(t.Runtime) != "":
		p.findf(RuleUnknownRuntime, at, "the runtime %q is not in the catalogue (did you mean %q?): it is built as it is", t.Runtime, p.catalogue.Nearest(t.Runtime))
	case !ok:
		p.findf(RuleUnknownRuntime, at, "the runtime %q is not in the catalogue: it is built as it is", t.Runtime)
	case t.Arch != "" && !slices.Contains(runtime.Architectures, t.Arch):
		p.doc.Errorf(at, "%s exists for %s only", t.Runtime, strings.Join(runtime.Architectures, " and "))
	default:
		p.lintEndOfLife(at, runtime)
	}
}

// nameTargets names each target after its entry's runtime and its variant. If several entries share
// a runtime, the SAM version and then the architecture are added.
func (p *Plan) nameTargets() {
	for _, name := range []func(Target) string{
		func(t Target) string { return t.Runtime },
		func(t Target) string { return t.Runtime + "-" + t.SAMVersion },
		func(t Target) string { return t.Runtime + "-" + t.SAMVersion + "-" + t.Arch },
	} {
		paths := map[string]map[string]bool{} // of the entries that share a name
		for _, t := range p.Targets {
			if paths[t.entry] == nil {
				paths[t.entry] = map[string]bool{}
			}
			paths[t.entry][t.path] = true
		}
		for i, t := range p.Targets {
			if t.entry == "" || len(paths[t.entry]) > 1 {
				p.Targets[i].entry = name(t)
			}
		}
	}
	for i, t := range p.Targets {
		p.Targets[i].Name = t.entry
		if t.Variant != "" {
			p.Targets[i].Name += "-" + t.Variant
		}
	}
}

// refuseEqualTags finds entries whose images would overwrite each other.
func (p *Plan) refuseEqualTags() {
	refused := map[string]bool{}
	byTag := map[string][]Target{} // one for each architecture
	for _, t := range p.Targets {
		tag := p.defaultTag(t)
		i := slices.IndexFunc(byTag[tag], func(other Target) bool { return t.Arch == other.Arch || t.Arch == "" || other.Arch == "" })
		if i >= 0 && !refused[t.path] {
			refused[t.path] = true
			p.doc.Errorf(t.path, "gives the same tag as %s (%s): one image would overwrite the other; drop one, or set name", byTag[tag][i].path, tag)
		}
		if !slices.ContainsFunc(byTag[tag], func(other Target) bool { return t.Arch == other.Arch }) {
			byTag[tag] = append(byTag[tag], t)
		}
	}
}

// defaultTag is the kind's own tag of a target, without an architecture.
func (p *Plan) defaultTag(t Target) string {
	tag, err := p.tag(t, p.kind().tag(t.Variant), "", time.Time{})
	if err != nil {
		return t.Name // cannot happen: the kinds' templates use known fields
	}
	return tag
}

// Platforms returns the platforms to build t for: those asked for, or else that of its base, or
// else fallback. It returns an error for a platform that the base image does not have.
func (p *Plan) Platforms(t Target, asked []ocispecs.Platform, fallback ocispecs.Platform) ([]ocispecs.Platform, error) {
	if len(asked) == 0 {
		if t.Arch != "" {
			fallback = ocispecs.Platform{OS: "linux", Architecture: t.Arch}
		}
		asked = []ocispecs.Platform{fallback}
	}
	var found []ocispecs.Platform
	for _, platform := range asked {
		platform = platforms.Normalize(platform)
		name := platforms.Format(platform)
		known, inCatalogue := p.catalogue.Runtime(t.Runtime)
		switch {
		case platform.OS != "linux" || !slices.Contains(architectures(), platform.Architecture):
			return nil, p.doc.At(t.path+".image", "target %s cannot be built for %s: SAM images exist for linux/amd64 and linux/arm64", t.Name, name)
		case t.Arch != "" && t.Arch != platform.Architecture:
			return nil, p.doc.At(t.path+".image", "target %s cannot be built for %s: its base image %s is for linux/%s only; a tag without -x86_64 or -arm64 has both", t.Name, name, t.Base, t.Arch)
		case inCatalogue && !slices.Contains(known.Architectures, platform.Architecture):
			return nil, p.doc.At(t.path+".image", "target %s cannot be built for %s: %s exists for %s only", t.Name, name, t.Runtime, strings.Join(known.Architectures, " and "))
		}
		if !slices.ContainsFunc(found, platforms.OnlyStrict(platform).Match) {
			found = append(found, platform)
		}
	}
	return found, nil
}
