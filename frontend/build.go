// Package frontend is the BuildKit frontend: the adapter between the gateway and the graphs of
// llbgen. The samforge command and the `# syntax=` image both call [Frontend.Build].
package frontend

import (
	"context"
	"sync"
	"time"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
	"github.com/samforge/samforge/samtemplate"
)

// Frontend is the frontend, with settings of the program that runs it.
type Frontend struct {
	// Warn receives warnings that the builder is too old to pass on; optional.
	Warn func(message string)
	// Resolved receives each image when its inputs are known, before it is built; optional.
	Resolved func(ctx context.Context, platform ocispecs.Platform, image *llbgen.Image)
	// Template says how a SAM template is read; nil takes the parameters from the build argument
	// [ParametersArg].
	Template *Template
	// Version is that of the frontend's image, for the error about a build file that is too new;
	// empty in the samforge command.
	Version string
}

// Build reads the build file, which may be a SAM template, builds the requested target for each of
// its platforms and returns the result for the exporter. Errors have the lines of mistakes in the
// build file.
func (f Frontend) Build(ctx context.Context, c client.Client) (*client.Result, error) {
	c = Patient(c)
	opts := c.BuildOpts().Opts
	if err := checkCaps(opts["frontend.caps"]); err != nil {
		return nil, err
	}
	if err := checkContexts(opts); err != nil {
		return nil, err
	}
	if opts["filename"] == "" { // dockerui would look for a Dockerfile
		opts["filename"] = llbgen.Filename
	}
	ui, err := dockerui.NewClient(c)
	if err != nil {
		return nil, err
	}
	filename := opts["filename"]
	b := &build{Frontend: f, Client: ui, gateway: newResolveCache(c), lockName: llbgen.LockFilename(filename)}
	// The lock file comes with the build file.
	if b.src, err = ui.ReadEntrypoint(ctx, "yaml", llb.FollowPaths([]string{filename, filename + ".dockerignore", b.lockName})); err != nil {
		return nil, explainRead(filename, err)
	}
	if samtemplate.IsTemplate(b.src.Data) {
		return b.function(ctx)
	}
	return b.recipe(ctx)
}

// build is one run of the frontend.
type build struct {
	Frontend
	*dockerui.Client
	gateway  client.Client
	src      *dockerui.Source
	lockName string // name of the lock file

	plan   *llbgen.Plan
	target llbgen.Target
	epoch  time.Time
	images sync.Map // *llbgen.Image by platform, for annotations and attestations
	sent   sync.Map // the texts of warnings
}
