package project

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/frontend"
	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/userfile"
	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/source"
)

// Dockerfile describes an image of any Dockerfile, as the flags of `docker buildx build` do.
type Dockerfile struct {
	// Name is that of the target; empty means image.
	Name string
	// Context is the build context: a folder, or the address of a git repository or an archive.
	Context string
	// File is the path of the Dockerfile: one in the context if the context is an address, else one on
	// this machine. Empty means Dockerfile in the context.
	File string
	// Text is the text of the Dockerfile, in place of File.
	Text string
	// Stage is the stage to build; empty means the last one.
	Stage string
	Args  map[string]string
	// Platforms are those of the image; empty means that of the builder.
	Platforms []string
	// BuildContexts are named contexts, as NAME=SOURCE.
	BuildContexts []string
	// Refs are the references of the image.
	Refs []string
	// Outputs are further exports, in the form of --output.
	Outputs []string
	// Own are settings of this image alone. Attrs are further attributes of the Dockerfile frontend.
	Own   Settings
	Attrs map[string]string
	// Links are named contexts that are other images: their names, by that of the context.
	Links map[string]string
	// NoPush leaves the image out of a push.
	NoPush bool
	// Linked is true if the image is only a context of others.
	Linked bool
}

// LoadDockerfile returns a project with the image of a Dockerfile as its only target. Mistakes are an
// [*InputError].
func LoadDockerfile(d Dockerfile) (*Project, error) {
	p := &Project{
		Args: maps.Clone(d.Args), origin: anyDockerfile{d},
		opt: Options{Context: d.Context, File: d.File, Tags: d.Refs, Platforms: d.Platforms, BuildContexts: d.BuildContexts},
	}
	if p.Args == nil {
		p.Args = map[string]string{}
	}
	if err := p.readDockerfile(d); err != nil {
		return nil, BadInput(err)
	}
	if _, err := p.place(ocispecs.Platform{OS: "linux", Architecture: "amd64"}); err != nil {
		return nil, BadInput(err)
	}
	return p, nil
}

// readDockerfile reads the Dockerfile and its ignore file, unless they are not on this machine.
func (p *Project) readDockerfile(d Dockerfile) (err error) {
	if p.Contexts, err = namedContexts(d.BuildContexts); err != nil {
		return err
	}
	if d.Context == "" {
		return errors.New("name a build context: a folder, or the address of a git repository or an archive")
	}
	opt := p.opt
	if opt.File == "" {
		opt.File = "Dockerfile" // of a context that is an address
	}
	if p.Context, err = readContext(opt); err != nil {
		return err
	}
	if d.Text != "" {
		p.File.Name, p.File.Data = "Dockerfile", []byte(d.Text)
		return p.checkStage(d)
	}
	if p.Context.Address != "" {
		p.File.Name = opt.File
		return nil
	}
	if d.File == "" {
		d.File = filepath.Join(d.Context, "Dockerfile")
	}
	if text := missing(d.File, false); text != "" {
		return errors.New(text)
	}
	p.File.Name, p.File.Path = filepath.Base(d.File), d.File
	if p.File.Data, err = userfile.Read(d.File, inputs.MaxDockerfile); err != nil {
		return fmt.Errorf("read the Dockerfile: %w", err)
	}
	if err := p.checkStage(d); err != nil {
		return err
	}
	p.File.IgnoreData, err = readOptional(d.File + ".dockerignore")
	return err
}

// checkStage refuses a Dockerfile that does not parse, or that does not have the stage, unless
// another frontend reads it.
func (p *Project) checkStage(d Dockerfile) error {
	if d.Args["BUILDKIT_SYNTAX"] != "" {
		return nil
	}
	return inputs.CheckStage(p.File.Name, p.File.Data, d.Stage)
}

// anyDockerfile is a Dockerfile as the origin of one target.
type anyDockerfile struct{ d Dockerfile }

var _ origin = anyDockerfile{}

func (o anyDockerfile) place(p *Project, asked []ocispecs.Platform, fallback ocispecs.Platform) ([]Target, error) {
	if len(asked) == 0 {
		asked = []ocispecs.Platform{fallback}
	}
	name := cmp.Or(o.d.Name, "image")
	return []Target{{
		Name: name, Platforms: asked, Refs: slices.Clone(o.d.Refs),
		NoPush: o.d.NoPush, Outputs: o.d.Outputs, Own: o.d.Own,
		fields:  map[string]string{"Target": name},
		project: p, image: dockerfileImage{o.d, p},
	}}, nil
}

func (anyDockerfile) violation() error               { return nil }
func (anyDockerfile) warnings() []*source.Diagnostic { return nil }
func (anyDockerfile) readsContext() bool             { return true }
func (o anyDockerfile) hasRepo() bool                { return len(o.d.Refs) > 0 }
func (anyDockerfile) followsBuilder() bool           { return true }
func (anyDockerfile) names() []string                { return nil }

func (anyDockerfile) combinations(*Project, []ocispecs.Platform) ([]Combination, error) {
	return nil, errors.New("a Dockerfile has no lock file")
}

// dockerfileImage is the image of any Dockerfile.
type dockerfileImage struct {
	d       Dockerfile
	project *Project
}

func (i dockerfileImage) build(frontend.Frontend) gateway.BuildFunc {
	return frontend.Plain{Stage: i.d.Stage, InContext: i.project.Context.Address != "" && i.d.Text == ""}.Build()
}

func (i dockerfileImage) describe(context.Context, llbgen.Options) (*llbgen.Image, error) {
	return nil, errors.New("what a Dockerfile's image is made from is not known before it is built")
}

func (i dockerfileImage) explain(err error) string {
	if i.project.Context.Folder == "" {
		return frontend.GitLogin(err)
	}
	return explainNotCopied(err, i.project.Context.Folder)
}

func (i dockerfileImage) diagnose(message string) *source.Diagnostic {
	return &source.Diagnostic{Filename: i.project.File.Name, Message: message}
}
