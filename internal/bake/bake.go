// Package bake writes the file that docker buildx bake builds a project's targets from.
package bake

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
	"github.com/samforge/samforge/internal/userfile"
)

// bakeFile is what `docker buildx bake` reads:
// https://docs.docker.com/build/bake/reference/
type bakeFile struct {
	Group  map[string]bakeGroup  `json:"group"`
	Target map[string]bakeTarget `json:"target"`
}

type bakeGroup struct {
	Targets []string `json:"targets"`
}

type bakeTarget struct {
	Context          string            `json:"context,omitempty"`
	Contexts         map[string]string `json:"contexts,omitempty"`
	Dockerfile       string            `json:"dockerfile,omitempty"`
	DockerfileInline string            `json:"dockerfile-inline,omitempty"`
	Target           string            `json:"target"`
	Args             map[string]string `json:"args,omitempty"`
	Labels           map[string]string `json:"labels,omitempty"`
	Annotations      []string          `json:"annotations,omitempty"`
	Attest           []string          `json:"attest,omitempty"`
	Tags             []string          `json:"tags,omitempty"`
	Platforms        []string          `json:"platforms,omitempty"`
	CacheFrom        []string          `json:"cache-from,omitempty"`
	CacheTo          []string          `json:"cache-to,omitempty"`
	Secret           []string          `json:"secret,omitempty"`
	SSH              []string          `json:"ssh,omitempty"`
}

// Bake writes a docker-bake.json that makes `docker buildx bake` build, through the frontend, the
// images that `samforge build` would build. frontend is the reference of the frontend's image. It
// is used for a build file without a `# syntax=` line. client is asked for what the functions of a
// SAM template are made from, which is in their tags. Mistakes are a [*project.InputError].
func Bake(ctx context.Context, p *project.Project, settings project.Settings, frontend string, client *registry.Client, out io.Writer) error {
	if p.TagsSayInputs() {
		if err := p.FindInputs(ctx, registry.NewResolver(ctx, client), settings); err != nil {
			return err
		}
	}
	file, err := bake(p, settings, frontend)
	if err != nil {
		return project.BadInput(err)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(file)
}

func bake(p *project.Project, settings project.Settings, frontend string) (*bakeFile, error) {
	args, err := p.FrontendArgs()
	if err != nil {
		return nil, err
	}
	if _, _, _, ok := parser.DetectSyntax(p.File.Data); !ok && frontend == "" {
		return nil, errors.New("docker buildx has to know the frontend: begin the build file with # syntax=IMAGE, or name the image with --frontend")
	}
	if frontend != "" {
		args["BUILDKIT_SYNTAX"] = frontend
	}
	targets, err := p.Targets(ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		return nil, err
	}
	if err := settings.CheckCaches(targets); err != nil {
		return nil, err
	}
	common := bakeTarget{
		Args:        args,
		Labels:      settings.Labels,
		Annotations: settings.Annotations,
		Attest:      attestations(settings.Attests),
		Contexts:    map[string]string{},
	}
	for _, c := range p.Contexts {
		common.Contexts[c.Name] = c.Source
	}
	if err := common.from(p); err != nil {
		return nil, err
	}
	return newBakeFile(targets, settings, common)
}

// attestations turns off the provenance that buildx adds by default, unless the user asks for some:
// provenance differs from run to run, and so would the digest.
func attestations(asked []string) []string {
	if slices.ContainsFunc(asked, func(a string) bool { return slices.Contains(strings.Split(a, ","), "type=provenance") }) {
		return asked
	}
	return append(slices.Clone(asked), "type=provenance,disabled=true")
}

// from says where the build file is. If bake could not read it by a path, its text goes into the
// bake file.
func (t *bakeTarget) from(p *project.Project) (err error) {
	t.Context = p.Context.Folder + p.Context.Address
	if p.File.Path == "" || p.Context.Address != "" {
		t.DockerfileInline = string(p.File.Data)
		if t.DockerfileInline == "" {
			t.DockerfileInline = "# the build arguments give everything\n" // bake does not accept an empty one
		}
		return nil
	}
	if p.IsTemplate() {
		return t.fromTemplate(p)
	}
	t.Dockerfile, err = filepath.Rel(t.Context, p.File.Path)
	return err
}

// fromTemplate is from for a SAM template, whose build context is the absolute path of a folder around
// all that it needs. The path is a relative one if that of the template is.
func (t *bakeTarget) fromTemplate(p *project.Project) error {
	file, err := userfile.RealPath(p.File.Path)
	if err != nil {
		return err
	}
	if t.Dockerfile, err = filepath.Rel(t.Context, file); err != nil || filepath.IsAbs(p.File.Path) {
		return err
	}
	here, err := userfile.RealPath(".")
	if err != nil {
		return err
	}
	t.Context, err = filepath.Rel(here, t.Context)
	return err
}

// newBakeFile makes a target of each image, and the groups that --target accepts in a build. A group
// with the name of a target is left out: that name selects the target.
func newBakeFile(targets []project.Target, settings project.Settings, common bakeTarget) (*bakeFile, error) {
	file := &bakeFile{Group: map[string]bakeGroup{}, Target: map[string]bakeTarget{}}
	groups := map[string][]string{}
	for _, target := range targets {
		t := common
		t.Target, t.Tags = target.Name, target.Refs
		own, err := settings.With(target)
		if err != nil {
			return nil, err
		}
		t.Secret, t.SSH = own.Secrets, own.SSH
		if t.CacheFrom, t.CacheTo, err = settings.Caches(target); err != nil {
			return nil, err
		}
		for _, p := range target.Platforms {
			t.Platforms = append(t.Platforms, platforms.Format(p))
		}
		name := bakeName(target.Name)
		for file.Target[name].Target != "" || name == everything {
			name += "_"
		}
		file.Target[name] = t.literal()
		for _, group := range append([]string{everything}, target.Groups...) {
			group = bakeName(group)
			if !slices.Contains(groups[group], name) {
				groups[group] = append(groups[group], name)
			}
		}
	}
	for name, of := range groups {
		if file.Target[name].Target == "" {
			file.Group[name] = bakeGroup{of}
		}
	}
	return file, nil
}

// everything is the name of the group that bake builds by default.
const everything = "default"

var notInBakeNames = regexp.MustCompile(`[^a-zA-Z0-9_-]`)

// bakeName returns the name in the form that bake allows: python3_12-base.
func bakeName(name string) string { return notInBakeNames.ReplaceAllString(name, "_") }

// literal returns the target with every ${…} and %{…} escaped, because bake reads them as
// templates: https://docs.docker.com/build/bake/variables/
func (t bakeTarget) literal() bakeTarget {
	escape := strings.NewReplacer("${", "$${", "%{", "%%{").Replace
	texts := func(values []string) []string {
		escaped := slices.Clone(values)
		for i, value := range values {
			escaped[i] = escape(value)
		}
		return escaped
	}
	pairs := func(values map[string]string) map[string]string {
		escaped := make(map[string]string, len(values))
		for key, value := range values {
			escaped[escape(key)] = escape(value)
		}
		return escaped
	}
	return bakeTarget{
		Context:          escape(t.Context),
		Contexts:         pairs(t.Contexts),
		Dockerfile:       escape(t.Dockerfile),
		DockerfileInline: escape(t.DockerfileInline),
		Target:           escape(t.Target),
		Args:             pairs(t.Args),
		Labels:           pairs(t.Labels),
		Annotations:      texts(t.Annotations),
		Attest:           texts(t.Attest),
		Tags:             texts(t.Tags),
		Platforms:        t.Platforms,
		CacheFrom:        texts(t.CacheFrom),
		CacheTo:          texts(t.CacheTo),
		Secret:           texts(t.Secret),
		SSH:              texts(t.SSH),
	}
}
