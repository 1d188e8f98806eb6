package builder

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

// cacheKeyNames are the attributes of caches that are secrets.
var cacheKeyNames = []string{"secret_access_key", "session_token", "token", "ghtoken"}

func hasKey(cache client.CacheOptionsEntry) bool {
	return slices.ContainsFunc(cacheKeyNames, func(name string) bool { return cache.Attrs[name] != "" })
}

// withholdKeys keeps caches to import that have keys out of the request for a build: the builder would
// write its attributes to the history of builds. The build function gets these caches, and names them in
// the requests that it makes.
func withholdKeys(opt client.SolveOpt, build gateway.BuildFunc) (client.SolveOpt, gateway.BuildFunc) {
	var withheld, open []client.CacheOptionsEntry
	for _, cache := range opt.CacheImports {
		if hasKey(cache) {
			withheld = append(withheld, cache)
		} else {
			open = append(open, cache)
		}
	}
	if len(withheld) == 0 {
		return opt, build
	}
	opt.CacheImports = open
	return opt, func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		with := &withCaches{Client: c, opts: c.BuildOpts()}
		caches, err := cacheImports(with.opts.Opts)
		if err != nil {
			return nil, err
		}
		for _, cache := range withheld {
			caches = append(caches, gateway.CacheOptionsEntry{Type: cache.Type, Attrs: cache.Attrs})
		}
		text, err := json.Marshal(caches)
		if err != nil {
			return nil, fmt.Errorf("name the caches to import: %w", err)
		}
		with.opts.Opts = maps.Clone(with.opts.Opts)
		if with.opts.Opts == nil {
			with.opts.Opts = map[string]string{}
		}
		with.opts.Opts[cacheImportsKey] = string(text)
		return build(ctx, with)
	}
}

// withCaches is a gateway whose build imports further caches.
type withCaches struct {
	gateway.Client
	opts gateway.BuildOpts
}

func (c *withCaches) BuildOpts() gateway.BuildOpts { return c.opts }
