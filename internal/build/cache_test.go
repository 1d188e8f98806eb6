package build

import (
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

func TestCachesOfSeveralImages(t *testing.T) {
	t.Parallel()
	images := []image{
		{Target: llbgen.Target{Name: "java21-base", Runtime: "java21", Variant: "base"}},
		{Target: llbgen.Target{Name: "java21-serverless", Runtime: "java21", Variant: "serverless"}},
	}
	for to, want := range map[string]string{ // of the error; empty: none
		"type=registry,ref=r/cache:{{.Target}}":               "",
		"type=registry,ref=r/cache:{{.Runtime}}-{{.Variant}}": "",
		"type=inline":                                    "",
		"type=registry,ref=r/cache":                      "targets java21-base and java21-serverless would write the same cache",
		"type=local,dest=cache/{{.Runtime}}":             "put {{.Target}} into its name",
		"type=registry,ref=r/cache:{{.Version}}":         `there is no .Version: use .Runtime, .Target, .Variant`,
		"type=registry,ref=r/cache:{{":                   "--cache-to",
		"type=local,dest={{range 999999999999}}a{{end}}": "is not allowed",
	} {
		err := checkCaches(Options{CacheTo: []string{to}}, images)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: the error is %v, want %q", to, err, want)
		}
		if err := checkCaches(Options{CacheTo: []string{to}}, images[:1]); err != nil && !strings.Contains(to, "Version") && !strings.HasSuffix(to, "{{") && !strings.Contains(to, "range") {
			t.Errorf("%s of one image: %v", to, err)
		}
	}
	imports, exports, err := Options{
		CacheFrom: []string{"type=registry,ref=r/cache:{{.Target}}"},
		CacheTo:   []string{"type=registry,ref=r/cache:{{.Target}},mode=max"},
	}.caches(images[1])
	if err != nil || imports[0].Attrs["ref"] != "r/cache:java21-serverless" || exports[0].Attrs["ref"] != "r/cache:java21-serverless" {
		t.Errorf("imports %v, exports %v, %v", imports, exports, err)
	}
}
