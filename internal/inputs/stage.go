package inputs

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/solver/errdefs"

	"github.com/samforge/samforge/internal/suggest"
)

// Parse returns the mistake, at its line, of a Dockerfile that does not parse. One with a foreign
// `# syntax=` is not judged.
func Parse(name string, data []byte) error {
	_, err := parsed(name, data)
	return err
}

// CheckStage returns the mistake of a Dockerfile that does not parse, as [Parse], or that has no stage
// of a name. An empty name is the last stage.
func CheckStage(name string, data []byte, stage string) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return fmt.Errorf("%s has no instructions", name)
	}
	all, err := parsed(name, data)
	if err != nil || len(all) == 0 || stage == "" {
		return err
	}
	if _, isNumber := strconv.Atoi(stage); isNumber == nil {
		return nil
	}
	if _, ok := instructions.HasStage(all, stage); ok {
		return nil
	}
	var names []string
	for _, one := range all {
		if one.Name != "" {
			names = append(names, one.Name)
		}
	}
	advice := fmt.Sprintf(" (stages: %s)", strings.Join(names, ", "))
	if len(names) == 0 {
		advice = ": give one a name with FROM … AS " + stage
	} else if near := suggest.Nearest(stage, names); near != "" {
		advice = fmt.Sprintf(": did you mean %q?", near)
	}
	return &StageError{fmt.Sprintf("%s has no stage %q%s", name, stage, advice)}
}

// StageError says that a Dockerfile has no stage of a name.
type StageError struct{ sentence string }

func (e *StageError) Error() string { return e.sentence }

// parsed returns the stages of a Dockerfile; none if it has a foreign `# syntax=`.
func parsed(name string, data []byte) ([]instructions.Stage, error) {
	if _, _, _, foreign := parser.DetectSyntax(data); foreign {
		return nil, nil
	}
	tree, err := parser.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, inFile(err, name, data)
	}
	all, _, err := instructions.Parse(tree.AST, nil)
	return all, inFile(err, name, data)
}

// inFile is atLines for a mistake in the text of a Dockerfile, which names the file if it has no line.
func inFile(err error, name string, data []byte) error {
	if err = atLines(err, name, data); err != nil && len(errdefs.Sources(err)) == 0 {
		return fmt.Errorf("%s: %w", name, err)
	}
	return err
}
