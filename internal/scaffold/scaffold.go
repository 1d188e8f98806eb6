// Package scaffold writes a user's first build file: `samforge init`. That is a samforge.yaml, or a
// SAM template with the files of a function.
//
// [Init] takes the answers from flags and, on a terminal, asks for the missing ones. It parses a
// samforge.yaml with llbgen and writes it only if there is no mistake.
package scaffold

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/samforge/samforge/llbgen"
)

// Options say what to write and where.
type Options struct {
	Answers
	// Path is the build file; "-" is standard output. If it is empty, it is samforge.yaml in the
	// current folder, or template.yaml for an application.
	Path string
	// Force replaces existing files.
	Force bool

	// Found is what the files of the folder say: see [Find]. It counts where no flag says anything.
	// Template is the SAM template in that folder, or "".
	Found    []Found
	Template string

	// Tags returns the tags of a repository: [registry.Client.Tags].
	Tags func(ctx context.Context, repository string) ([]string, error)

	// Ask asks for missing answers: the questions go to Stderr, and the answers come from Stdin.
	Ask            bool
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// InputError is a mistake in the flags or the answers.
type InputError struct{ err error }

func (e *InputError) Error() string { return e.err.Error() }

// Unwrap returns the mistake itself.
func (e *InputError) Unwrap() error { return e.err }

// Init writes a build file. If something is missing or wrong, or the file already exists, Init
// writes nothing and returns an [*InputError].
func Init(ctx context.Context, opt Options) error {
	if _, err := os.Lstat(opt.path()); err == nil && !opt.Force {
		return exists(opt.path())
	}
	if err := opt.answer(ctx); err != nil {
		return err
	}
	opt.Path = opt.path()
	if opt.Kind == Application {
		return initApplication(opt)
	}
	file, err := opt.File()
	if err != nil {
		return err
	}
	if opt.Path == "-" {
		_, err := opt.Stdout.Write(file)
		return err
	}
	if err := write(opt.Path, file, opt.Force); err != nil {
		return err
	}
	flag := ""
	if opt.Path != llbgen.Filename {
		flag = " -f " + opt.Path
	}
	repo := ""
	if opt.Repo == "" {
		repo = " --repo REPOSITORY"
	}
	fmt.Fprintf(opt.Stderr, "Wrote %[1]s. Look through it, then run:\n  samforge lock%[2]s\n  samforge check%[2]s\n  samforge build%[2]s --push%[3]s\n", opt.Path, flag, repo)
	return nil
}

// answer completes the answers: with those from the folder, and on a terminal by asking. Base images
// and node images are references then.
func (opt *Options) answer(ctx context.Context) error {
	if opt.Ask {
		ask := prompt{in: bufio.NewReader(opt.Stdin), out: opt.Stderr, opt: opt}
		if err := ask.complete(ctx, &opt.Answers); err != nil || opt.Kind == Application {
			return err
		}
		return opt.baseImages(ctx)
	}
	if err := opt.adopt(); err != nil || opt.Kind == Application {
		return err
	}
	if err := opt.unfinished(); err != nil {
		return err
	}
	if err := opt.baseImages(ctx); err != nil {
		return err
	}
	return opt.fillNodes()
}

func (opt Options) path() string {
	switch {
	case opt.Path != "":
		return opt.Path
	case opt.Kind == Application:
		return TemplateName
	}
	return llbgen.Filename
}

func exists(path string) error {
	return &InputError{fmt.Errorf("%s already exists: --force replaces it, --file writes another", path)}
}

// write writes a file completely or not at all. It replaces an existing file only with force.
func write(path string, data []byte, force bool) error {
	if force {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
	}
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	if !force {
		// Create the name first, because a rename would replace a file that appeared meanwhile.
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
			if errors.Is(err, fs.ErrExist) {
				return exists(path)
			}
			return err
		}
		file.Close()
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return nil
}

// writeTemp writes a file beside path and returns its name.
func writeTemp(path string, data []byte) (name string, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}
