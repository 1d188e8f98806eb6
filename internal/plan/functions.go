package plan

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/containerd/platforms"
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
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FUNCTION\tPLATFORM\tVERDICT\tFILES\tSIZE\tIMAGES\tTAG")
	warnings := p.Warnings
	for _, f := range p.Functions {
		var images []string
		for _, image := range f.Images {
			name, _, _ := strings.Cut(image, " ")
			images = append(images, name)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", f.Function, f.Platform, f.Verdict, f.Files, humanSize(f.Bytes),
			cmp.Or(strings.Join(images, ", "), "-"), strings.Join(f.Tags, ", "))
		for _, why := range f.Unpinned {
			warnings = append(warnings, f.Function+" is built each time: "+why)
		}
	}
	if err := table.Flush(); err != nil || len(warnings) == 0 {
		return err
	}
	_, err := fmt.Fprintln(w, "\nWARNINGS\n"+strings.Join(warnings, "\n"))
	return err
}
