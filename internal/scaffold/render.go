package scaffold

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/llbgen"
)

// buildFile is a build file that is being written. llbgen's text describes each key. YAML that is
// commented out has no space after its #, or two.
type buildFile struct {
	strings.Builder
	fields map[string]llbgen.Field // by path
}

// render writes the build file, even if the answers are wrong.
func (a Answers) render() ([]byte, error) {
	f := &buildFile{fields: map[string]llbgen.Field{}}
	for _, field := range llbgen.Fields() {
		f.fields[field.Path] = field
	}
	f.line("# yaml-language-server: $schema=" + llbgen.SchemaURL)
	f.line("#")
	f.line("# The images that samforge builds. samforge check finds mistakes in this file, and things that")
	f.line("# should change; samforge build --push builds the images and pushes them. All keys are explained in")
	f.line("# https://github.com/samforge/samforge/blob/main/docs/build-file.md")
	err := f.required(a)
	f.line("")
	f.line("# Everything below is optional. Versions and choices are shown with their defaults.")
	f.optional(a)
	return []byte(f.String()), err
}

// required writes what the answers say.
func (f *buildFile) required(a Answers) error {
	values, err := scalars(append([]string{a.Kind, a.Plugin, a.PluginVersion, a.Repo}, a.Runtimes...))
	if err != nil {
		return err
	}
	f.section("kind", "kind: "+values[0])
	f.section("plugin", "plugin:")
	f.comment("  #", "plugin.image")
	f.line("  image: " + values[1])
	f.comment("  #", "plugin.version")
	f.line("  version: " + values[2])
	if a.Repo == "" {
		f.section("repo", "#repo: "+f.fields["repo"].Example)
	} else {
		f.section("repo", "repo: "+values[3])
	}
	f.section("runtimes", "runtimes:")
	f.comment("  #", "runtimes[].image")
	f.line("  # name and samVersion may be set beside it, if the reference does not contain them.")
	for n, image := range values[4:] {
		f.line("  - image: " + image)
		if node := a.Node(n); node != "" {
			node, err := scalar(node)
			if err != nil {
				return err
			}
			f.line("    node: " + node)
		}
	}
	f.framework(a)
	return nil
}

// framework writes the section of the framework, if the answers say something about it.
func (f *buildFile) framework(a Answers) {
	if a.Framework == (Framework{}) {
		return
	}
	f.section(a.Kind, a.Kind+":")
	for _, of := range []struct{ key, value string }{{"flavor", a.Framework.Flavor}, {"version", a.Framework.Version}} {
		if of.value != "" {
			f.comment("  #", a.Kind+"."+of.key)
			f.line("  " + of.key + ": " + of.value)
		}
	}
}

// optional writes the keys with a default, first the sections that only the kind has. The section of
// the framework may be there already.
func (f *buildFile) optional(a Answers) {
	for _, field := range llbgen.Fields() {
		switch section, key, below := strings.Cut(field.Path, "."); {
		case !slices.Contains(field.Kinds, a.Kind) || strings.Contains(field.Path, "[]"):
		case section == a.Kind && a.Framework != (Framework{}):
		case !below:
			f.section(section, "#"+section+":")
		case field.Default != "":
			f.comment("#  #", field.Path)
			f.line("#  " + key + ": " + field.Default)
		}
	}
	f.section("docker", "#docker:")
	f.line("#  version: " + f.fields["docker.version"].Default)
	f.section("goTemplate", "#goTemplate:")
	f.line("#  version: " + f.fields["goTemplate.version"].Default)
	for _, path := range []string{"mirrors", "labels"} {
		f.section(path, "#"+path+":")
		f.line("#  " + f.fields[path].Example)
	}
}

// section begins a section with what it means and its first line.
func (f *buildFile) section(path, first string) {
	f.line("")
	f.comment("#", path)
	f.line(first)
}

func (f *buildFile) comment(start, path string) { f.line(comment(start, f.fields[path].Help)) }

func (f *buildFile) line(text string) { f.WriteString(text + "\n") }

func scalars(texts []string) (all []string, err error) {
	for _, text := range texts {
		value, err := scalar(text)
		if err != nil {
			return nil, fmt.Errorf("write the build file: %w", err)
		}
		all = append(all, value)
	}
	return all, nil
}

// scalar writes a string as YAML, on one line and quoted if necessary.
func scalar(s string) (string, error) {
	plain, err := yaml.Dump(s)
	if text := strings.TrimSuffix(string(plain), "\n"); err == nil && !strings.Contains(text, "\n") {
		return text, nil
	}
	quoted, err := json.Marshal(s)
	return string(quoted), err
}

// commentWidth is the maximum length of a comment line.
const commentWidth = 100

// comment breaks text into lines that begin with start.
func comment(start, text string) string {
	var lines []string
	line := start
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > commentWidth {
			lines = append(lines, line)
			line = start
		}
		line += " " + word
	}
	return strings.Join(append(lines, line), "\n")
}
