package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// Members remembers the result of a build for several platforms, so that each platform's image can
// be exported again by itself and under its own name. The builder then has all of it in its cache:
// nothing is resolved, run, pulled or sent again.
type Members struct {
	mu  sync.Mutex
	all map[string]platformResult // by platform
}

// platformResult is the result for one platform.
type platformResult struct {
	definition *pb.Definition // nil for an image without layers
	metadata   map[string][]byte
}

// Keep returns a build that does what build does and remembers its result.
func (m *Members) Keep(build gateway.BuildFunc) gateway.BuildFunc {
	return func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		res, err := build(ctx, c)
		if err != nil {
			return nil, err
		}
		return res, m.keep(ctx, res)
	}
}

func (m *Members) keep(ctx context.Context, res *gateway.Result) error {
	var list exptypes.Platforms
	if err := json.Unmarshal(res.Metadata[exptypes.ExporterPlatformsKey], &list); err != nil {
		return fmt.Errorf("read the platforms of a build: %w", err)
	}
	all := map[string]platformResult{}
	for _, p := range list.Platforms {
		kept := platformResult{metadata: metadataOf(res.Metadata, p, list.Platforms)}
		if ref := res.Refs[p.ID]; ref != nil {
			state, err := ref.ToState()
			if err != nil {
				return fmt.Errorf("read the build of %s: %w", p.ID, err)
			}
			definition, err := state.Marshal(ctx)
			if err != nil {
				return fmt.Errorf("read the build of %s: %w", p.ID, err)
			}
			kept.definition = withCache(definition.ToPB())
		}
		all[platforms.Format(p.Platform)] = kept
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = all
	return nil
}

// withCache lets every step come from the cache, because it ran a moment ago. A merge stays as it
// is: it costs nothing, and BuildKit would fetch its inputs to look for it in the cache.
func withCache(definition *pb.Definition) *pb.Definition {
	for _, data := range definition.Def {
		var op pb.Op
		if op.UnmarshalVT(data) != nil || op.GetMerge() != nil {
			continue
		}
		if meta := definition.Metadata[digest.FromBytes(data).String()]; meta != nil {
			meta.IgnoreCache = false
		}
	}
	return definition
}

// metadataOf returns the exporter's metadata for one platform, in the form of a result for that
// platform alone.
func metadataOf(metadata map[string][]byte, p exptypes.Platform, all []exptypes.Platform) map[string][]byte {
	own := map[string][]byte{}
	for key, value := range metadata {
		annotation, ok, _ := exptypes.ParseAnnotationKey(key)
		switch {
		case key == exptypes.ExporterPlatformsKey:
		case ok:
			if key, ok := memberAnnotation(annotation, p.Platform); ok {
				own[key] = value
			}
		case strings.HasSuffix(key, "/"+p.ID):
			own[strings.TrimSuffix(key, "/"+p.ID)] = value
		case !ofAny(key, all):
			if _, ok := metadata[key+"/"+p.ID]; !ok {
				own[key] = value
			}
		}
	}
	return own
}

func ofAny(key string, all []exptypes.Platform) bool {
	for _, p := range all {
		if strings.HasSuffix(key, "/"+p.ID) {
			return true
		}
	}
	return false
}

// memberAnnotation returns the key of an index member's annotation for a separate export of that
// member. ok is false for an annotation of the index or of another member.
func memberAnnotation(key exptypes.AnnotationKey, platform ocispecs.Platform) (_ string, ok bool) {
	manifest := key.Type == exptypes.AnnotationManifest || key.Type == exptypes.AnnotationManifestDescriptor
	if !manifest || key.Platform != nil && platforms.FormatAll(*key.Platform) != platforms.FormatAll(platforms.Normalize(platform)) {
		return "", false
	}
	key.Platform = nil
	return key.String(), true
}

// Attrs returns the attributes of an index's exporter for one member, under another name.
func (m *Members) Attrs(attrs map[string]string, platform ocispecs.Platform, name string) map[string]string {
	own := map[string]string{}
	for key, value := range attrs {
		annotation, ok, _ := exptypes.ParseAnnotationKey(key)
		if ok {
			if key, ok = memberAnnotation(annotation, platform); !ok {
				continue
			}
		}
		own[key] = value
	}
	own["name"] = name
	return own
}

// Build returns a build function for the image of one platform. Run it after the build that Keep
// wraps.
func (m *Members) Build(platform ocispecs.Platform) gateway.BuildFunc {
	return func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		m.mu.Lock()
		kept, ok := m.all[platforms.Format(platforms.Normalize(platform))]
		m.mu.Unlock()
		if !ok {
			return nil, fmt.Errorf("the build has no image for %s", platforms.Format(platform))
		}
		res := gateway.NewResult()
		if kept.definition != nil {
			imports, err := cacheImports(c.BuildOpts().Opts)
			if err != nil {
				return nil, err
			}
			solved, err := c.Solve(ctx, gateway.SolveRequest{Definition: kept.definition, CacheImports: imports})
			if err != nil {
				return nil, err
			}
			ref, err := solved.SingleRef()
			if err != nil {
				return nil, err
			}
			res.SetRef(ref)
		}
		for key, value := range kept.metadata {
			res.AddMeta(key, value)
		}
		return res, nil
	}
}

// cacheImportsKey is the option that has the caches to import, as JSON.
const cacheImportsKey = "cache-imports"

// cacheImports returns the caches that a build imports. The builder's own cache has only those
// results from them that it has pulled.
func cacheImports(opts map[string]string) (imports []gateway.CacheOptionsEntry, err error) {
	value := opts[cacheImportsKey]
	if value == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(value), &imports); err != nil {
		return nil, fmt.Errorf("read the caches to import: %w", err)
	}
	return imports, nil
}
