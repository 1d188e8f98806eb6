package project

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/samtemplate"
	"github.com/samforge/samforge/source"
)

// isFile reports whether there is a file of this name.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && !info.IsDir()
}

// dockerfileOf returns the path of a function's Dockerfile.
func dockerfileOf(f *samtemplate.Function) string {
	if name := f.Dockerfile.Reveal(); !filepath.IsAbs(name) {
		return filepath.Join(f.ContextDir, name)
	}
	return f.Dockerfile.Reveal()
}

// checkFiles returns the mistakes about folders and Dockerfiles that are not there.
func (a *application) checkFiles() error {
	var mistakes source.Diagnostics
	for _, f := range a.functions {
		if strings.Contains(f.ContextDir, "://") {
			mistakes = append(mistakes, f.Diagnostic(f.Context.At, "DockerContext is an address, and SAM takes a folder: check the code out, and name its folder"))
		} else if text := missing(f.ContextDir, true); text != "" {
			mistakes = append(mistakes, f.Diagnostic(f.Context.At, "DockerContext: %s", text))
		} else if text := missing(dockerfileOf(f), false); text != "" {
			mistakes = append(mistakes, f.Diagnostic(f.Dockerfile.At, "Dockerfile: %s", text))
		} else if mistake := checkTarget(f); mistake != nil {
			mistakes = append(mistakes, mistake)
		}
	}
	if len(mistakes) > 0 {
		return mistakes
	}
	return nil
}

// CheckDockerfiles returns the mistake of a function's Dockerfile that does not parse, which a builder
// would find, too. For other projects it does nothing.
func (p *Project) CheckDockerfiles() error {
	app, ok := p.origin.(*application)
	if !ok || p.Context.Address != "" {
		return nil
	}
	seen := map[string]bool{}
	for _, f := range app.functions {
		name := dockerfileOf(f)
		if seen[name] {
			continue
		}
		seen[name] = true
		data, err := userfile.Read(name, inputs.MaxDockerfile)
		if err == nil {
			err = inputs.Parse(name, data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return nil
}

// checkTarget returns the mistake in the stage of a function; nil for none.
func checkTarget(f *samtemplate.Function) *source.Diagnostic {
	if !f.Target.Given() {
		return nil
	}
	data, err := userfile.Read(dockerfileOf(f), inputs.MaxDockerfile)
	if err != nil {
		return nil // which fails when it is built or checked
	}
	return f.CheckTarget(samtemplate.Dockerfile{Name: dockerfileOf(f), Data: data})
}

// missing returns a sentence if there is no such folder or file, with the nearest name.
func missing(name string, folder bool) string {
	info, err := os.Stat(name)
	switch {
	case err == nil && folder && !info.IsDir():
		return name + " is a file: name the folder that it is in"
	case err == nil && !folder && info.IsDir():
		return name + " is a folder: name a Dockerfile in it"
	case err == nil:
		return ""
	case !os.IsNotExist(err):
		return err.Error()
	}
	return "there is no " + name + nearestIn(filepath.Dir(name), filepath.Base(name))
}

// nearestIn returns the end of a sentence about a name that is not in a folder: the nearest one that is.
func nearestIn(folder, name string) string {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return ""
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if near := suggest.Nearest(name, names); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// CheckFolder returns an error if there is no folder of the name, with the nearest one.
func CheckFolder(name string) error { return sentence(missing(name, true)) }

// CheckFile returns an error if there is no file of the name, with the nearest one.
func CheckFile(name string) error { return sentence(missing(name, false)) }

func sentence(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}
