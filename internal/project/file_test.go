package project

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const npmLockFile = `kind: serverless
plugin: {image: harness/serverless-plugin:1.1.0-beta-base-image, version: 1.1.0-beta}
serverless: {version: 3.39.0, lock: package-lock.json}
runtimes:
  - image: public.ecr.aws/sam/build-python3.12:1.143.0-20250822194415
    node: public.ecr.aws/sam/build-nodejs20.x:1.142.1-20250701194712
`

// write writes files into a new folder. A value that begins with "-> " is a link, and "|" a pipe.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		target, isLink := strings.CutPrefix(text, "-> ")
		switch {
		case isLink:
			err = errors.Join(err, os.Symlink(target, path))
		case text == "|":
			err = errors.Join(err, syscall.Mkfifo(path, 0o600))
		default:
			err = errors.Join(err, os.WriteFile(path, []byte(text), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFilesThatNeverEnd checks that a device or a pipe in place of a file is an error. It must not
// use up all memory or wait for ever.
func TestFilesThatNeverEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a lock file that leads to a device":  {map[string]string{"samforge.yaml": matrix, "samforge.lock": "-> /dev/zero"}, "read the lock file: "},
		"a lock file that is a pipe":          {map[string]string{"samforge.yaml": matrix, "samforge.lock": "|"}, "samforge.lock is a pipe, not a file"},
		"a build file that leads to a device": {map[string]string{"samforge.yaml": "-> /dev/zero"}, "is or leads to a device, not a file"},
		"a build file that is a pipe":         {map[string]string{"samforge.yaml": "|"}, "samforge.yaml is a pipe, not a file"},
		"an ignore file that is a pipe":       {map[string]string{"samforge.yaml": matrix, "samforge.yaml.dockerignore": "|"}, "samforge.yaml.dockerignore is a pipe, not a file"},
	} {
		var input *InputError
		_, err := Load(t.Context(), Options{Context: write(t, c.files)})
		if !errors.As(err, &input) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.want)
		}
	}
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	pipe := filepath.Join(write(t, map[string]string{"pipe": "|"}), "pipe")
	if _, err := Load(ctx, Options{File: pipe}); !errors.Is(err, why) {
		t.Errorf("a build file that is named and is a pipe: the wait ends with %v", err)
	}
	if _, err := Load(t.Context(), Options{File: "/dev/zero"}); err == nil || !strings.Contains(err.Error(), "/dev/zero has more than 2097152 bytes") {
		t.Errorf("a build file that is named and is a device: %v", err)
	}
}

// TestFilesOfTheContext checks that samforge without a builder reads the same files of the build
// context as a builder, with the same messages.
func TestFilesOfTheContext(t *testing.T) {
	t.Parallel()
	outside := filepath.Join(write(t, map[string]string{"lock.json": "outside"}), "lock.json")
	for name, c := range map[string]struct {
		files      map[string]string
		want, fail string
	}{
		"a file":                          {map[string]string{"package-lock.json": "lock"}, "lock", ""},
		"a link in the context":           {map[string]string{"package-lock.json": "-> locks/a.json", "locks/a.json": "lock"}, "lock", ""},
		"a link out of the context":       {map[string]string{"package-lock.json": "-> " + outside}, "", "there is no package-lock.json in the build context, or its .dockerignore leaves it out"},
		"a link to a device":              {map[string]string{"package-lock.json": "-> /dev/zero"}, "", "there is no package-lock.json in the build context"},
		"a pipe":                          {map[string]string{"package-lock.json": "|"}, "", "package-lock.json is a pipe, not a file"},
		"an ignored file":                 {map[string]string{"package-lock.json": "lock", ".dockerignore": "*.json"}, "", "there is no package-lock.json in the build context"},
		"ignored for this build file":     {map[string]string{"package-lock.json": "lock", "samforge.yaml.dockerignore": "*.json"}, "", "there is no package-lock.json in the build context"},
		"not ignored for this build file": {map[string]string{"package-lock.json": "lock", ".dockerignore": "*.json", "samforge.yaml.dockerignore": ""}, "lock", ""},
	} {
		c.files["samforge.yaml"] = npmLockFile
		p, err := Load(t.Context(), Options{Context: write(t, c.files)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		data, err := p.NewLookup(nil).readFile(t.Context(), "package-lock.json")
		if string(data) != c.want || (err == nil) != (c.fail == "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%s: %q, %v; want %q, %q", name, data, err, c.want, c.fail)
		}
	}
}
