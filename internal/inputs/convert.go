package inputs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerui"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	mainContext = dockerui.DefaultLocalNameContext
	localPrefix = "local:"
)

// convert turns the Dockerfile into a graph, as the Dockerfile frontend does. The gateway that it
// returns has the images that the target reaches.
func (f *Finder) convert(ctx context.Context, b Build, data []byte) (*offline, *llb.Definition, error) {
	c, ui, err := f.offline(b, data)
	if err != nil {
		return nil, nil, err
	}
	result, err := dockerfile2llb.Dockerfile2LLB(ctx, data, dockerfile2llb.ConvertOpt{
		Config: ui.Config, Client: ui, TargetPlatform: &b.Platform, MetaResolver: c,
		SourceMap: llb.NewSourceMap(nil, b.Dockerfile, "Dockerfile", data),
	})
	if err != nil {
		return nil, nil, atLines(err, b.Dockerfile, data)
	}
	def, err := result.State.Marshal(ctx, llb.Platform(b.Platform))
	return c, def, err
}

// declared returns the names of the build arguments that a Dockerfile declares, and of those that
// every Dockerfile has: https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope
// Others have no effect, unless all is true: there are declarations whose names are not known before
// a build. A Dockerfile that does not parse is a mistake later on.
func declared(data []byte) (names map[string]bool, all bool) {
	names = map[string]bool{"TARGETSTAGE": true, hostnameArg: true}
	for _, part := range []string{"PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT"} {
		names["TARGET"+part], names["BUILD"+part] = true, true
	}
	for _, instruction := range instructionsOf(data) {
		switch strings.ToLower(instruction.Value) {
		case command.Onbuild:
			all = true // a later stage may have what this one leaves to it
		case command.Arg:
			for _, arg := range values(instruction) {
				name, _, _ := strings.Cut(arg, "=")
				names[name] = true
				all = all || strings.ContainsAny(name, "$\"'\\`") // it has a variable or quotes
			}
		}
	}
	return names, all
}

// hostnameArg is the build argument for the name that the machine has in steps. No Dockerfile needs
// to declare it: https://docs.docker.com/reference/dockerfile/#buildkit-built-in-build-args
const hostnameArg = "BUILDKIT_SANDBOX_HOSTNAME"

// sources returns the paths of the local contexts in a graph, and adds what is fetched from
// addresses.
func (in *Inputs) sources(def *llb.Definition) (map[string][]string, error) {
	read := map[string][]string{}
	for _, data := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(data); err != nil {
			return nil, err
		}
		source := op.GetSource()
		if source == nil {
			continue
		}
		scheme, rest, _ := strings.Cut(source.Identifier, "://")
		switch scheme {
		case "local":
			var paths []string
			if text := source.Attrs[pb.AttrFollowPaths]; text != "" {
				if err := json.Unmarshal([]byte(text), &paths); err != nil {
					return nil, err
				}
			}
			read[rest] = paths
		case "docker-image", "oci-layout":
		case "git":
			in.address(source.Identifier, source.Attrs[pb.AttrGitChecksum], commit.MatchString(source.Identifier))
		default:
			in.address(source.Identifier, source.Attrs[pb.AttrHTTPChecksum], false)
		}
	}
	return read, nil
}

// commit matches the address of a commit of a git repository.
var commit = regexp.MustCompile(`#[0-9a-f]{40}(:|$)`)

// address adds what is fetched from an address. Without a checksum it can change.
func (in *Inputs) address(address, checksum string, pinned bool) {
	in.add("address", address, checksum)
	if checksum == "" && !pinned {
		in.Unpinned = append(in.Unpinned, fmt.Sprintf("%s can change: pin it with --checksum", address))
	}
}

// offline is a gateway without a builder: it resolves images and has no files.
type offline struct {
	build     Build
	finder    *Finder
	opts      map[string]string
	pins      map[string]string // see [pins]
	stages    map[string]bool   // by name
	variables bool              // see [variables]

	mu       sync.Mutex
	images   map[string]Image // by name and platform
	unknown  []string         // sentences about images that could not be looked up
	triggers bool             // an image has ONBUILD instructions
}

// offline returns the gateway for a build, and the settings of the Dockerfile frontend.
func (f *Finder) offline(b Build, data []byte) (*offline, *dockerui.Client, error) {
	c := &offline{
		build: b, finder: f, opts: map[string]string{}, pins: pins(b, data), images: map[string]Image{},
		stages: stages(data), variables: variables(data),
	}
	for name, value := range b.Contexts {
		if kind, _, _ := strings.Cut(value, ":"); kind == "local" || kind == "input" {
			value = localPrefix + name // a name, in place of the folder
		}
		c.opts["context:"+name] = value
	}
	for ref, name := range c.pins {
		c.opts["context:"+contextName(name)] = imageScheme + ref
	}
	ui, err := dockerui.NewClient(c)
	if err != nil {
		return nil, nil, err
	}
	ui.BuildArgs, ui.Target = maps.Clone(b.Args), b.Target
	ui.TargetPlatforms, ui.BuildPlatforms = []ocispecs.Platform{b.Platform}, []ocispecs.Platform{b.Builder}
	return c, ui, nil
}

// withBuilder returns the build with a builder's platform, which stands for that of any builder if
// none is known.
func (b Build) withBuilder() Build {
	if b.Builder.Architecture == "" {
		b.Builder = ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	}
	return b
}

var _ gateway.Client = (*offline)(nil)

func (c *offline) BuildOpts() gateway.BuildOpts {
	return gateway.BuildOpts{
		Opts:    c.opts,
		Workers: []gateway.WorkerInfo{{Platforms: []ocispecs.Platform{c.build.Builder}}},
		LLBCaps: pb.Caps.CapSet(pb.Caps.All()),
		Caps:    gwpb.Caps.CapSet(gwpb.Caps.All()),
	}
}

// ResolveImageConfig resolves an image and records it.
func (c *offline) ResolveImageConfig(ctx context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	if opt.OCILayoutOpt != nil {
		return ref, digest.FromString(ref), []byte(`{}`), nil // no image of a registry
	}
	image := Image{Name: ref, Written: ref, Platform: c.build.Platform}
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		image.Platform = *opt.ImageOpt.Platform
	}
	if name, ok := c.pins[ref]; ok {
		image.Name, image.Written = name, name
		image.Pin = c.build.Lock.Pin(name, image.Platform)
	}
	image.Given, image.stage = c.isContext(image.Name), c.stages[contextName(image.Name)]
	config, err := []byte(`{}`), error(nil)
	if image.Digest = image.Pin.Manifest; image.Digest == "" || c.variables {
		image.Digest, config, err = c.finder.Resolve(ctx, ref, image.Platform)
		image.Config = digest.FromBytes(config)
	}
	var unreachable *UnreachableError
	if err != nil && !errors.As(err, &unreachable) {
		return "", "", nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if unreachable != nil {
		// A builder may reach it.
		c.unknown = append(c.unknown, fmt.Sprintf("%s was not looked up: %v", ref, unreachable.Err))
		image.Digest, config = digest.FromString("unknown"), []byte(`{}`)
	}
	c.images[image.Name+" "+platforms.Format(image.Platform)] = image
	var found struct{ Config struct{ OnBuild []string } }
	if json.Unmarshal(config, &found) == nil && len(found.Config.OnBuild) > 0 {
		c.triggers = true
	}
	return ref, image.Digest, config, nil
}

// Solve returns a result without files: the Dockerfile frontend looks for ignore files, which [Find]
// reads itself.
func (c *offline) Solve(context.Context, gateway.SolveRequest) (*gateway.Result, error) {
	result := gateway.NewResult()
	result.SetRef(noFiles{})
	return result, nil
}

func (c *offline) Inputs(context.Context) (map[string]llb.State, error) { return nil, nil }

func (c *offline) ResolveSourceMetadata(_ context.Context, op *pb.SourceOp, _ sourceresolver.Opt) (*sourceresolver.MetaResponse, error) {
	return nil, fmt.Errorf("%s needs a builder", op.Identifier)
}

func (c *offline) NewContainer(context.Context, gateway.NewContainerRequest) (gateway.Container, error) {
	return nil, fmt.Errorf("a container needs a builder")
}

func (c *offline) Warn(context.Context, digest.Digest, string, gateway.WarnOpts) error { return nil }

// UnreachableError says that the registry of an image cannot be asked from here.
type UnreachableError struct{ Err error }

func (e *UnreachableError) Error() string { return e.Err.Error() }

// Unwrap returns why.
func (e *UnreachableError) Unwrap() error { return e.Err }

// atLines ties an error about a Dockerfile to its lines.
func atLines(err error, name string, data []byte) error {
	var located *parser.LocationError
	if !errors.As(err, &located) {
		return err
	}
	var ranges []*pb.Range
	for _, location := range located.Locations {
		for _, r := range location {
			ranges = append(ranges, &pb.Range{
				Start: &pb.Position{Line: int32(r.Start.Line), Character: int32(r.Start.Character)},
				End:   &pb.Position{Line: int32(r.End.Line), Character: int32(r.End.Character)},
			})
		}
	}
	return errdefs.WithSource(err, &errdefs.Source{Info: &pb.SourceInfo{Filename: name, Language: "Dockerfile", Data: data}, Ranges: ranges})
}
