package plan

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/containerd/platforms"
	"github.com/docker/go-units"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/samforge/samforge/internal/inputs"
	"github.com/samforge/samforge/internal/project"
	"github.com/samforge/samforge/internal/registry"
)

// Functions is what a build of a SAM template would do. docs/applications.md tells of it.
type Functions struct {
	// Functions are in the order of the template.
	Functions []Function `json:"functions"`
	Warnings  []string   `json:"warnings"`
}

// Function is the image of a function.
type Function struct {
	Function string `json:"function"`
	Platform string `json:"platform"`
	// Tags are the references that the image will have.
	Tags []string `json:"tags,omitempty"`
	// Inputs is the digest of what the image is made from, and Parts are that.
	Inputs string        `json:"inputs"`
	Parts  []inputs.Part `json:"parts"`
	// Files and Bytes are the number and the size of the files that a builder would be sent.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
	// Images are the images that the Dockerfile reaches, with their digests.
	Images []string `json:"images,omitempty"`
	// Verdict is build, skip if the image exists in its registry, or "same as" an earlier function
	// that is built from the same inputs.
	Verdict string `json:"verdict"`
	// Existing is the digest that the tag has now, if it exists.
	Existing string `json:"existing,omitempty"`
	// Unpinned says why the function is built each time.
	Unpinned []string `json:"unpinned,omitempty"`
}

// NewFunctions plans a build of the functions of a SAM template. It needs no builder, and asks the
// registries of the images that the Dockerfiles reach, and of the functions' images.
func NewFunctions(ctx context.Context, p *project.Project, client *registry.Client) (*Functions, error) {
	if err := p.FindInputs(ctx, registry.NewResolver(ctx, client), project.Settings{}); err != nil {
		return nil, err
	}
	targets, err := p.Targets(ocispecs.Platform{OS: "linux", Architecture: "amd64"})
	if err != nil {
		return nil, err
	}
	planned := &Functions{Functions: make([]Function, len(targets)), Warnings: []string{}}
	for _, w := range p.Warnings() {
		planned.Warnings = append(planned.Warnings, w.Summary())
	}
	eg, ctx := errgroup.WithContext(ctx)
	eg.SetLimit(maxLookups)
	for i, t := range targets {
		eg.Go(func() (err error) {
			planned.Functions[i], err = newFunction(ctx, t, p.HasRepo(), client)
			return err
		})
	}
	if err := eg.Wait(); err != nil {
		return nil, err
	}
	for _, t := range targets {
		for _, sentence := range t.Inputs.Unlocked {
			planned.Warnings = append(planned.Warnings, t.Name+": "+sentence)
		}
	}
	first := map[string]string{}
	for i := range planned.Functions {
		f := &planned.Functions[i]
		if other, ok := first[f.Inputs]; ok && f.Verdict == "build" && len(f.Unpinned) == 0 {
			f.Verdict = "same as " + other
		}
		first[f.Inputs] = cmp.Or(first[f.Inputs], f.Function)
	}
	return planned, nil
}

func newFunction(ctx context.Context, t project.Target, pushed bool, client *registry.Client) (Function, error) {
	in := t.Inputs
	if in == nil {
		return Function{}, fmt.Errorf("%s: its build context is not on this machine, so what its image is made from is not known", t.Name)
	}
	f := Function{
		Function: t.Name, Platform: platforms.Format(t.Platforms[0]), Tags: t.Refs, Inputs: in.Digest().String(), Parts: in.Parts,
		Files: in.Files, Bytes: in.Bytes, Verdict: "build", Unpinned: in.Unpinned,
	}
	for _, part := range in.Parts {
		if part.Kind == "image" {
			f.Images = append(f.Images, part.Name+" "+part.Value)
		}
	}
	if !pushed {
		return f, nil
	}
	digest, ok, err := client.Digest(ctx, t.Refs[0])
	if err != nil {
		return f, fmt.Errorf("%s: %w", t.Name, err)
	}
	if ok {
		f.Existing = digest
		if len(f.Unpinned) == 0 {
			f.Verdict = "skip"
		}
	}
	return f, nil
}

// WriteJSON writes the plan for programs.
func (p *Functions) WriteJSON(w io.Writer) error { return writeJSON(w, p) }

// WriteTable writes the plan for people.
func (p *Functions) WriteTable(w io.Writer) error {
	table := &rows{}
	table.add("FUNCTION", "PLATFORM", "VERDICT", "FILES", "SIZE", "IMAGES")
	warnings := p.Warnings
	verdicts := map[string]int{}
	var send int64
	for _, f := range p.Functions {
		var images []string
		for _, image := range f.Images {
			name, _, _ := strings.Cut(image, " ")
			images = append(images, name)
		}
		table.add(f.Function, f.Platform, f.Verdict, strconv.Itoa(f.Files), humanSize(f.Bytes), cmp.Or(strings.Join(images, ", "), "-"))
		for _, tag := range f.Tags {
			table.under(tag)
		}
		for _, why := range f.Unpinned {
			warnings = append(warnings, f.Function+" is built each time: "+why)
		}
		if verdicts[f.Verdict]++; f.Verdict == "build" {
			send += f.Bytes
		}
	}
	if err := table.write(w); err != nil {
		return err
	}
	builds, skips := verdicts["build"], verdicts["skip"]
	return writeEnd(w, fmt.Sprintf("%s: %d to build, %d the same as another, %d in the registry already; send at most %s", count(len(p.Functions), "function"),
		builds, len(p.Functions)-builds-skips, skips, units.HumanSize(float64(send))), warnings)
}
