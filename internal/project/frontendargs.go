package project

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/samtemplate"
)

// FrontendArgs returns the build arguments with which the frontend reads the build file as the command
// does, without what it otherwise has from the command: the parameters of a SAM template, and where it
// is in its build context. A secret, or a path that the frontend cannot follow, is an error.
func (p *Project) FrontendArgs() (map[string]string, error) {
	args := maps.Clone(p.Args)
	if app, ok := p.origin.(*application); ok {
		return args, app.addArgs(p, args)
	}
	return args, nil
}

func (a *application) addArgs(p *Project, args map[string]string) error {
	for _, name := range a.template.NoEcho {
		if _, given := p.opt.Parameters[name]; given {
			return fmt.Errorf("the parameter %s is NoEcho, and a build argument is recorded with the image: leave it out, or build with samforge build", name)
		}
	}
	if p.Context.Address != "" && p.File.LockData != nil {
		return errors.New("the lock file is on this machine, and the build context is not: name a folder")
	}
	if err := a.checkPaths(p); err != nil {
		return err
	}
	parameters, err := samtemplate.FormatOverrides(p.opt.Parameters)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{
		frontend.ParametersArg: parameters, frontend.RegionArg: a.read.Region,
		frontend.FolderArg: a.read.Folder, frontend.BaseDirArg: a.read.BaseDir,
	} {
		if value != "" && value != "." {
			args[name] = filepath.ToSlash(value)
		}
	}
	return nil
}

// checkPaths refuses the build contexts of functions that only the command finds: absolute ones, and
// those behind a symbolic link.
func (a *application) checkPaths(p *Project) error {
	if p.Context.Address != "" {
		return nil
	}
	here, err := userfile.RealPath(".")
	if err != nil {
		return err
	}
	for _, f := range a.functions {
		named := f.ContextDir
		if !filepath.IsAbs(named) {
			named = filepath.Join(here, named)
		}
		real, err := userfile.RealPath(named)
		if err != nil {
			return err
		}
		if filepath.IsAbs(f.Context.Reveal()) || real != named {
			return f.Diagnostic(f.Context.At, "the folder %s is an absolute path or behind a symbolic link, which docker buildx does not follow: name it by its place relative to the template", f.Context)
		}
	}
	return nil
}
