package build

import (
	"maps"
	"strings"
	"testing"
)

func TestNetworkAttrs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opt  Options
		want map[string]string
	}{
		"nothing":               {Options{}, map[string]string{}},
		"the default network":   {Options{Network: "default"}, map[string]string{}},
		"no network":            {Options{Network: "none"}, map[string]string{"force-network-mode": "none"}},
		"the builder's network": {Options{Network: "host"}, map[string]string{"force-network-mode": "host"}},
		"hosts in either form":  {Options{AddHosts: []string{"npm.test:10.0.0.1", "b.test=::1"}}, map[string]string{"add-hosts": "npm.test=10.0.0.1,b.test=::1"}},
		"an IPv6 address":       {Options{AddHosts: []string{"a.test:2001:db8::1"}}, map[string]string{"add-hosts": "a.test=2001:db8::1"}},
		"several addresses":     {Options{AddHosts: []string{"a.test=10.0.0.1,[::1]"}}, map[string]string{"add-hosts": "a.test=10.0.0.1,a.test=::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := c.opt.networkAttrs(); err != nil || !maps.Equal(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		opt  Options
		want string
	}{
		"a network of an engine":        {Options{Network: "bridge"}, "default, none or host"},
		"a host alone":                  {Options{AddHosts: []string{"a.test"}}, `--add-host "a.test": expected HOST:IP`},
		"an address alone":              {Options{AddHosts: []string{":10.0.0.1"}}, "expected HOST:IP"},
		"a word in place of an address": {Options{AddHosts: []string{"a.test:host-gateway"}}, `"host-gateway" is not an IP address`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := c.opt.networkAttrs(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
