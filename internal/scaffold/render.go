package scaffold

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v4"

	"github.com/samforge/samforge/llbgen"
)

// fileTemplate is the build file. llbgen's text describes each key. YAML that is commented out has
// no space after its #, or two.
//
//go:embed samforge.yaml.tmpl
var fileTemplate string

// render writes the build file, even if the answers are wrong.
func (a Answers) render() ([]byte, error) {
	fields := map[string]llbgen.Field{}
	for _, f := range llbgen.Fields() {
		fields[f.Path] = f
	}
	var own []section
	for _, f := range llbgen.Fields() {
		switch _, key, below := strings.Cut(f.Path, "."); {
		case !slices.Contains(f.Kinds, a.Kind) || strings.Contains(f.Path, "[]"):
		case !below:
			own = append(own, section{Path: f.Path})
		case f.Default != "":
			last := &own[len(own)-1] // the section of the key
			last.Keys = append(last.Keys, key)
		}
	}
	tmpl, err := template.New(llbgen.Filename).Funcs(template.FuncMap{
		"schema":  func() string { return llbgen.SchemaURL },
		"default": func(path string) string { return fields[path].Default },
		"example": func(path string) string { return fields[path].Example },
		"own":     func() []section { return own },
		"yaml":    scalar,
		"comment": func(start, path string) string { return comment(start, fields[path].Help) },
	}).Parse(fileTemplate)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	if err := tmpl.Execute(&file, a); err != nil {
		return nil, fmt.Errorf("write the build file: %w", err)
	}
	return file.Bytes(), nil
}

// section is a section of the build file that not every kind has, with the keys that have a
// default.
type section struct {
	Path string
	Keys []string
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
