package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// `samforge check IMAGE` reports what Lambda refuses about images that docker buildx has pushed. What
// its messages say to do makes them images that Lambda takes.
func TestCheckImage(t *testing.T) {
	t.Parallel()
	b, _ := sharedBed(t)
	x := b.newBuildx(b.Buildkitd)
	build := func(t *testing.T, ref string, args ...string) {
		t.Helper()
		dir := t.TempDir()
		// Without force-compression, BuildKit uses a layer in whatever compression it has it. So no
		// two images have the same layer.
		must(t, os.WriteFile(filepath.Join(dir, "handler"), []byte("#!/bin/sh\n# "+ref+"\n"), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY handler /handler\nENTRYPOINT [\"/handler\"]\n"), 0o600))
		x.docker(dir, append(append([]string{"buildx", "build", "-t", ref}, args...), ".")...).ok(t)
	}

	for name, c := range map[string]struct {
		build []string
		check []string
		rule  string         // empty if Lambda takes the image
		fix   *regexp.Regexp // finds the flags to build it with, or its digest
	}{
		"Docker's media types": {build: []string{"--output", "type=image,push=true,oci-mediatypes=false"}},
		"the OCI's":            {build: []string{"--push"}, check: []string{"--platform", "linux/amd64"}},
		"for arm64":            {build: []string{"--push", "--platform", "linux/arm64"}, check: []string{"--platform", "linux/arm64"}},

		"provenance": {build: []string{"--push", "--provenance", "mode=min"}, rule: "LambdaManifest",
			fix: regexp.MustCompile(`build it with (--\S+ --\S+),`)},
		"provenance, by digest": {build: []string{"--push", "--provenance", "mode=max"}, rule: "LambdaManifest",
			fix: regexp.MustCompile(`by its digest, (sha256:\w+)`)},
		"two platforms": {build: []string{"--push", "--platform", "linux/amd64,linux/arm64"}, check: []string{"--platform", "linux/arm64"}, rule: "LambdaManifest",
			fix: regexp.MustCompile(`build it with (--\S+ \S+),`)},
		"zstd": {build: []string{"--output", "type=image,push=true,compression=zstd,force-compression=true,oci-mediatypes=true"}, rule: "LambdaLayers",
			fix: regexp.MustCompile(`build the image with (--\S+ \S+)`)},
		"no compression": {build: []string{"--output", "type=image,push=true,compression=uncompressed,force-compression=true"}, rule: "LambdaLayers",
			fix: regexp.MustCompile(`build the image with (--\S+ \S+)`)},
		"another architecture": {build: []string{"--push", "--platform", "linux/arm64"}, check: []string{"--platform", "linux/amd64"}, rule: "LambdaPlatform",
			fix: regexp.MustCompile(`build the image with (--\S+ \S+),`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ref := b.repo("ci/"+regexp.MustCompile(`\W+`).ReplaceAllString(strings.ToLower(name), "-")) + ":1"
			build(t, ref, c.build...)
			if c.rule != "" {
				message := b.finding(t, c.rule, append(c.check, ref)...)
				fix := c.fix.FindStringSubmatch(message)
				if fix == nil {
					t.Fatalf("no remedy in %q", message)
				}
				if digest := fix[1]; strings.HasPrefix(digest, "sha256:") {
					ref += "@" + digest
				} else if flags := strings.Fields(fix[1]); strings.Contains(fix[1], "push=true") {
					build(t, ref, flags...)
				} else {
					build(t, ref, append(flags, "--push")...)
				}
			}
			r := run(t, b.env, append([]string{"check", ref}, c.check...)...)
			if r.code != 0 || r.stdout != "Check complete, no problems found.\n" {
				t.Errorf("exit code %d, want 0\n%s%s", r.code, r.stdout, r.stderr)
			}
		})
	}

	t.Run("no such tag", func(t *testing.T) {
		t.Parallel()
		ref := b.repo("ci/none:1")
		if r := run(t, b.env, "check", ref); r.code != 2 || !strings.Contains(r.stderr, ref+" was not found in its registry: check the name and the tag") {
			t.Errorf("exit code %d, want 2\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
}

// finding runs `samforge check` on an image that breaks one rule, and returns the message of the
// finding.
func (b *bed) finding(t *testing.T, rule string, args ...string) string {
	t.Helper()
	r := run(t, b.env, append([]string{"check", "--format", "json"}, args...)...)
	var results struct {
		Warnings []struct{ RuleName, Level, Detail, URL string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &results); err != nil {
		t.Fatalf("%v\n%s%s", err, r.stdout, r.stderr)
	}
	if r.code != 1 || len(results.Warnings) != 1 || results.Warnings[0].RuleName != rule || results.Warnings[0].Level != "error" {
		t.Fatalf("exit code %d, want 1 and %s\n%s%s", r.code, rule, r.stdout, r.stderr)
	}
	return results.Warnings[0].Detail
}
