package builder

import (
	"context"
	"strings"
	"testing"

	"github.com/moby/buildkit/client"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
)

type gatewayWith struct {
	gateway.Client
	opts map[string]string
}

func (g gatewayWith) BuildOpts() gateway.BuildOpts { return gateway.BuildOpts{Opts: g.opts} }

// A cache with a key is not in the request of a build, which the builder keeps, and the build imports it
// all the same.
func TestWithholdKeys(t *testing.T) {
	t.Parallel()
	open := client.CacheOptionsEntry{Type: "registry", Attrs: map[string]string{"ref": "a/b"}}
	secret := client.CacheOptionsEntry{Type: "s3", Attrs: map[string]string{"bucket": "b", "secret_access_key": "canary"}}
	var seen string
	build := func(_ context.Context, c gateway.Client) (*gateway.Result, error) {
		seen = c.BuildOpts().Opts[cacheImportsKey]
		return nil, nil
	}
	for name, c := range map[string]struct {
		imports  []client.CacheOptionsEntry
		opts     map[string]string
		sent     int
		imported []string
	}{
		"one of each": {[]client.CacheOptionsEntry{secret, open}, map[string]string{cacheImportsKey: `[{"Type":"registry","Attrs":{"ref":"a/b"}}]`}, 1, []string{`"a/b"`, "canary"}},
		"keys alone":  {[]client.CacheOptionsEntry{secret}, nil, 0, []string{"canary"}},
		"none":        {[]client.CacheOptionsEntry{open}, map[string]string{cacheImportsKey: "[]"}, 1, []string{"[]"}},
	} {
		opt, build := withholdKeys(client.SolveOpt{CacheImports: c.imports}, build)
		if _, err := build(t.Context(), gatewayWith{opts: c.opts}); err != nil {
			t.Fatal(err)
		}
		if len(opt.CacheImports) != c.sent || c.sent == 1 && opt.CacheImports[0].Type != "registry" {
			t.Errorf("%s: sent %+v", name, opt.CacheImports)
		}
		for _, want := range c.imported {
			if !strings.Contains(seen, want) {
				t.Errorf("%s: the build imports %s, want %s", name, seen, want)
			}
		}
	}
}
