package frontend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
)

// Link is an image that is a named context of another one: how it is built, and with which options.
type Link struct {
	Build client.BuildFunc
	Opts  func(context.Context) map[string]string
}

// WithLinks returns a build function that first builds the links, and passes each of them to build as
// the context of its name, as docker buildx bake does with target:NAME.
func WithLinks(build client.BuildFunc, links map[string]Link) client.BuildFunc {
	if len(links) == 0 {
		return build
	}
	return func(ctx context.Context, c client.Client) (*client.Result, error) {
		with := linking{Client: c, opts: maps.Clone(c.BuildOpts().Opts), inputs: map[string]*pb.Definition{}}
		for _, name := range slices.Sorted(maps.Keys(links)) {
			link := links[name]
			res, err := link.Build(ctx, linking{Client: c, opts: link.Opts(ctx)})
			if err != nil {
				return nil, err
			}
			if err := with.add(ctx, name, res); err != nil {
				return nil, fmt.Errorf("use the image as the context %s: %w", name, err)
			}
		}
		return build(ctx, with)
	}
}

// linking is a gateway's client with other options, and with inputs of every request.
type linking struct {
	client.Client
	opts   map[string]string
	inputs map[string]*pb.Definition
}

// BuildOpts returns the options of the build.
func (l linking) BuildOpts() client.BuildOpts {
	of := l.Client.BuildOpts()
	of.Opts = maps.Clone(l.opts)
	return of
}

// Solve adds the inputs to the requests that go to a frontend.
func (l linking) Solve(ctx context.Context, req client.SolveRequest) (*client.Result, error) {
	if req.Frontend != "" && len(l.inputs) > 0 {
		inputs := maps.Clone(l.inputs)
		maps.Copy(inputs, req.FrontendInputs)
		req.FrontendInputs = inputs
	}
	return l.Client.Solve(ctx, req)
}

// add makes a result the context of a name: one for each platform if it has several. The options are
// those that dockerui reads.
func (l linking) add(ctx context.Context, name string, res *client.Result) error {
	refs := maps.Clone(res.Refs)
	if len(refs) == 0 {
		refs = map[string]client.Reference{"": res.Ref}
	}
	for platform, ref := range refs {
		key, config := name, exptypes.ExporterImageConfigKey
		if platform != "" {
			key, config = name+"::"+platform, config+"/"+platform
		}
		if ref == nil {
			return errors.New("it has no files, and no such image can be a context: let its Dockerfile copy something")
		}
		state, err := ref.ToState()
		if err != nil {
			return err
		}
		def, err := state.Marshal(ctx)
		if err != nil {
			return err
		}
		l.inputs[key] = def.ToPB()
		l.opts["context:"+key] = "input:" + key
		if data, ok := res.Metadata[config]; ok {
			metadata, err := json.Marshal(map[string][]byte{exptypes.ExporterImageConfigKey: data})
			if err != nil {
				return err
			}
			l.opts["input-metadata:"+key] = string(metadata)
		}
	}
	return nil
}
