package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
)

// application is a SAM template as the origin of targets: the functions whose images are built.
type application struct {
	template  *samtemplate.Template
	functions []*samtemplate.Function          // the selected ones, in the order of the template
	archives  []*samtemplate.Function          // those whose image is in a file
	read      frontend.Template                // how the frontend reads the template
	repos     map[*samtemplate.Function]string // where the images are pushed to; none for local tags
	lock      *llbgen.Lockfile                 // nil if there is none
	locked    bool                             // nothing is built from what the lock file does not have
	inputs    map[*samtemplate.Function]*inputs.Inputs
	tags      map[*samtemplate.Function]string // the first digits of the inputs
	changed   map[*samtemplate.Function]func(context.Context) (bool, error)
	project   *Project
}

var _ origin = (*application)(nil)

// loadApplication reads the template in p.File as the origin of the targets, and makes the folder that has everything it needs
// the build context.
func (p *Project) loadApplication() (*application, error) {
	if len(p.opt.RecipeFlags) > 0 {
		return nil, fmt.Errorf("--%s is for a %s, and %s is a SAM template: leave it out", p.opt.RecipeFlags[0], llbgen.Filename, p.File.Name)
	}
	if p.File.Path == "" {
		return nil, errors.New("a SAM template cannot be standard input, because its paths are relative to its folder: name the file with --file")
	}
	if mode := p.opt.BuildMode; mode != "" && mode != "debug" {
		return nil, fmt.Errorf("%s=%s: the only mode is debug: unset the variable, or set it to that", BuildModeArg, mode)
	}
	name, err := filepath.EvalSymlinks(p.File.Path)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	app := &application{project: p, read: frontend.Template{Parameters: p.opt.Parameters, Region: p.opt.Region}}
	baseDir := p.opt.BaseDir
	read := readTemplate
	if p.Context.Address != "" {
		folder := filepath.Dir(name)
		name = filepath.Base(name)
		read = func(nested string) (samtemplate.File, error) {
			file, err := readTemplate(filepath.Join(folder, nested))
			file.Name = nested
			return file, err
		}
	} else if p.opt.Context != "" {
		baseDir = p.opt.Context
	}
	app.template, err = samtemplate.Load(samtemplate.File{Name: name, Data: p.File.Data}, samtemplate.Options{
		Parameters: p.opt.Parameters, Region: p.opt.Region, BaseDir: baseDir, ReadTemplate: read, IsFile: isFile,
		Checks: frontend.ChecksOf(p.Args),
	})
	if err != nil {
		return nil, err
	}
	if err := app.choose(p.opt); err != nil {
		return nil, err
	}
	if err := app.setRepos(p.opt); err != nil {
		return nil, err
	}
	p.origin = app
	if p.Context.Address != "" {
		return app, nil
	}
	if err := app.checkFiles(); err != nil {
		return nil, err
	}
	return app, app.enclose(p, name, baseDir)
}

func readTemplate(name string) (samtemplate.File, error) {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return samtemplate.File{}, err
	}
	data, err := userfile.Read(real, llbgen.MaxFileSize)
	return samtemplate.File{Name: real, Data: data}, err
}

// choose selects the functions that opt.Targets mean, all that are built if there are none, and leaves
// out those that opt.Excludes mean.
func (a *application) choose(opt Options) error {
	chosen := map[*samtemplate.Function]bool{}
	for _, name := range opt.Targets {
		f, err := frontend.FunctionNamed(a.template, name)
		if err != nil {
			return err
		}
		if f.Origin != samtemplate.FromDockerfile && (f.Origin != samtemplate.FromRegistry || !opt.Images) {
			return f.Diagnostic(f.At, "the image of the function is not built: %s", cmp.Or(f.Reason, "it is in the file "+f.Archive+", which samforge package pushes"))
		}
		chosen[f] = true
	}
	excluded := map[*samtemplate.Function]bool{}
	for _, name := range opt.Excludes {
		f, err := frontend.FunctionNamed(a.template, name)
		if err != nil {
			return fmt.Errorf("--exclude: %w", err)
		}
		excluded[f] = true
	}
	for _, f := range a.template.AllFunctions() {
		switch {
		case excluded[f] || len(opt.Targets) > 0 && !chosen[f]:
		case f.Origin == samtemplate.FromDockerfile:
			a.functions = append(a.functions, f)
		case f.Origin == samtemplate.FromArchive && opt.Archives:
			a.archives = append(a.archives, f)
		}
	}
	for _, f := range a.functions {
		if err := frontend.CheckArguments(f); err != nil {
			return err
		}
	}
	switch {
	case len(a.withImages()) > 0 || opt.Images:
	case len(excluded) > 0:
		return errors.New("there is nothing to build: --exclude leaves out every function with an image")
	default:
		return errors.New("there is nothing to build: no function of the template has PackageType Image, and Metadata with Dockerfile and DockerContext")
	}
	return nil
}

// enclose makes the nearest folder around the template, the functions' contexts and Dockerfiles the
// build context, and tells the frontend where in it the template is.
func (a *application) enclose(p *Project, name, baseDir string) error {
	folders := []string{filepath.Dir(name)}
	if baseDir != "" {
		folders = append(folders, baseDir)
	}
	for t := range a.template.All() {
		folders = append(folders, filepath.Dir(t.Name))
	}
	for _, f := range a.functions {
		dockerfile, err := filepath.EvalSymlinks(dockerfileOf(f))
		if err != nil {
			return err
		}
		folders = append(folders, f.ContextDir, filepath.Dir(dockerfile))
	}
	root := ""
	for i, folder := range folders {
		real, err := userfile.RealPath(folder)
		if err != nil {
			return err
		}
		folders[i] = real
		root = around(root, real)
	}
	p.Context.Folder = root
	a.read.Locate = func(name string) (string, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(root, name)
		}
		real, err := userfile.RealPath(name)
		if err != nil {
			return "", err
		}
		return filepath.Rel(root, real)
	}
	var err error
	if a.read.Folder, err = filepath.Rel(root, folders[0]); err == nil && baseDir != "" {
		a.read.BaseDir, err = filepath.Rel(root, folders[1])
	}
	return err
}

// around returns the nearest folder that has two folders in it. An empty one counts as none.
func around(one, other string) string {
	if one == "" {
		return other
	}
	for {
		rest, err := filepath.Rel(one, other)
		if err == nil && rest != ".." && !strings.HasPrefix(rest, "../") {
			return one
		}
		one = filepath.Dir(one)
	}
}

func (a *application) place(p *Project, asked []ocispecs.Platform, _ ocispecs.Platform) ([]Target, error) {
	var targets []Target
	for _, f := range a.functions {
		platform, err := platformOf(f)
		if err != nil {
			return nil, err
		}
		for _, other := range asked {
			if !platforms.OnlyStrict(platform).Match(other) {
				return nil, f.Diagnostic(f.At, "the function is for %s, and --platform asks for %s: leave that out, or change Architectures", f.Platform(), platforms.Format(other))
			}
		}
		t := Target{
			Name:      f.Path,
			Groups:    slices.DeleteFunc([]string{f.LogicalID, f.ResourceID}, func(name string) bool { return name == f.Path }),
			Entry:     f.ContextDir,
			Platforms: []ocispecs.Platform{platform},
			Refs:      p.opt.Tags,
			Lambda:    onLambda(f),
			Inputs:    a.inputs[f],
			Changed:   a.changed[f],
			Own:       ownSettings(f),
			fields:    a.fieldsOf(p, f),
			project:   p,
			image:     functionImage{f, a.read, p},
		}
		switch {
		case len(t.Refs) > 0:
		case a.repos[f] == "":
			t.Refs = []string{localTag(f) + p.mode()}
		default:
			ref, err := a.reference(p, f, t.fields)
			if err != nil {
				return nil, err
			}
			t.Refs = []string{ref}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// BuildModeArg is the build argument for [Options.BuildMode], and the variable that has it for
// `sam build`.
const BuildModeArg = "SAM_BUILD_MODE"

// functionArgs returns the build arguments of every function.
func functionArgs(opt Options) map[string]string {
	args := map[string]string{}
	if opt.BuildMode != "" {
		args[BuildModeArg] = opt.BuildMode
	}
	maps.Copy(args, opt.BuildArgs)
	return args
}

// mode returns what follows the tag of a function's image.
func (p *Project) mode() string {
	if p.opt.BuildMode == "" {
		return ""
	}
	return "-" + p.opt.BuildMode
}

// localTag returns what `sam build` calls the image. A nested stack is in the name, so that two
// functions of one name have their own images.
func localTag(f *samtemplate.Function) string {
	if stack := f.Template().Stack; stack != "" {
		return strings.ToLower(stack) + "/" + f.LocalTag()
	}
	return f.LocalTag()
}

func (*application) readsContext() bool { return true }

func (a *application) hasRepo() bool { return len(a.repos) > 0 }

func (*application) followsBuilder() bool { return false }

func (a *application) names() (names []string) {
	for _, f := range a.functions {
		names = append(names, f.Path)
	}
	return names
}
