package bake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
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

// Bake writes a docker-bake.json with which `docker buildx bake` builds, through
// the frontend, the images that [Build] would build. Frontend is the reference
// of the frontend's image, for a build file without a `# syntax=` line. Mistakes
// are an [*InputError].
func Bake(opt Options, frontend string, out io.Writer) error {
	file, err := bake(opt, frontend)
	if err != nil {
		return inputError(err)
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(file)
}

func bake(opt Options, frontend string) (*bakeFile, error) {
	source, err := readFile(opt)
	if err != nil {
		return nil, fmt.Errorf("read the build file: %w", err)
	}
	args := withMirrors(opt)
	plan, err := llbgen.Load(source.name, source.data, args)
	if err != nil {
		return nil, missingFile(err, opt, source)
	}
	if _, _, _, ok := parser.DetectSyntax(source.data); !ok && frontend == "" {
		return nil, errors.New("docker buildx has to know the frontend: begin the build file with # syntax=IMAGE, or name the image with --frontend")
	}
	if frontend != "" {
		args["BUILDKIT_SYNTAX"] = frontend
	}
	targets, err := selectTargets(plan, opt.Targets)
	if err != nil {
		return nil, err
	}
	images, err := planImages(plan, targets, opt, ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		return nil, err
	}
	contexts := map[string]string{}
	for _, value := range opt.BuildContexts {
		name, source, err := cutContext(value)
		if err != nil {
			return nil, err
		}
		contexts[name] = source
	}
	common := bakeTarget{
		Contexts:    contexts,
		Args:        literals(args),
		Labels:      literals(opt.Labels),
		Annotations: opt.Annotations,
		Attest:      opt.Attests,
		CacheFrom:   opt.CacheFrom,
		CacheTo:     opt.CacheTo,
		Secret:      opt.Secrets,
		SSH:         opt.SSH,
	}
	if err := common.from(opt, source); err != nil {
		return nil, err
	}
	return newBakeFile(plan, images, common), nil
}

// from says where the build file is. One that is not a file is a part of the
// bake file.
func (t *bakeTarget) from(opt Options, source buildFile) error {
	context, err := readContext(opt)
	if err != nil {
		return err
	}
	t.Context = context.folder + context.address
	path := opt.File
	if path == "" && source.data != nil {
		path = filepath.Join(context.folder, llbgen.Filename)
	}
	if path == "" || path == "-" || context.address != "" {
		t.DockerfileInline = literal(string(source.data))
		if t.DockerfileInline == "" {
			t.DockerfileInline = "# the build arguments give everything\n" // bake takes no empty one
		}
		return nil
	}
	t.Dockerfile, err = filepath.Rel(t.Context, path)
	return err
}

// newBakeFile makes a target of each image, and groups of what --target selects
// in a build.
func newBakeFile(plan *llbgen.Plan, images []image, common bakeTarget) *bakeFile {
	file := &bakeFile{Group: map[string]bakeGroup{}, Target: map[string]bakeTarget{}}
	for _, i := range images {
		t := common
		t.Target, t.Tags = i.Name, i.refs
		t.CacheFrom, _ = expandCaches("--cache-from", common.CacheFrom, i) // checked before
		t.CacheTo, _ = expandCaches("--cache-to", common.CacheTo, i)
		for _, p := range i.platforms {
			t.Platforms = append(t.Platforms, platforms.Format(p))
		}
		name := bakeName(i.Name)
		for file.Target[name].Target != "" {
			name += "_"
		}
		file.Target[name] = t
		for _, group := range []string{"default", i.Runtime, i.Variant} {
			if group = bakeName(group); group != "" && group != name {
				file.Group[group] = bakeGroup{append(file.Group[group].Targets, name)}
			}
		}
	}
	return file
}

var notInBakeNames = regexp.MustCompile(`[^a-zA-Z0-9_-]`)

// bakeName is a name that bake allows: python3_12-base.
func bakeName(name string) string { return notInBakeNames.ReplaceAllString(name, "_") }

// literal keeps bake from reading a text as a template.
func literal(text string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
}

func literals(texts map[string]string) map[string]string {
	out := maps.Clone(texts)
	for key, text := range out {
		out[key] = literal(text)
	}
	return out
}
