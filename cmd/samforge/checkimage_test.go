package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/buildkit/frontend/subrequests/lint"
)

// pushFunction pushes an image for amd64 with that ENTRYPOINT to a new registry, and returns its
// reference.
func pushFunction(t *testing.T, entrypoint ...string) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	image, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.DockerManifestSchema2),
		&v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{Entrypoint: entrypoint}})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/ci/function:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image); err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

func TestCheckOfAnImage(t *testing.T) {
	t.Chdir(t.TempDir())
	good, relative := pushFunction(t, "/handler"), pushFunction(t, "./handler")
	for name, c := range map[string]struct {
		args []string
		code int
		want string // the beginning of standard output
	}{
		"nothing is found": {args: []string{good}, want: "Check complete, no problems found.\n"},
		"an error": {args: []string{relative}, code: exitFailed,
			want: "Check complete, 1 problem has been found!\n\nERROR: LambdaEntryPoint - https://github.com/samforge/samforge/blob/main/docs/lambda.md#lambdaentrypoint\n" +
				"ENTRYPOINT starts \"./handler\", and Lambda takes only an absolute path: write the whole path, beginning with /\n"},
		"a warning": {args: []string{pushFunction(t, "handler")}, code: exitFailed,
			want: "Check complete, 1 problem has been found!\n\nWARNING: LambdaEntryPoint - "},
		"two errors": {args: []string{relative, "--platform", "linux/arm64"}, code: exitFailed,
			want: "Check complete, 2 problems have been found!\n\nERROR: LambdaPlatform - "},
		"its platform": {args: []string{good, "--platform", "linux/amd64"}, want: "Check complete, no problems found.\n"},

		"a platform that Lambda does not have": {args: []string{good, "--platform", "linux/386"}, code: exitInput},
		"a flag for build files":               {args: []string{good, "--file", "samforge.yaml"}, code: exitInput},
		"a platform for a build file":          {args: []string{".", "--platform", "linux/amd64"}, code: exitInput},
		"no such image":                        {args: []string{strings.Replace(good, ":1", ":2", 1) + "2"}, code: exitInput},
		"no such registry":                     {args: []string{"127.0.0.1:1/ci/function:1"}, code: exitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := execute(append([]string{"check"}, c.args...)...)
			if code := codeOf(err); code != c.code || !strings.HasPrefix(out, c.want) || c.want == "" && out != "" {
				t.Errorf("exit code %d, want %d (%v); it prints\n%s\nwant\n%s", code, c.code, err, out, c.want)
			}
		})
	}
}

func TestCheckOfAnImageAsJSON(t *testing.T) {
	for entrypoint, rules := range map[string]string{"/handler": "", "./handler": "LambdaEntryPoint error", "handler": "LambdaEntryPoint warning"} {
		out, _ := execute("check", "--format", "json", pushFunction(t, entrypoint))
		var results struct {
			lint.LintResults
			Warnings []struct {
				lint.Warning
				Level string
			} `json:"warnings"`
		}
		if err := json.Unmarshal([]byte(out), &results); err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		var found []string
		for _, w := range results.Warnings {
			found = append(found, w.RuleName+" "+w.Level)
		}
		if strings.Join(found, ", ") != rules || results.Warnings == nil || results.Sources == nil {
			t.Errorf("%s gives\n%s\nwant %s", entrypoint, out, rules)
		}
	}
}

func TestFoldersAndRepositoriesAreNoImages(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("shop.example.com", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("build:1", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string]bool{
		"python:3.12":                     true,
		"shop.example.com/orders":         true,
		"shop.example.com":                false,
		filepath.Join("images", "sam"):    false,
		"build:1":                         false,
		"github.com/samforge/samforge":    false,
		"https://example.com/context.tar": false,
	} {
		if got := isImage(arg); got != want {
			t.Errorf("%q: %v, want %v", arg, got, want)
		}
	}
	var usage *usageError
	if _, err := execute("check", "python:3.12", "--rules=false", "--env-args"); !errors.As(err, &usage) || !strings.Contains(err.Error(), "--rules --env-args is for") {
		t.Errorf("flags for a build file: %v", err)
	}
}
