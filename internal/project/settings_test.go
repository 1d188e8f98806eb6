package project

import (
	"strings"
	"testing"
)

func TestCachesOfSeveralImages(t *testing.T) {
	t.Parallel()
	var targets []Target
	for _, variant := range []string{"base", "serverless"} {
		name := "java21-" + variant
		targets = append(targets, Target{Name: name, fields: map[string]string{"Target": name, "Runtime": "java21", "Variant": variant}})
	}
	for to, want := range map[string]string{ // part of the error; empty: none
		"type=registry,ref=r/cache:{{.Target}}":               "",
		"type=registry,ref=r/cache:{{.Runtime}}-{{.Variant}}": "",
		"type=inline":                                    "",
		"type=registry,ref=r/cache":                      "targets java21-base and java21-serverless would write the same cache",
		"type=local,dest=cache/{{.Runtime}}":             "put {{.Target}} into its name",
		"type=registry,ref=r/cache:{{.Version}}":         `there is no .Version: use .Runtime, .Target, .Variant`,
		"type=registry,ref=r/cache:{{":                   "--cache-to",
		"type=local,dest={{range 999999999999}}a{{end}}": "is not allowed",
	} {
		err := Settings{CacheTo: []string{to}}.CheckCaches(targets)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: the error is %v, want %q", to, err, want)
		}
		if err := (Settings{CacheTo: []string{to}}).CheckCaches(targets[:1]); err != nil && !strings.Contains(to, "Version") && !strings.HasSuffix(to, "{{") && !strings.Contains(to, "range") {
			t.Errorf("%s of one image: %v", to, err)
		}
	}
	from, to, err := Settings{
		CacheFrom: []string{"type=registry,ref=r/cache:{{.Target}}"},
		CacheTo:   []string{"type=registry,ref=r/cache:{{.Target}},mode=max"},
	}.Caches(targets[1])
	if err != nil || from[0] != "type=registry,ref=r/cache:java21-serverless" || to[0] != "type=registry,ref=r/cache:java21-serverless,mode=max" {
		t.Errorf("from %v, to %v, %v", from, to, err)
	}
}
