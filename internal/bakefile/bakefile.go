// Package bakefile has the files of docker buildx bake read by the program samforge-bake.
//
// docker buildx's library for them is as large as the rest of samforge together, and few users have
// such files. So it is in a program of its own.
package bakefile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/samforge/samforge/internal/programs"
	"github.com/samforge/samforge/internal/project"
)

// Program is the name of the program that reads bake files: cmd/samforge-bake.
const Program = "samforge-bake"

// ErrNoProgram is wrapped by the errors of [Read] that are no mistakes in the bake files.
var ErrNoProgram = errors.New("the program " + Program + " reads bake files")

// Definition says what docker buildx bake would build.
type Definition struct {
	// Files are the bake files: HCL, JSON, or Compose.
	Files []string
	// Targets are the names of targets and groups; empty means the group default.
	Targets []string
	// Set, Variables and Allow are as the flags --set, --var and --allow.
	Set, Variables, Allow []string
	// Push pushes the images that have no other output, and those that the files push; otherwise none is
	// pushed.
	Push bool
	// Note is told what is left out.
	Note func(sentence string) `json:"-"`
}

// answer is what the program writes, as JSON, for the [Definition] on its standard input.
type answer struct {
	Images []project.Dockerfile
	// Notes are for [Definition.Note].
	Notes []string
	// Error is what is wrong with the files; there are no images then.
	Error string
}

// Read returns the images of the targets, in the order of their names, with those that are contexts of
// others. Paths and variables are those of this process. An error is a mistake in the files, unless it
// is an [ErrNoProgram].
func Read(ctx context.Context, d Definition) ([]project.Dockerfile, error) {
	program := programs.Find(Program, programs.Folders(os.Getenv("PATH")))
	if program == "" {
		return nil, fmt.Errorf("%w, and is neither beside samforge nor on PATH: it is in samforge's archives, packages and images; or run go install github.com/samforge/samforge/cmd/%s@latest", ErrNoProgram, Program)
	}
	asked, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(asked), &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w: %s", ErrNoProgram, program, err, bytes.TrimSpace(errs.Bytes()))
	}
	var read answer
	if err := decode(&out, &read); err != nil {
		return nil, fmt.Errorf("%w: %s is of another release than samforge (%w): install both from one", ErrNoProgram, program, err)
	}
	if read.Error != "" {
		return nil, errors.New(read.Error)
	}
	for _, note := range read.Notes {
		d.Note(note)
	}
	return read.Images, nil
}

// Serve is the program's side of [Read]: it answers the definition in in.
func Serve(ctx context.Context, in io.Reader, out io.Writer, read func(context.Context, Definition) ([]project.Dockerfile, error)) error {
	var d Definition
	if err := decode(in, &d); err != nil {
		return fmt.Errorf("no question of samforge on standard input: %w", err)
	}
	var a answer
	d.Note = func(sentence string) { a.Notes = append(a.Notes, sentence) }
	images, err := read(ctx, d)
	if err != nil {
		a = answer{Error: err.Error()}
	} else {
		a.Images = images
	}
	return json.NewEncoder(out).Encode(a)
}

// decode refuses fields that this release does not know: they may change what is built.
func decode(in io.Reader, into any) error {
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
