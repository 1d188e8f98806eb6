package frontend

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/subrequests/targets"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"

	"github.com/samforge/samforge/internal/suggest"
	"github.com/samforge/samforge/samtemplate"
)

// ParametersArg is the build argument with the parameters of a template, in the forms of
// `sam build --parameter-overrides`.
const ParametersArg = "SAMFORGE_PARAMETERS"

// Build arguments with the other fields of [Template], for a template that is not in the root of the
// build context: its folder in it, the folder that its paths are relative to, and AWS::Region.
const (
	FolderArg  = "SAMFORGE_TEMPLATE_FOLDER"
	BaseDirArg = "SAMFORGE_BASE_DIR"
	RegionArg  = "SAMFORGE_REGION"
)

// Template says how a SAM template is read. Its paths are those of the main build context.
type Template struct {
	// Parameters and Region are as those of [samtemplate.Options].
	Parameters map[string]string
	Region     string
	// Folder is that of the template.
	Folder string
	// BaseDir is the folder that the template's paths are relative to; its own if it is empty.
	BaseDir string
	// Locate returns where in the main build context a file or a folder of the template is, without
	// symbolic links. If it is nil, the build context is not on this machine.
	Locate func(name string) (string, error)
}

// function builds a function of a template, or answers a question about it.
func (b *build) function(ctx context.Context) (*client.Result, error) {
	template, err := b.loadTemplate(ctx)
	if err != nil {
		return nil, b.atSource(err)
	}
	if res, ok, err := b.answer(ctx, template); ok || err != nil {
		if err != nil && len(errdefs.Sources(err)) == 0 { // otherwise it has the Dockerfile's lines
			err = b.atSource(err)
		}
		return res, err
	}
	f, err := FunctionNamed(template, b.Target)
	if err != nil {
		return nil, b.atSource(err)
	}
	if b.Template == nil { // the command shows them once for all functions
		if err := b.warnAbout(ctx, template, f); err != nil {
			return nil, b.atSource(err)
		}
	}
	request, err := b.requestFor(ctx, f)
	if err != nil {
		return nil, b.atSource(err)
	}
	res, err := b.gateway.Solve(ctx, request) // its errors have the Dockerfile's lines
	if err != nil {
		return nil, err
	}
	return res, completeHistory(res, b.epoch)
}

// requestFor returns the request about a function to the Dockerfile frontend.
func (b *build) requestFor(ctx context.Context, f *samtemplate.Function) (client.SolveRequest, error) {
	if err := b.setEpoch(); err != nil {
		return client.SolveRequest{}, err
	}
	d, err := b.dockerfileOf(f)
	if err != nil {
		return client.SolveRequest{}, err
	}
	request, data, err := b.forward(ctx, d)
	if err != nil {
		return request, err
	}
	err = b.applyLock(ctx, f, &request, data)
	return request, err
}

// loadTemplate reads the template and those of its nested stacks. Paths in it are relative to its
// place in the build context.
func (b *build) loadTemplate(ctx context.Context) (*samtemplate.Template, error) {
	how := b.Template
	if how == nil {
		parameters, err := samtemplate.ParseOverrides(b.BuildArgs[ParametersArg])
		if err != nil {
			return nil, fmt.Errorf("--build-arg %s: %w", ParametersArg, err)
		}
		how = &Template{Parameters: parameters, Region: b.BuildArgs[RegionArg], Folder: b.BuildArgs[FolderArg], BaseDir: b.BuildArgs[BaseDirArg]}
	}
	template, err := samtemplate.Load(samtemplate.File{Name: path.Join(how.Folder, b.src.Filename), Data: b.src.Data}, samtemplate.Options{
		Parameters: how.Parameters,
		Region:     how.Region,
		BaseDir:    how.BaseDir,
		ReadTemplate: func(name string) (samtemplate.File, error) {
			if how.Locate != nil { // a link leads to the folder that the paths in the template are relative to
				var err error
				if name, err = how.Locate(name); err != nil {
					return samtemplate.File{}, err
				}
			}
			data, err := b.readFile(ctx, name)
			return samtemplate.File{Name: name, Data: data}, err
		},
		IsFile: isArchive,
		Checks: ChecksOf(b.BuildArgs),
	})
	if err == nil && b.Template == nil {
		err = refuseSecrets(template, how.Parameters)
	}
	return template, err
}

// refuseSecrets refuses the values of parameters with NoEcho: a build argument is recorded in the
// provenance of the image and in the history of the builder.
func refuseSecrets(t *samtemplate.Template, parameters map[string]string) error {
	for _, name := range t.NoEcho {
		if _, given := parameters[name]; given {
			return fmt.Errorf("--build-arg %s: the parameter %s is NoEcho, and a build argument is recorded with the image: leave it out, or build with samforge build --parameter-overrides", ParametersArg, name)
		}
	}
	return nil
}

// isArchive reports whether a file is an image archive, by its name: nothing is built for it, so it
// need not be in the build context.
func isArchive(name string) bool {
	return strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

// FunctionNamed returns the function of a template that is called name: by its path, its logical id
// or its resource id. Without a name it returns the only one that is built.
func FunctionNamed(t *samtemplate.Template, name string) (*samtemplate.Function, error) {
	var named, built []*samtemplate.Function
	var names []string
	for _, f := range t.AllFunctions() {
		if f.Path == name {
			return f, nil
		}
		if f.LogicalID == name || f.ResourceID == name {
			named = append(named, f)
		}
		if f.Origin == samtemplate.FromDockerfile {
			built, names = append(built, f), append(names, f.Path)
		}
	}
	if name == "" {
		named = built
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(built) == 0:
		return nil, errors.New("the template has no function whose image is built: one has PackageType Image, and Metadata with Dockerfile and DockerContext")
	case name == "":
		return nil, fmt.Errorf("the template has several functions: name one with --target (%s)", strings.Join(names, ", "))
	case len(named) > 1:
		return nil, fmt.Errorf("several functions are called %s: name one by its path (%s)", name, strings.Join(names, ", "))
	}
	for nested := range t.All() {
		for _, zip := range nested.ZipFunctions {
			if zip.LogicalID == name {
				return nil, fmt.Errorf("the code of %s is no image: sam build, sam local invoke and sam package take it", name)
			}
		}
	}
	hint := ""
	if near := suggest.Nearest(name, names); near != "" {
		hint = fmt.Sprintf(": did you mean %q?", near)
	}
	return nil, fmt.Errorf("the template has no function %q%s (functions: %s)", name, hint, strings.Join(names, ", "))
}

// dockerfileOf returns how the image of a function is built.
func (b *build) dockerfileOf(f *samtemplate.Function) (dockerfile, error) {
	d := dockerfile{target: f.Target.Reveal(), platform: f.Platform(), args: map[string]string{}, labels: map[string]string{}}
	if f.Origin != samtemplate.FromDockerfile {
		return d, f.Diagnostic(f.At, "the image of the function is not built: %s", f.Reason)
	}
	for _, asked := range b.TargetPlatforms {
		if platforms.Format(asked) != d.platform {
			return d, f.Diagnostic(f.At, "the function is for %s, and --platform asks for %s: leave that out, or change Architectures", d.platform, platforms.Format(asked))
		}
	}
	var err error
	if d.folder, err = b.inContext(f, f.ContextDir); err != nil {
		return d, err
	}
	name := f.Dockerfile.Reveal()
	if !path.IsAbs(name) {
		name = path.Join(f.ContextDir, name)
	}
	if d.path, err = b.inContext(f, name); err != nil {
		return d, err
	}
	for _, arg := range f.Args {
		d.args[arg.Name] = arg.Value.Reveal()
	}
	for _, label := range f.Extra.Labels {
		d.labels[label.Name] = label.Value.Reveal()
	}
	d.noCache = f.Extra.NoCache
	return d, CheckArguments(f)
}

// CheckArguments refuses build arguments of a function with secret values: they would be in the
// history of the image.
func CheckArguments(f *samtemplate.Function) error {
	for _, arg := range f.Args {
		if arg.Value.Secret() {
			return f.Diagnostic(arg.Value.At, "the build argument %s has the value of a parameter with NoEcho in it, and would be in the image's history: "+
				"leave it out, pass the secret with --secret id=%s,env=%s, and read it in the Dockerfile with RUN --mount=type=secret,id=%s", arg.Name, arg.Name, arg.Name, arg.Name)
		}
	}
	return nil
}

// inContext returns a path of a template as one of the build context, "." for its root.
func (b *build) inContext(f *samtemplate.Function, name string) (string, error) {
	if b.Template != nil && b.Template.Locate != nil {
		return b.Template.Locate(name)
	}
	name = path.Clean(name)
	if path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") {
		return "", f.Diagnostic(f.Context.At, "%s is outside of the build context: build with samforge build -f, which finds it on this machine, or name a context with all files that the template needs", name)
	}
	return name, nil
}

// functions lists the functions of a template whose images are built.
func functions(t *samtemplate.Template) *targets.List {
	list := &targets.List{Sources: [][]byte{t.Shown()}}
	for _, f := range t.AllFunctions() {
		if f.Origin != samtemplate.FromDockerfile {
			continue
		}
		target := targets.Target{Name: f.Path, Description: f.Platform() + ", " + path.Join(f.ContextDir, f.Dockerfile.String())}
		if f.Template() == t {
			line := int32(f.At.Line)
			target.Location = &pb.Location{Ranges: []*pb.Range{{Start: &pb.Position{Line: line}, End: &pb.Position{Line: line}}}}
		}
		list.Targets = append(list.Targets, target)
	}
	if len(list.Targets) == 1 {
		list.Targets[0].Default = true
	}
	slices.SortStableFunc(list.Targets, func(a, b targets.Target) int { return strings.Compare(a.Name, b.Name) })
	return list
}
