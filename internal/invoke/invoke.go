// Package invoke runs the image of a function in BuildKit under the limits of Lambda, before it is in a
// registry.
//
// A build step on the image starts a small program, which starts the runtime of the function and serves
// the Runtime API to it (package instance). samforge sends it the events, and gets the responses and the
// logs, over a socket of the session.
package invoke

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"runtime"
	"sync"

	"github.com/google/uuid"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/sshforward"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/staticfs"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"

	"github.com/samforge/samforge/internal/lambda/instance"
	"github.com/samforge/samforge/internal/lambda/runtimeapi"
	"github.com/samforge/samforge/internal/project"
)

// Options say how functions are invoked.
type Options struct {
	// Call is what the image of a target is invoked with; nil for an image that is not invoked.
	Call   func(t project.Target) *Call
	Region string
	// Network lets the function reach what the steps of a build reach, and not only itself.
	Network bool
	// Stdout gets the responses, and Stderr the logs.
	Stdout, Stderr io.Writer
	// EndLines ends each response on Stdout with a line feed: on a terminal the prompt would follow it
	// on the same line.
	EndLines bool
}

// Call says how a function is invoked.
type Call struct {
	Function
	// Event is what the function gets, and Invocations how often one instance gets it; 0 means once.
	Event       []byte
	Invocations int
	// Proof makes a function that fails an error of the build, and a step that is not run again when
	// nothing has changed. Its response is not written to Stdout.
	Proof bool
	// Response is what a proof compares the response with, as JSON; nil compares nothing.
	Response []byte
	// Requests takes the place of Event and Invocations: one instance answers them one after the other,
	// until the builds are cancelled.
	Requests <-chan *Request
}

// Request is an event on its way to a function.
type Request struct {
	Event []byte
	// Out gets the response as it comes.
	Out io.Writer
	// Done is called when the invocation is over. The report says whether the function failed; err says
	// why there is no report. An error that it returns ends the instance.
	Done func(report *instance.Report, err error) error
}

func (c *Call) times() int { return max(c.Invocations, 1) }

// Invoker invokes functions: a [build.Step].
type Invoker struct {
	opt Options

	mu        sync.Mutex
	instances map[string]*running   // by the ID of the socket
	programs  map[string]*programOf // by architecture
	missing   map[string]error      // why there is none
}

// programOf is the program of an instance for an architecture.
type programOf struct {
	name string // of the source
	hash digest.Digest
	data []byte
}

// running is an instance on a builder.
type running struct {
	*Call
	spec      instance.Spec
	over      <-chan struct{} // closed when the step has ended
	connected bool            // the instance has started
	answered  int
	last      *runtimeapi.Error // of the last invocation
	failed    *runtimeapi.Error // of the last one that failed
	err       error
}

// New returns an invoker. The error says why this samforge has no program for functions.
func New(opt Options) (*Invoker, error) {
	i := &Invoker{opt: opt, instances: map[string]*running{}, programs: map[string]*programOf{}, missing: map[string]error{}}
	for _, arch := range []string{"amd64", "arm64"} {
		data, err := program(arch)
		if err != nil {
			i.missing[arch] = err
			continue
		}
		i.programs[arch] = &programOf{"samforge-instance-" + arch, digest.FromBytes(data), data}
	}
	if len(i.programs) == 0 {
		return nil, cmp.Or(i.missing[runtime.GOARCH], i.missing["amd64"])
	}
	return i, nil
}

// Sources are the programs of instances.
func (i *Invoker) Sources() map[string]fsutil.FS {
	sources := map[string]fsutil.FS{}
	for _, p := range i.programs {
		files := staticfs.NewFS()
		files.Add(path.Base(instance.Program), &types.Stat{Mode: 0o755, Size: int64(len(p.data))}, p.data)
		sources[p.name] = files
	}
	return sources
}

// Attachable serves the sockets of instances beside the SSH agents of the user.
func (i *Invoker) Attachable(agents session.Attachable) session.Attachable {
	s := &sockets{serve: i.serve, knows: func(id string) bool { return i.instance(id) != nil }}
	s.agents, _ = agents.(sshforward.SSHServer)
	return s
}

func (i *Invoker) instance(id string) *running {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.instances[id]
}

// Where things are in the container of an instance.
const (
	socketPath   = "/.samforge-socket"
	resultFolder = "/.samforge-result"
)

// Run invokes the function of a target.
func (i *Invoker) Run(ctx context.Context, c gateway.Client, t project.Target, res *gateway.Result) error {
	call := i.opt.Call(t)
	if call == nil {
		return nil
	}
	caps := c.BuildOpts().LLBCaps
	if err := checkBuilder(caps); err != nil {
		return err
	}
	var image ocispecs.Image
	if err := json.Unmarshal(res.Metadata[exptypes.ExporterImageConfigKey], &image); err != nil {
		return fmt.Errorf("read the configuration of the image: %w", err)
	}
	tmp, warning := temporary(caps, call.Storage)
	if warning != "" {
		fmt.Fprintln(i.opt.Stderr, "WARNING: "+warning)
	}
	over, end := context.WithCancel(ctx)
	defer end()
	in := &running{Call: call, spec: call.spec(image.Config, i.opt.Region), over: over.Done()}
	err := i.solve(ctx, c, t, res, in, tmp, call.Proof)
	if exit := (*gatewaypb.ExitError)(nil); call.Proof && errors.As(err, &exit) && !i.connected(in) {
		// Another client proves the same, and only that one knows why it failed.
		err = i.solve(ctx, c, t, res, in, tmp, false)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case in.err != nil:
		return in.err
	case in.Requests != nil && err == nil:
		return errors.New("the instance ended")
	case in.answered < in.times() && err == nil && !in.Proof: // a proof may be in the cache
		return errors.New("the instance ended before it answered")
	case in.last != nil && in.Requests == nil && !in.Proof:
		return nil // the report says so
	case in.connected:
		return err
	}
	return explain(err, t, c.BuildOpts().Workers)
}

// solve runs the build step that is the instance. A builder runs equal steps once at a time, also for
// several clients, and the step speaks with one of them. So each invocation is a step of its own, by the
// ID of its socket, unless it is shared: a proof is not run again when nothing has changed.
func (i *Invoker) solve(ctx context.Context, c gateway.Client, t project.Target, res *gateway.Result, in *running, tmp llb.MountOption, shared bool) error {
	of := t.Name
	if !shared {
		of += uuid.NewString()
	}
	socket := "samforge-" + digest.FromString(of).Encoded()[:16]
	i.mu.Lock()
	i.instances[socket] = in
	i.mu.Unlock()
	def, err := i.definition(ctx, t, res, socket, in, tmp)
	if err != nil {
		return err
	}
	_, err = c.Solve(ctx, gateway.SolveRequest{Definition: def, Evaluate: true})
	return err
}

// connected reports whether the instance has started.
func (i *Invoker) connected(in *running) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return in.connected
}

// definition returns the build step that is the instance.
func (i *Invoker) definition(ctx context.Context, t project.Target, res *gateway.Result, socket string, in *running, tmp llb.MountOption) (*pb.Definition, error) {
	ref, err := res.SingleRef()
	if err != nil {
		return nil, err
	}
	root := llb.Scratch()
	if ref != nil {
		if root, err = ref.ToState(); err != nil {
			return nil, err
		}
	}
	if root.Output() == nil { // an image without files
		root = llb.Scratch().File(llb.Mkdir("/tmp", 0o755))
	}
	platform := t.Platforms[0]
	of := i.programs[platform.Architecture]
	if of == nil {
		return nil, cmp.Or(i.missing[platform.Architecture], fmt.Errorf("Lambda has no architecture %s", platform.Architecture))
	}
	source := llb.Local(of.name, llb.SharedKeyHint(of.name+of.hash.Encoded()), llb.WithCustomName("[internal] load the program of an instance"))
	network := pb.NetMode_NONE
	if i.opt.Network {
		network = pb.NetMode_UNSET
	}
	again := llb.RunOption(llb.IgnoreCache)
	if in.Proof {
		again = llb.AddEnv("SAMFORGE_PROOF", in.inputs(of.hash).String())
	}
	run := root.Run(
		llb.Args([]string{instance.Program, socketPath}),
		llb.Dir("/"), llb.User("0:0"), llb.ReadonlyRootFS(), again, llb.Network(network), llb.Platform(platform),
		llb.AddMount(path.Dir(instance.Program), source, llb.Readonly),
		llb.AddMount("/tmp", llb.Scratch(), tmp),
		llb.AddSSHSocket(llb.SSHID(socket), llb.SSHSocketOpt(socketPath, 0, 0, 0o600)),
		llb.WithCustomName("invoke "+t.Name),
	)
	// The root cannot be written to, so the result of the step is another folder, which stays empty.
	def, err := run.AddMount(resultFolder, llb.Scratch()).Marshal(ctx, llb.Platform(platform))
	if err != nil {
		return nil, err
	}
	return def.ToPB(), nil
}
