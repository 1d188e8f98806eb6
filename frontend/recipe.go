package frontend

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/samforge/samforge/llbgen"
)

// load reads the build file and finds what to build.
func (b *build) load(ctx context.Context) error {
	lockfile, err := b.readLockfile(ctx)
	if err != nil {
		return err
	}
	if b.plan, err = llbgen.Load(b.src.Filename, b.src.Data, b.BuildArgs, llbgen.Today(time.Now()), llbgen.WithLockfile(lockfile)); err != nil {
		return err
	}
	if b.target, err = b.plan.SelectOne(b.Target); err != nil {
		return err
	}
	if b.TargetPlatforms, err = b.plan.Platforms(b.target, b.TargetPlatforms, b.BuildPlatforms[0]); err != nil {
		return err
	}
	return b.setEpoch()
}

// setEpoch sets the time of all files.
func (b *build) setEpoch() (err error) {
	b.epoch = llbgen.DefaultEpoch()
	if value := b.BuildArgs[llbgen.EpochArg]; value != "" {
		b.epoch, err = llbgen.ParseEpoch(value)
	}
	return err
}

// recipe builds an image of a samforge.yaml, or answers a question about it.
func (b *build) recipe(ctx context.Context) (*client.Result, error) {
	res, ok, err := b.subrequest(ctx)
	if err == nil && !ok {
		res, err = b.run(ctx)
	}
	if err != nil {
		return nil, b.atSource(err)
	}
	return res, nil
}

func (b *build) run(ctx context.Context) (*client.Result, error) {
	if err := b.load(ctx); err != nil {
		return nil, err
	}
	if err := b.warn(ctx, b.plan.WarningsOf(b.target)); err != nil {
		return nil, err
	}
	rb, err := b.Client.Build(ctx, b.platform)
	if err != nil {
		return nil, err
	}
	b.annotate(rb)
	if err := b.attest(ctx, rb); err != nil {
		return nil, err
	}
	return rb.Finalize()
}

// annotate adds the annotations of each image to its manifest.
func (b *build) annotate(rb *dockerui.ResultBuilder) {
	for _, platform := range b.TargetPlatforms {
		image, _ := b.images.Load(platforms.FormatAll(platform))
		key := &platform
		if !b.MultiPlatformRequested {
			key = nil // the exporter knows no platform then
		}
		for name, value := range image.(*llbgen.Image).Annotations() {
			rb.AddMeta(exptypes.AnnotationManifestKey(key, name), []byte(value))
		}
	}
}

// graph expresses the target for one platform.
func (b *build) graph(ctx context.Context, platform ocispecs.Platform) (*llbgen.Image, error) {
	caps := b.BuildOpts().LLBCaps
	opt := llbgen.Options{
		Platform:       platform,
		BuildPlatform:  b.BuildPlatforms[0],
		Resolve:        b.resolve,
		ReadFile:       b.readFile,
		Run:            runOptions(b.Config, caps),
		CacheNamespace: b.CacheIDNamespace,
		Checksum:       b.checksum,
		NoMerge:        caps.Supports(pb.CapMergeOp) != nil,
		NoCache:        b.IsNoCache(b.target.Name),
		Epoch:          b.epoch,
		Labels:         b.Labels,
		SourceMap:      b.src.SourceMap,
	}
	if b.MultiPlatformRequested {
		opt.Prefix = platforms.Format(platform)
	}
	return b.plan.Build(ctx, b.target, opt)
}

// platform builds the target for one platform.
func (b *build) platform(ctx context.Context, platform *ocispecs.Platform, _ int) (*dockerui.BuildResult, error) {
	image, err := b.graph(ctx, *platform)
	if err != nil {
		return nil, err
	}
	if err := b.warn(ctx, image.Warnings); err != nil {
		return nil, err
	}
	if b.Resolved != nil {
		b.Resolved(ctx, *platform, image)
	}
	ref, err := b.check(ctx, image, *platform)
	if err != nil {
		return nil, err
	}
	b.images.Store(platforms.FormatAll(*platform), image)
	return &dockerui.BuildResult{
		Reference: ref,
		Image:     image.Config,
		BaseImage: image.Base.Config,
		Epoch:     image.Config.Created,
	}, nil
}

// proxy returns the proxies in the predefined build arguments, in upper or lower case, as for a
// Dockerfile; nil if there are none.
func proxy(args map[string]string) *llb.ProxyEnv {
	value := func(name string) string { return cmp.Or(args[name], args[strings.ToLower(name)]) }
	env := llb.ProxyEnv{
		HTTPProxy:  value("HTTP_PROXY"),
		HTTPSProxy: value("HTTPS_PROXY"),
		FTPProxy:   value("FTP_PROXY"),
		NoProxy:    value("NO_PROXY"),
		AllProxy:   value("ALL_PROXY"),
	}
	if env == (llb.ProxyEnv{}) {
		return nil
	}
	return &env
}
