package builder

import (
	"strings"
	"testing"
)

func TestCheckAddresses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		addresses []string
		want      string // "" if the list is right
	}{
		"no address means discovery":                  {nil, ""},
		"a single address may be any that Find takes": {[]string{"docker://"}, ""},
		"several":                              {[]string{"tcp://a:1234", "ssh://b", "private://"}, ""},
		"an address that is given twice":       {[]string{"tcp://a:1234", "ssh://b", "tcp://a:1234"}, "tcp://a:1234 is given twice"},
		"an empty flag means discovery":        {[]string{""}, ""},
		"an empty address beside others":       {[]string{"tcp://a:1234", ""}, `"" is not the address of a builder, such as unix://`},
		"an address without a scheme":          {[]string{"nope"}, `"nope" is not the address of a builder`},
		"an address with an unknown scheme":    {[]string{"gopher://a:1234"}, `(schemes: unix, tcp, ssh,`},
		"an http address":                      {[]string{"https://a:1234"}, `a buildkitd speaks gRPC, tcp://a:1234,`},
		"a path alone":                         {[]string{"/run/buildkit/buildkitd.sock"}, `is not the address of a builder`},
		"a socket without a path":              {[]string{"unix://"}, `"unix://" has no path`},
		"an address without a host":            {[]string{"tcp://"}, `"tcp://" has no host`},
		"a host without a port":                {[]string{"tcp://a"}, `"tcp://a" has no port: tcp://a:1234`},
		"a scheme alone":                       {[]string{"docker"}, `"docker" is not the address of a builder: docker:// is`},
		"the Docker engine beside a buildkitd": {[]string{"tcp://a:1234", "docker://"}, "docker:// cannot be one of several builders"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := CheckAddresses(tc.addresses)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
