package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/platforms"
	"github.com/distribution/reference"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/lambda"
	"github.com/samforge/samforge/internal/placeholder"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/samtemplate"
)

// FunctionTag is the template of the tag of a function's image: that of `sam package`, with the
// digest of what the image is made from in place of the image's id. So the tag is known before the
// image is built, and an unchanged function keeps it.
const FunctionTag = "{{.Function}}-{{.Inputs}}-{{.DockerTag}}"

// maxTag is the maximum length of a tag:
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
const maxTag = 128

// TagsSayInputs reports whether the tags of the images say what they are made from, so that
// [Project.FindInputs] is needed before [Project.Targets].
func (p *Project) TagsSayInputs() bool {
	app, ok := p.origin.(*application)
	return ok && app.hasRepo() && len(p.opt.Tags) == 0 && placeholder.Uses(p.functionTag(), "Inputs")
}

// functionTag returns the template of the tags.
func (p *Project) functionTag() string { return cmp.Or(p.opt.TagTemplate, FunctionTag) }

// FindInputs finds out what the images of a template's functions are made from. more are settings
// that the steps of a build can see. For a samforge.yaml it does nothing.
func (p *Project) FindInputs(ctx context.Context, images *registry.Resolver, settings Settings, more ...string) error {
	app, ok := p.origin.(*application)
	if !ok {
		return nil
	}
	if p.Context.Address != "" {
		return BadInput(errors.New("what an image is made from is found on this machine, and the build context is not on it: name the images with --tag, or a folder"))
	}
	finder := &inputs.Finder{Resolve: resolveWith(images)}
	var equal sync.Map // func() (*inputs.Inputs, error) by build
	found, builds := make([]*inputs.Inputs, len(app.functions)), make([]inputs.Build, len(app.functions))
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(2 * runtime.NumCPU())
	for i, f := range app.functions {
		eg.Go(func() error {
			build, err := p.buildOf(f, settings)
			if err == nil {
				build.Settings, build.Lock = more, app.lock
				builds[i] = build
				once, _ := equal.LoadOrStore(fmt.Sprintf("%#v", build), sync.OnceValues(func() (*inputs.Inputs, error) { return finder.Find(ctx, build) }))
				found[i], err = once.(func() (*inputs.Inputs, error))()
			}
			if err == nil {
				err = app.checkLocked(found[i])
			}
			if err != nil {
				return BadInput(fmt.Errorf("%s: %w", f.Path, err))
			}
			return nil
		})
	}
	if err := eg.Wait(); err != nil {
		return err
	}
	app.inputs, app.tags = map[*samtemplate.Function]*inputs.Inputs{}, map[*samtemplate.Function]string{}
	app.changed = map[*samtemplate.Function]func(context.Context) (bool, error){}
	for i, f := range app.functions {
		if len(found[i].Unpinned) == 0 {
			app.changed[f] = func(ctx context.Context) (bool, error) { return finder.Changed(ctx, builds[i], found[i]) }
		}
		if f.Extra.NoCache {
			own := *found[i]
			found[i] = &own
			own.Unpinned = append(slices.Clone(own.Unpinned), "its DockerBuildExtraParams have --no-cache")
		}
		made := found[i].Digest()
		if len(found[i].Unpinned) > 0 {
			// What is built now may differ from what has the digest in its tag: a tag of its own.
			made = digest.FromString(made.String() + time.Now().String())
		}
		app.inputs[f], app.tags[f] = found[i], made.Encoded()[:shortDigest]
	}
	return nil
}

// resolveWith returns a function that looks up images for [inputs.Finder].
func resolveWith(images *registry.Resolver) func(context.Context, string, ocispecs.Platform) (digest.Digest, []byte, error) {
	return func(_ context.Context, ref string, platform ocispecs.Platform) (digest.Digest, []byte, error) {
		image, err := images.Resolve(ref, platform)
		if err != nil && !registry.Absent(err) {
			err = &inputs.UnreachableError{Err: err}
		}
		if err != nil {
			return "", nil, err
		}
		return digest.Digest(image.Manifest), image.Config, nil
	}
}

// buildOf returns the build of a function.
func (p *Project) buildOf(f *samtemplate.Function, settings Settings) (inputs.Build, error) {
	platform, err := platformOf(f)
	if err != nil {
		return inputs.Build{}, err
	}
	folder, err := filepath.EvalSymlinks(f.ContextDir)
	if err != nil {
		return inputs.Build{}, err
	}
	dockerfile, err := filepath.EvalSymlinks(dockerfileOf(f))
	if err != nil {
		return inputs.Build{}, err
	}
	b := inputs.Build{
		Folder: folder, Dockerfile: dockerfile, Target: f.Target.Reveal(), Platform: platform,
		Args: map[string]string{}, Labels: map[string]string{}, Contexts: map[string]string{},
	}
	for _, arg := range f.Args {
		b.Args[arg.Name] = arg.Value.Reveal()
	}
	for name, value := range p.Args {
		if !frontend.IsOurs("build-arg:" + name) {
			b.Args[name] = value
		}
	}
	for _, label := range f.Extra.Labels {
		b.Labels[label.Name] = label.Value.Reveal()
	}
	for name, value := range settings.Labels {
		b.Labels[name] = value
	}
	for _, annotation := range settings.Annotations {
		b.Labels["annotation "+annotation] = ""
	}
	for _, attest := range settings.Attests {
		b.Labels["attestation "+attest] = ""
	}
	for _, c := range p.Contexts {
		b.Contexts[c.Name] = c.Source
		if c.Folder() {
			b.Contexts[c.Name] = "local:" + c.Source
		}
	}
	return b, nil
}

// reference returns the reference that the image of a function is pushed to.
func (a *application) reference(p *Project, f *samtemplate.Function, fields map[string]string) (string, error) {
	tag, err := placeholder.Fill(p.functionTag(), fields)
	if err != nil {
		return "", fmt.Errorf("--tag-template %q: %w", p.functionTag(), err)
	}
	if len(tag) > maxTag {
		return "", f.Diagnostic(f.At, "the tag %s has %d characters, and at most %d are allowed: use a shorter DockerTag, or --tag-template", tag, len(tag), maxTag)
	}
	ref := a.repos[f] + ":" + tag
	return ref, CheckReference(ref)
}

// fieldsOf returns the values for the placeholders in the template of a tag, and of a cache.
func (a *application) fieldsOf(p *Project, f *samtemplate.Function) map[string]string {
	return map[string]string{
		"Target":    strings.ReplaceAll(f.Path, "/", "-"),
		"Function":  strings.ToLower(f.LogicalID),
		"Stack":     strings.ReplaceAll(f.Template().Stack, "/", "-"),
		"DockerTag": f.Tag.Reveal() + p.mode(),
		"Inputs":    cmp.Or(a.tags[f], strings.Repeat("0", shortDigest)), // until it is known
	}
}

// shortDigest is how many digits of a digest are in a tag, as in `sam package`.
const shortDigest = 12

// setRepos finds the repository of each function.
func (a *application) setRepos(opt Options) error {
	a.repos = map[*samtemplate.Function]string{}
	for _, f := range a.withImages() {
		if opt.RepoOf != nil {
			a.repos[f] = opt.RepoOf(path.Join(f.Template().Stack, f.ResourceID))
		} else if opt.Repo != "" {
			a.repos[f] = opt.Repo
		}
	}
	for _, name := range slices.Sorted(maps.Keys(opt.Repos)) {
		f, err := frontend.FunctionNamed(a.template, name)
		if err != nil {
			return fmt.Errorf("--image-repositories: %w", err)
		}
		if a.repos[f] != "" {
			return fmt.Errorf("--image-repositories: %s has two repositories", f.Path)
		}
		a.repos[f] = opt.Repos[name]
	}
	for _, f := range a.withImages() {
		if a.repos[f] == "" && len(opt.Repos) > 0 {
			return fmt.Errorf("Incomplete list of function logical ids specified for '--image-repositories': %s has no repository", f.Path)
		}
		if err := checkRepo(a.repos[f]); err != nil {
			return err
		}
	}
	return nil
}

// checkRepo refuses a repository that is none.
func checkRepo(repo string) error {
	if repo == "" {
		return nil
	}
	named, err := reference.ParseNormalizedNamed(repo)
	if err != nil {
		return fmt.Errorf("Invalid Image Repository %s: %w", repo, err)
	}
	if !reference.IsNameOnly(named) {
		return fmt.Errorf("Invalid Image Repository %s: leave the tag or the digest out: the tag is made from the function (--tag-template)", repo)
	}
	return nil
}

func platformOf(f *samtemplate.Function) (ocispecs.Platform, error) {
	return platforms.Parse(f.Platform())
}

// onLambda returns what a function sets that its image is for.
func onLambda(f *samtemplate.Function) *lambda.Function {
	set := &lambda.Function{
		Architecture: f.Architecture.Reveal(),
		EntryPoint:   samtemplate.RevealAll(f.ImageConfig.EntryPoint), Command: samtemplate.RevealAll(f.ImageConfig.Command),
		WorkingDirectory: f.ImageConfig.WorkingDirectory.Reveal(),
		Unresolved:       f.ImageConfig.Unresolved != nil,
	}
	for _, variable := range f.Environment {
		set.EnvironmentSize += len(variable.Name) + len(variable.Value.Reveal())
	}
	return set
}

// ownSettings returns the settings of DockerBuildExtraParams.
func ownSettings(f *samtemplate.Function) Settings {
	return Settings{
		Secrets: samtemplate.RevealAll(f.Extra.Secrets), SSH: samtemplate.RevealAll(f.Extra.SSH),
		CacheFrom: samtemplate.RevealAll(f.Extra.CacheFrom), CacheTo: samtemplate.RevealAll(f.Extra.CacheTo),
	}
}
