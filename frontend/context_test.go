package frontend

import (
	"errors"
	"strings"
	"testing"
)

func TestContextsWithCredentials(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]map[string]string{
		"the build context": {"filename": "samforge.yaml", "context": "https://hunter2@example.com/a.git"},
		"a named context":   {"context": "https://example.com/a.git", "context:tools": "https://hunter2@example.com/a.git"},
	} {
		err := checkContexts(opts)
		if err == nil || !strings.Contains(err.Error(), "https://xxxxxxx@example.com/a.git has a user or a password") || !strings.Contains(err.Error(), "GIT_AUTH_TOKEN") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if err := checkContexts(map[string]string{"context": "https://example.com/a.git", "context:tools": "docker-image://a@sha256:0123", "build-arg:HTTPS_PROXY": "http://a:b@c"}); err != nil {
		t.Error(err)
	}
}

func TestReadContextFile(t *testing.T) {
	t.Parallel()
	files := fileSystemWith(t, map[string]string{
		"locks/sls.json": `{"lockfileVersion": 3}`,
		"link.json":      "-> locks/sls.json",
		"largest.json":   strings.Repeat("x", MaxContextFile),
		"larger.json":    strings.Repeat("x", MaxContextFile+1),
	})
	for name, size := range map[string]int{"locks/sls.json": 22, "link.json": 22, "largest.json": MaxContextFile} {
		if data, err := ReadContextFile(files, name); err != nil || len(data) != size {
			t.Errorf("%s has %d bytes (%v), want %d", name, len(data), err, size)
		}
	}
	for name, want := range map[string]string{
		"missing.json":   "there is no missing.json in the build context, or its .dockerignore leaves it out",
		"missing/a.json": "there is no missing/a.json in the build context",
		"locks":          "the build context: /locks is not a regular file but a directory",
		"larger.json":    "the build context: /larger.json has 8388609 bytes, and at most 8388608 are read",
	} {
		if _, err := ReadContextFile(files, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want one that tells %q", name, err, want)
		}
	}
}

// A repository that needs a key, or a token, has a sentence about it.
func TestGitLogin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`failed to load cache key: no SSH key "default" forwarded from the client`: "PLUGIN_SSH_AGENT_KEY",
		"exit code 1": "",
	} {
		if got := GitLogin(errors.New(text)); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q", text, got)
		}
	}
}
