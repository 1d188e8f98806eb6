package builder

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	resolverconfig "github.com/moby/buildkit/util/resolver/config"
	"github.com/pelletier/go-toml/v2"
)

// Config is a part of buildkitd.toml:
// https://github.com/moby/buildkit/blob/master/docs/buildkitd.toml.md
type Config struct {
	// Registries say how registries are reached, by their host.
	Registries map[string]resolverconfig.RegistryConfig `toml:"registry"`
	// DNS is what the steps of a build ask for addresses.
	DNS DNS `toml:"dns"`
	// File is the file that the rest adds to; empty means the one that buildkitd would read by itself.
	File string `toml:"-"`
	// For names the settings that the user asked for this with, for messages.
	For []string `toml:"-"`
}

// DNS are the name servers and the search domains of build steps.
type DNS struct {
	Nameservers   []string `toml:"nameservers"`
	SearchDomains []string `toml:"searchDomains"`
}

// lines returns the configuration as a table without what is not set.
func (c Config) lines() (map[string]any, error) {
	text, err := toml.Marshal(c)
	if err != nil {
		return nil, err
	}
	var table map[string]any
	if err := toml.Unmarshal(text, &table); err != nil {
		return nil, err
	}
	return pruned(table), nil
}

// pruned removes empty lists and tables.
func pruned(table map[string]any) map[string]any {
	for key, value := range table {
		switch value := value.(type) {
		case map[string]any:
			if len(pruned(value)) == 0 {
				delete(table, key)
			}
		case []any:
			if len(value) == 0 {
				delete(table, key)
			}
		}
	}
	return table
}

// TOML returns the lines for a buildkitd.toml; none if nothing is set.
func (c Config) TOML() (string, error) {
	return c.MergedInto(nil)
}

// MergedInto returns a buildkitd.toml with the configuration added. Values of the configuration
// win, and its lists come first.
func (c Config) MergedInto(file []byte) (string, error) {
	var into map[string]any
	if err := toml.Unmarshal(file, &into); err != nil {
		return "", err
	}
	table, err := c.lines()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	encoder := toml.NewEncoder(&text)
	encoder.SetIndentTables(true)
	err = encoder.Encode(merged(into, table))
	return text.String(), err
}

// merged returns a table with the values of another one added.
func merged(into, table map[string]any) map[string]any {
	all := maps.Clone(into)
	if all == nil {
		all = map[string]any{}
	}
	for key, value := range table {
		switch value := value.(type) {
		case map[string]any:
			before, _ := all[key].(map[string]any)
			all[key] = merged(before, value)
		case []any:
			before, _ := all[key].([]any)
			all[key] = slices.Concat(value, slices.DeleteFunc(slices.Clone(before), func(item any) bool { return isIn(value, item) }))
		default:
			all[key] = value
		}
	}
	return all
}

// isIn reports whether a list has a text or a table in it.
func isIn(list []any, item any) bool {
	return slices.ContainsFunc(list, func(other any) bool { return reflect.DeepEqual(other, item) })
}

// warnOfConfig says what a builder that samforge did not start has to be configured with.
func (o Options) warnOfConfig(b *Builder) {
	text, err := o.Config.TOML()
	if b.Kind == Private || text == "" || err != nil {
		return
	}
	where := "its buildkitd.toml needs"
	if b.Kind == Docker {
		where = "its daemon.json needs the like (insecure-registries, registry-mirrors, dns; certificates are in /etc/docker/certs.d) of"
	}
	o.log("WARNING: %s cannot change the %s, which samforge did not start; %s\n%s", strings.Join(o.Config.For, ", "), b, where, indented(text))
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
