package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
)

// File is a build file and the lock file beside it, as they were read.
type File struct {
	// Name is the file's base name. Path is empty for standard input, and for a file that does not
	// exist because build arguments give everything.
	Name, Path string
	Data       []byte
	// LockPath is where the lock file is, or would be; empty if there can be none. LockData is nil
	// if there is no lock file.
	LockPath string
	LockData []byte
	// IgnoreData is the content of an ignore file beside the build file, which replaces the
	// context's .dockerignore; nil if there is none.
	IgnoreData []byte
}

// ServedName returns the file name that a builder uses to read the file. BuildKit treats file names
// as patterns, so ServedName replaces a name that does not match itself.
func (f File) ServedName() string {
	if strings.ContainsAny(f.Name, `*?[]\!`) {
		return llbgen.Filename
	}
	return f.Name
}

// readFile reads the build file, its lock file and its .dockerignore. Without --file a missing
// samforge.yaml counts as empty.
func readFile(ctx context.Context, opt Options) (File, error) {
	f, err := readBuildFile(ctx, opt)
	if err != nil {
		return f, fmt.Errorf("read the build file: %w", err)
	}
	if f.LockPath == "" {
		return f, nil
	}
	if f.LockData, err = readOptional(f.LockPath); err != nil {
		return f, fmt.Errorf("read the lock file: %w", err)
	}
	name := filepath.Join(filepath.Dir(f.LockPath), f.Name) + ".dockerignore"
	if f.IgnoreData, err = readOptional(name); err != nil {
		return f, fmt.Errorf("read the ignore file of the build context: %w", err)
	}
	return f, nil
}

// TemplateNames are the names that SAM templates have by default, as in SAM CLI.
func TemplateNames() []string { return []string{"template.yaml", "template.yml", "template.json"} }

// readOptional reads a file beside the build file. It returns nil if the file does not exist.
func readOptional(name string) ([]byte, error) {
	data, err := userfile.Read(name, frontend.MaxContextFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func readBuildFile(ctx context.Context, opt Options) (f File, err error) {
	switch opt.File {
	case "-":
		f.Name = "stdin"
		f.Data, err = userfile.ReadStream(ctx, opt.Stdin, "standard input", llbgen.MaxFileSize)
		return f, err
	case "":
		for _, f.Name = range append([]string{llbgen.Filename}, TemplateNames()...) {
			f.Path = filepath.Join(opt.Context, f.Name)
			f.LockPath = filepath.Join(opt.Context, llbgen.LockFilename(f.Name))
			if f.Data, err = userfile.Read(f.Path, llbgen.MaxFileSize); !errors.Is(err, fs.ErrNotExist) {
				return f, err
			}
		}
		f.Name, f.Path, f.LockPath = llbgen.Filename, "", filepath.Join(opt.Context, llbgen.LockFilename(llbgen.Filename))
		return f, nil
	default:
		f.Name, f.Path = filepath.Base(opt.File), opt.File
		f.LockPath = filepath.Join(filepath.Dir(opt.File), llbgen.LockFilename(f.Name))
		if f.Data, err = userfile.ReadAny(ctx, opt.File, llbgen.MaxFileSize); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w%s", err, cmp.Or(nearestIn(filepath.Dir(opt.File), f.Name), buildFileIn(filepath.Dir(opt.File))))
		}
		return f, err
	}
}

// buildFileIn is the end of a sentence about the build file of a folder that has one of the usual
// names, or "".
func buildFileIn(folder string) string {
	for _, name := range append([]string{llbgen.Filename}, TemplateNames()...) {
		if info, err := os.Stat(filepath.Join(folder, name)); err == nil && info.Mode().IsRegular() {
			return ": the build file in this folder is " + name
		}
	}
	return ""
}

// parseLock parses the lock file. It returns nil if there is none.
func (f File) parseLock() (*llbgen.Lockfile, error) {
	if f.LockData == nil {
		return nil, nil
	}
	lockfile, err := llbgen.ParseLockfile(filepath.Base(f.LockPath), f.LockData)
	if err != nil {
		return nil, fmt.Errorf("read the lock file: %w", err)
	}
	return lockfile, nil
}

// missingFile adds to the mistakes of an empty build file that the file does not exist.
func missingFile(err error, opt Options, file File) error {
	if opt.File != "" || file.Data != nil {
		return err
	}
	return fmt.Errorf("there is no %s in %s: %s; without one, build arguments must give everything (see samforge build --help):\n%w",
		llbgen.Filename, cmp.Or(opt.Context, "this folder"), nearFile(opt), err)
}

// nearFile says where there may be a build file instead, or who writes one.
func nearFile(opt Options) string {
	if near := misnamed(opt.Context); near != "" {
		return "name " + near + " with --file"
	}
	return "samforge init writes one"
}

// misnamed returns a YAML file whose name is nearly that of a build file, or "".
func misnamed(folder string) string {
	var files []string
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		found, _ := fs.Glob(os.DirFS(cmp.Or(folder, ".")), pattern)
		files = append(files, found...)
	}
	if near := suggest.Nearest(llbgen.Filename, files); near != "" {
		return filepath.Join(folder, near)
	}
	return ""
}
