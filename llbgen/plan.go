package llbgen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Plan is a build file that was found to be right: what there is to build.
type Plan struct {
	// File is the build file with defaults and build arguments applied.
	File File
	// Targets are the images of the file, in its order.
	Targets []Target
	// Warnings are what is better changed but does not stop a build.
	Warnings []*Diagnostic

	doc       *document
	catalogue *Catalogue
	checksums *Checksums
}

// Load reads a build file and applies the build arguments. Empty data is a
// build file of which the arguments give everything. All mistakes are returned
// together, as [Diagnostics].
func Load(filename string, data []byte, args map[string]string) (*Plan, error) {
	catalogue, err := LoadCatalogue()
	if err != nil {
		return nil, err
	}
	checksums, err := LoadChecksums()
	if err != nil {
		return nil, err
	}
	p := &Plan{catalogue: catalogue, checksums: checksums, doc: &document{
		filename: filename,
		lines:    splitLines(data),
		places:   map[string]place{},
	}}
	p.doc.decode(data, &p.File)
	unused := p.doc.apply(&p.File, args)
	for _, message := range unused {
		p.Warnings = append(p.Warnings, &Diagnostic{Message: message})
	}
	if len(p.doc.errs) == 0 {
		p.File.setDefaults()
		p.validate()
	}
	if len(p.doc.errs) > 0 {
		return nil, p.doc.errs
	}
	return p, nil
}

// Select returns the targets that name selects: a target of that name, or all
// targets of a runtime. The empty name selects all.
func (p *Plan) Select(name string) ([]Target, error) {
	if name == "" {
		return p.Targets, nil
	}
	var selected []Target
	for _, t := range p.Targets {
		if t.Name == name || t.Runtime == name {
			selected = append(selected, t)
		}
	}
	if len(selected) > 0 {
		return selected, nil
	}
	message := fmt.Sprintf("unknown target %q", name)
	if near := nearest(name, p.targetNames()); near != "" {
		message += fmt.Sprintf(": did you mean %q?", near)
	}
	return nil, fmt.Errorf("%s (targets: %s)", message, strings.Join(p.targetNames(), ", "))
}

// SelectOne returns the one target that name selects. Where name selects
// several it says which there are, as a build through a frontend returns one.
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
	if p.doc.filename == "" {
		return "the build"
	}
	return p.doc.filename
}

func (p *Plan) targetNames() []string { return names(p.Targets) }

func names(targets []Target) []string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Name)
	}
	return names
}

// At returns err as a [Diagnostic] at the place of field in the build file.
func (p *Plan) At(field string, err error) error {
	d := p.doc.at(field, "%v", err)
	d.Err = err
	return d
}

// warnf records a warning about the value at path.
func (p *Plan) warnf(path, format string, args ...any) {
	p.Warnings = append(p.Warnings, p.doc.at(path, format, args...))
}

// validate checks the values of the file and lists its targets.
func (p *Plan) validate() {
	f, doc := &p.File, p.doc
	switch f.Kind {
	case "sam":
	case "":
		doc.errorf("kind", "missing: say what to build with `kind: sam`, or --kind sam")
		return
	default:
		doc.errorf("kind", "unknown kind %q; the kinds are: sam", f.Kind)
		return
	}
	p.validatePlugin()
	p.validateDownloads()
	if f.Repo != "" {
		if named, err := reference.ParseNormalizedNamed(f.Repo); err != nil {
			doc.errorf("repo", "%q is not a repository: %v", f.Repo, err)
		} else if !reference.IsNameOnly(named) {
			doc.errorf("repo", "%q has a tag or a digest: name the repository alone, samforge makes the tags", f.Repo)
		}
	}
	for _, from := range slices.Sorted(maps.Keys(f.Mirrors)) {
		to := f.Mirrors[from]
		if to == "" || isURL(from) != isURL(to) {
			doc.errorf(join("mirrors", from), "%q cannot stand for %q: a registry is replaced by a registry, a URL prefix by a URL prefix", to, from)
		}
	}
	p.validateRuntimes()
}

func (p *Plan) validatePlugin() {
	f, doc := &p.File, p.doc
	if f.Plugin.Image == "" {
		doc.errorf("plugin.image", "missing: name the plugin's base image here or with --build-arg HARNESS_BASE_IMAGE=…")
	} else if _, err := reference.ParseNormalizedNamed(f.Plugin.Image); err != nil {
		doc.errorf("plugin.image", "%q is not an image reference: %v", f.Plugin.Image, err)
	}
	if f.Plugin.Version == "" {
		doc.errorf("plugin.version", "missing: give the version that the tags carry here or with --build-arg VERSION=…")
	} else if !tagPart.MatchString(f.Plugin.Version) {
		doc.errorf("plugin.version", "%q cannot stand in a tag: use letters, digits, dots, dashes and underscores", f.Plugin.Version)
	}
}

func (p *Plan) validateDownloads() {
	f, doc := &p.File, p.doc
	d := f.Docker
	if d.Image != "" && d.Archive != "" {
		doc.errorf("docker", "image and archive exclude each other: keep one")
	}
	if len(d.SHA256) > 0 && d.Archive == "" {
		doc.errorf("docker.sha256", "belongs to archive, which is not set; an image is pinned by its digest")
	}
	if d.Image != "" {
		if _, err := reference.ParseNormalizedNamed(d.Image); err != nil {
			doc.errorf("docker.image", "%q is not an image reference: %v", d.Image, err)
		}
	}
	if d.Version != "" && !tagPart.MatchString(d.Version) {
		doc.errorf("docker.version", "%q is not a version such as %s", d.Version, DefaultDockerVersion)
	}
	if d.Archive != "" {
		if strings.Contains(d.Archive, ".Version") && d.Version == "" {
			doc.errorf("docker.archive", "the URL uses the version, which is missing: set docker.version")
		} else if url, err := expandURL(d.Archive, urlFields{Version: d.Version, Arch: "amd64"}); err != nil {
			doc.errorf("docker.archive", "%v", err)
		} else if !isURL(url) {
			doc.errorf("docker.archive", "%q is not a URL: it must start with https:// or http://", d.Archive)
		}
	}
	if v := f.GoTemplate.Version; v != "" && !tagPart.MatchString(v) {
		doc.errorf("goTemplate.version", "%q is not a version such as %s", v, DefaultGoTemplateVersion)
	}
	p.validateSums("docker.sha256", d.SHA256)
	p.validateSums("goTemplate.sha256", f.GoTemplate.SHA256)
}

func (p *Plan) validateSums(path string, sums map[string]string) {
	for _, arch := range slices.Sorted(maps.Keys(sums)) {
		if !slices.Contains(architectures(), arch) {
			p.doc.errorf(join(path, arch), "unknown architecture %q: use %s", arch, strings.Join(architectures(), " or "))
		} else if _, err := parseSHA256(sums[arch]); err != nil {
			p.doc.errorf(join(path, arch), "%v", err)
		}
	}
}
