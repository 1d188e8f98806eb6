// Package reader reads the files of docker buildx bake, with the library of docker buildx. That is half
// the size of a program, so that samforge leaves it to a program of its own: see [bakefile.Definition].
package reader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	buildx "github.com/docker/buildx/bake"
	"github.com/docker/buildx/build"
	"github.com/docker/buildx/util/buildflags"

	"github.com/samforge/samforge/internal/bakefile"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/userfile"
)

// Read returns the images of the targets, in the order of their names, with those that are contexts of
// others. Paths are relative to the current folder, as in docker buildx bake.
func Read(ctx context.Context, d bakefile.Definition) ([]project.Dockerfile, error) {
	targets, options, err := read(ctx, d)
	if err != nil {
		return nil, err
	}
	var images []project.Dockerfile
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		image, err := image(d, name, targets[name], options[name])
		if err != nil {
			return nil, fmt.Errorf("target %s: %w", name, err)
		}
		images = append(images, image)
	}
	return images, nil
}

// maxFile is the maximum size in bytes of a bake file.
const maxFile = 4 << 20

// read returns the targets by their names, each with what buildx makes of it.
func read(ctx context.Context, d bakefile.Definition) (map[string]*buildx.Target, map[string]build.Options, error) {
	for _, file := range d.Files {
		if _, err := userfile.Read(file, maxFile); err != nil {
			return nil, nil, err
		}
	}
	files, err := buildx.ReadLocalFiles(d.Files, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	allowed, err := buildx.ParseEntitlements(d.Allow)
	if err != nil {
		return nil, nil, fmt.Errorf("--allow: %w", err)
	}
	folder, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	allowed.FSRead, allowed.FSWrite = append(allowed.FSRead, folder), append(allowed.FSWrite, folder)
	allowed.SSH = true // the step offers no agent but that of a key in its settings
	variables := map[string]string{}
	for _, variable := range d.Variables {
		name, value, ok := strings.Cut(variable, "=")
		if !ok || name == "" {
			return nil, nil, fmt.Errorf("--var %s: expected NAME=VALUE", variable)
		}
		variables[name] = value
	}
	defaults := map[string]string{"BAKE_CMD_CONTEXT": "", "BAKE_LOCAL_PLATFORM": platforms.Format(platforms.DefaultSpec())}
	set := append(slices.Clone(d.Set), fmt.Sprintf("*.push=%t", d.Push))
	names := slices.Clone(d.Targets)
	if len(names) == 0 {
		names = []string{"default"}
	}
	targets, _, err := buildx.ReadTargets(ctx, files, names, set, defaults, variables, &allowed)
	if err != nil {
		return nil, nil, err
	}
	options, err := buildx.TargetsToBuildOpt(withoutSession(targets), nil)
	if err != nil {
		return nil, nil, err
	}
	wanted, err := allowed.Validate(options)
	if err != nil {
		return nil, nil, err
	}
	return targets, options, wanted.Check(false)
}

// withoutSession returns targets without what buildx would look up at once: keys and credentials.
func withoutSession(targets map[string]*buildx.Target) map[string]*buildx.Target {
	without := map[string]*buildx.Target{}
	for name, t := range targets {
		own := *t
		own.SSH, own.CacheFrom, own.CacheTo = nil, nil, nil
		without[name] = &own
	}
	return without
}

// image returns the image of a target.
func image(d bakefile.Definition, name string, t *buildx.Target, o build.Options) (project.Dockerfile, error) {
	if err := refuse(t, o); err != nil {
		return project.Dockerfile{}, err
	}
	image := project.Dockerfile{
		Name: name, Context: o.Inputs.ContextPath, File: o.Inputs.DockerfilePath, Text: o.Inputs.DockerfileInline,
		Stage: o.Target, Args: o.BuildArgs, Platforms: t.Platforms, Refs: t.Tags, Linked: o.Linked,
		Own: project.Settings{
			Labels: o.Labels, Annotations: t.Annotations, Attests: texts(t.Attest),
			CacheFrom: texts(t.CacheFrom), CacheTo: texts(t.CacheTo), Secrets: texts(t.Secrets), SSH: texts(t.SSH),
		},
		Attrs: attrs(o), Links: map[string]string{},
	}
	if !o.Linked {
		if err := setOutputs(d, &image, t.Outputs); err != nil {
			return image, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Inputs.NamedContexts)) {
		source := o.Inputs.NamedContexts[name].Path
		if linked, ok := strings.CutPrefix(source, "target:"); ok {
			image.Links[name] = linked
		} else {
			image.BuildContexts = append(image.BuildContexts, name+"="+source)
		}
	}
	return image, nil
}

// setOutputs says where an image goes beside its registry. Pushes are left out unless they say how.
func setOutputs(d bakefile.Definition, image *project.Dockerfile, outputs buildflags.Exports) error {
	image.NoPush = true
	for _, output := range outputs {
		push := output.Type == "registry" || output.Type == "image" && output.Attrs["push"] == "true"
		switch {
		case push && len(image.Refs) == 0 && output.Attrs["name"] == "":
			return errors.New("the image has no tag to push: add tags to the target")
		case push && len(output.Attrs) <= 1 && output.Attrs["name"] == "":
			image.NoPush = false
		case output.Type == "docker" && output.Destination == "":
			d.Note(image.Name + ": type=docker is left out: there is no Docker engine to load the image")
		default:
			image.Outputs = append(image.Outputs, output.String())
			image.NoPush = image.NoPush && !push
		}
	}
	return nil
}

// refuse returns an error for what only buildx itself does.
func refuse(t *buildx.Target, o build.Options) error {
	switch {
	case o.CallFunc != nil && !slices.Contains([]string{"", "build"}, o.CallFunc.Name):
		return fmt.Errorf("call = %q is not a build: leave it out", o.CallFunc.Name)
	case len(t.Policy) > 0:
		return errors.New("policies are not evaluated here: leave policy out, or evaluate them with docker buildx before")
	case t.Resources != nil:
		return errors.New("limits of resources are those of the builder: leave resources out")
	}
	for _, entitlement := range t.Entitlements {
		if entitlement != "network.host" {
			return fmt.Errorf("the entitlement %s is not granted here: only network.host is", entitlement)
		}
	}
	return nil
}

// attrs returns the attributes of the Dockerfile frontend, as buildx passes them.
func attrs(o build.Options) map[string]string {
	attrs := map[string]string{}
	if o.NoCache || len(o.NoCacheFilter) > 0 {
		attrs["no-cache"] = ""
		if !o.NoCache {
			attrs["no-cache"] = strings.Join(o.NoCacheFilter, ",")
		}
	}
	if mode := cmp.Or(o.NetworkMode, "default"); mode != "default" {
		attrs["force-network-mode"] = mode
	}
	if len(o.ExtraHosts) > 0 {
		attrs["add-hosts"] = strings.Join(o.ExtraHosts, ",")
	}
	if size := o.ShmSize.Value(); size > 0 {
		attrs["shm-size"] = fmt.Sprint(size)
	}
	var limits []string
	for _, limit := range o.Ulimits.GetList() {
		limits = append(limits, limit.String())
	}
	if len(limits) > 0 {
		attrs["ulimit"] = strings.Join(limits, ",")
	}
	return attrs
}

// texts returns values in the form of flags.
func texts[T fmt.Stringer](values []T) (all []string) {
	for _, value := range values {
		all = append(all, value.String())
	}
	return all
}
