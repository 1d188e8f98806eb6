package frontend

import (
	"maps"
	"slices"
	"testing"

	"github.com/moby/patternmatcher"
)

// What the command line says about the build reaches the Dockerfile frontend, and what it says about
// the template does not.
func TestForwardedOptions(t *testing.T) {
	t.Parallel()
	got := forwarded(map[string]string{
		"cmdline": "registry.example.com/frontend:1", "source": "registry.example.com/frontend:1", "filename": "template.yaml", "target": "HelloFn",
		"platform": "linux/amd64,linux/arm64", "context": "https://git.example.com/app.git", "contextkey": "context", "dockerfilekey": "dockerfile",
		"build-arg:BUILDKIT_SYNTAX": "registry.example.com/frontend:1", "build-arg:SAMFORGE_PARAMETERS": "Token=canary",
		"build-arg:VERSION": "2", "no-cache": "", "cache-imports": "[]", "context:base": "docker-image://other", "label:a": "b",
		"attest:provenance": "mode=max", "force-network-mode": "none", "image-resolve-mode": "pull", "add-hosts": "a=127.0.0.1", "requestid": "frontend.lint",
	}, dockerfile{path: "hello/Dockerfile", folder: "hello", target: "prod", platform: "linux/arm64", args: map[string]string{"VERSION": "1", "MODE": "fast"}})
	want := map[string]string{
		"filename": "hello/Dockerfile", "target": "prod", "platform": "linux/arm64",
		"build-arg:VERSION": "2", "build-arg:MODE": "fast", "build-arg:SOURCE_DATE_EPOCH": "315532800",
		"no-cache": "", "cache-imports": "[]", "context:base": "docker-image://other", "label:a": "b",
		"attest:provenance": "mode=max", "force-network-mode": "none", "image-resolve-mode": "pull", "add-hosts": "a=127.0.0.1", "requestid": "frontend.lint",
	}
	if !maps.Equal(got, want) {
		t.Errorf("the options are\n%v\nwant\n%v", got, want)
	}
}

// The patterns of an ignore file match the same files from the folder above.
func TestIgnorePatternsFromAbove(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"hello", "functions/a [1]*", `odd\name`} {
		patterns := below(folder, []string{"*.md", "!README.md", "**/*.log", "build/"})
		matcher, err := patternmatcher.New(patterns)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{
			"a.md": true, "README.md": false, "deep/er/x.log": true, "x.log": true, "build/out": true, "app.py": false, "docs/a.md": false,
		} {
			if got, err := matcher.MatchesOrParentMatches(folder + "/" + name); err != nil || got != want {
				t.Errorf("%s/%s is ignored: %t (%v), want %t by %q", folder, name, got, err, want, patterns)
			}
		}
		if outside, err := matcher.MatchesOrParentMatches("other/a.md"); err != nil || outside {
			t.Errorf("%q ignores a file of another folder (%v)", patterns, err)
		}
	}
	if patterns := []string{"*.md"}; !slices.Equal(below(".", patterns), patterns) {
		t.Errorf("the patterns of the whole context are changed: %q", below(".", patterns))
	}
}
