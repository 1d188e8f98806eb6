package userfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// files makes a folder. A value that begins with "-> " is a link.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if target, isLink := strings.CutPrefix(text, "-> "); isLink {
			err = errors.Join(err, os.Symlink(target, path))
		} else {
			err = errors.Join(err, os.WriteFile(path, []byte(text), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"file": "12345", "link": "-> file", "zero": "-> /dev/zero", "folder/file": "", "empty": ""})
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"file": "12345", "link": "12345", "empty": ""} {
		if data, err := Read(filepath.Join(dir, name), 5); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]string{
		"zero":   "zero is or leads to a device, not a file",
		"pipe":   "pipe is a pipe, not a file",
		"folder": "folder is a folder, not a file",
		"file":   "file has more than 4 bytes, the most that can be read",
		"absent": "no such file",
	} {
		if _, err := Read(filepath.Join(dir, name), 4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want %q", name, err, want)
		}
	}
}

func TestReadAny(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, silent := filepath.Join(dir, "pipe"), filepath.Join(dir, "silent")
	for _, path := range []string{pipe, silent} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	cancel(why)
	if _, err := ReadAny(ctx, silent, 10); !errors.Is(err, why) {
		t.Errorf("a pipe that nobody writes to ends with %v", err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile(pipe, []byte("kind: sam\n"), 0) }()
	if data, err := ReadAny(t.Context(), pipe, 10); err != nil || string(data) != "kind: sam\n" {
		t.Errorf("%q, %v", data, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	if _, err := ReadAny(t.Context(), "/dev/zero", 1000); err == nil || !strings.Contains(err.Error(), "/dev/zero has more than 1000 bytes") {
		t.Errorf("of a device without an end: %v", err)
	}
}

func TestReadStream(t *testing.T) {
	t.Parallel()
	if data, err := ReadStream(t.Context(), strings.NewReader("12345"), "standard input", 5); err != nil || string(data) != "12345" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := ReadStream(t.Context(), strings.NewReader("123456"), "standard input", 5); err == nil || !strings.Contains(err.Error(), "standard input has more than 5 bytes") {
		t.Errorf("the error is %v", err)
	}
	open, _ := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ReadStream(ctx, open, "standard input", 5); !errors.Is(err, context.Canceled) {
		t.Errorf("a stream that does not end: %v", err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	outside := files(t, map[string]string{"secret": "secret"})
	dir := files(t, map[string]string{
		"locks/a.json":  "a",
		"link.json":     "-> locks/a.json",
		"absolute.json": "-> /locks/a.json", // as in a file system of its own
		"above.json":    "-> ../../locks/a.json",
		"linked":        "-> locks",
		"ignored.json":  "ignored",
		"kept/b.json":   "b",
		"kept/c.json":   "c",
		"hidden.json":   "-> ignored.json",
		"zero.json":     "-> /dev/zero",
		"outside.json":  "-> " + outside + "/secret",
		"outside":       "-> " + outside,
		"loop":          "-> loop",
		"*.json":        "star",
	})
	folder, err := NewFolder(dir, []string{"ignored.json", "kept", "!kept/b.json"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"locks/a.json": "a", "link.json": "a", "absolute.json": "a", "above.json": "a", "linked/a.json": "a", "kept/b.json": "b",
	} {
		if data, err := fs.ReadFile(folder, name); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range []string{"absent.json", "ignored.json", "hidden.json", "kept/c.json", "zero.json", "outside.json", "outside/secret"} {
		if data, err := fs.ReadFile(folder, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %q, %v; want that it does not exist", name, data, err)
		}
	}
	for name, want := range map[string]string{"../secret": "invalid", "/locks/a.json": "invalid", "locks": "is a folder", "loop": "too many links"} {
		if data, err := fs.ReadFile(folder, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v; want the error %q", name, data, err, want)
		}
	}
}
