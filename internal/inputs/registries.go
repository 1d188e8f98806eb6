package inputs

import (
	"bytes"
	"maps"
	"slices"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Registries returns the registries of the images that a Dockerfile names in FROM and COPY --from,
// with the build arguments args. It asks no registry, and so does not follow what else needs one. A
// Dockerfile with mistakes has none: those are found when it is built.
func Registries(dockerfile []byte, args map[string]string) []string {
	parsed, err := parser.Parse(bytes.NewReader(dockerfile))
	if err != nil {
		return nil
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil
	}
	var variables []string
	for name, value := range args {
		variables = append(variables, name+"="+value)
	}
	lex := shell.NewLex(parsed.EscapeToken)
	expand := func(word string) string {
		expanded, _, err := lex.ProcessWord(word, shell.EnvsFromSlice(variables))
		if err != nil {
			return ""
		}
		return expanded
	}
	for _, command := range global {
		for _, arg := range command.Args {
			if _, given := args[arg.Key]; !given && arg.Value != nil {
				variables = append(variables, arg.Key+"="+expand(*arg.Value))
			}
		}
	}
	found := map[string]bool{}
	add := func(image string) {
		if named, err := reference.ParseNormalizedNamed(expand(image)); err == nil {
			found[reference.Domain(named)] = true
		}
	}
	for _, stage := range stages {
		add(stage.BaseName)
		for _, command := range stage.Commands {
			if files, ok := command.(*instructions.CopyCommand); ok && files.From != "" {
				add(files.From)
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}
