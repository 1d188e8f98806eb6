// Package bake writes the file that docker buildx bake builds a project's targets from.
package bake

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/internal/project"
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
// is used for a build file without a `# syntax=` line. Mistakes are a [*project.InputError].
func Bake(p *project.Project, settings project.Settings, frontend string, out io.Writer) error {
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
	args := maps.Clone(p.Args)
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
		Secret:      settings.Secrets,
		SSH:         settings.SSH,
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
	t.Dockerfile, err = filepath.Rel(t.Context, p.File.Path)
	return err
}

// newBakeFile makes a target of each image, and the groups that --target accepts in a build.
func newBakeFile(targets []project.Target, settings project.Settings, common bakeTarget) (*bakeFile, error) {
	file := &bakeFile{Group: map[string]bakeGroup{}, Target: map[string]bakeTarget{}}
	for _, target := range targets {
		t := common
		t.Target, t.Tags = target.Name, target.Refs
		var err error
		if t.CacheFrom, t.CacheTo, err = settings.Caches(target); err != nil {
			return nil, err
		}
		for _, p := range target.Platforms {
			t.Platforms = append(t.Platforms, platforms.Format(p))
		}
		name := bakeName(target.Name)
		for file.Target[name].Target != "" {
			name += "_"
		}
		file.Target[name] = t.literal()
		for _, group := range append([]string{"default"}, target.Groups...) {
			if group = bakeName(group); group != name {
				file.Group[group] = bakeGroup{append(file.Group[group].Targets, name)}
			}
		}
	}
	return file, nil
}

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
