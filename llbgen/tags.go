package llbgen

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/samforge/samforge/internal/placeholder"
)

// legalTag follows the OCI distribution specification, "Pulling manifests":
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md
var legalTag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// Tagger makes the references of a plan's images.
type Tagger struct {
	// Template is the tag with placeholders for Version, Runtime, SAMVersion, Variant, Arch,
	// Target, Timestamp and those of the kind, as [placeholder.Fill] has them; empty means the
	// kind's own, such as [SAMTag].
	Template string
	// Time is what the template's Timestamp shows, as YYYYMMDDhhmmss in UTC.
	Time time.Time
}

// Reference returns the reference of target t for one architecture, or of its index when arch is
// empty.
func (p *Plan) Reference(t Target, arch string, by Tagger) (string, error) {
	if p.File.Repo == "" {
		return "", p.doc.At("repo", "missing: name the repository to tag the images in here, with --repo or with --build-arg TARGET_REPO=…")
	}
	text := by.Template
	if text == "" {
		text = p.kind().tag(t.Variant)
	}
	tag, err := p.tag(t, text, arch, by.Time)
	if err != nil {
		return "", err
	}
	if !legalTag.MatchString(tag) {
		return "", fmt.Errorf("target %s: %q is not a legal tag: at most 128 letters, digits, dots, dashes and underscores, with a letter or a digit first", t.Name, tag)
	}
	return p.File.Repo + ":" + tag, nil
}

// TagFields returns the placeholders that a tag's template can have, including those of single
// kinds.
func TagFields() []string {
	fields := map[string]string{}
	file := newFile()
	for _, k := range kinds() {
		maps.Copy(fields, k.tagFields(&file))
	}
	maps.Copy(fields, tagFields(&file, Target{}, "", time.Time{}))
	return slices.Sorted(maps.Keys(fields))
}

// tagFields are the values of the placeholders that every kind has.
func tagFields(f *File, t Target, arch string, at time.Time) map[string]string {
	return map[string]string{
		"Version":    f.Plugin.Version,
		"Runtime":    t.Runtime,
		"SAMVersion": t.SAMVersion,
		"Variant":    t.Variant,
		"Arch":       arch,
		"Target":     t.Name,
		"Timestamp":  at.UTC().Format("20060102150405"),
	}
}

func (p *Plan) tag(t Target, text, arch string, at time.Time) (string, error) {
	fields := tagFields(&p.File, t, arch, at)
	maps.Copy(fields, p.kind().tagFields(&p.File))
	tag, err := placeholder.Fill(text, fields)
	if err != nil {
		return "", fmt.Errorf("tag template %.100q: %w", text, err)
	}
	return tag, nil
}
