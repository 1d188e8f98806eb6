package project

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/samforge/samforge/llbgen"
)

// program is the beginning of an ELF executable.
func program(machine elf.Machine) string {
	head := make([]byte, 64)
	copy(head, elf.ELFMAG)
	head[elf.EI_CLASS], head[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	head[18] = byte(machine)
	return string(head)
}

func archive(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	packed := tar.NewWriter(zipped)
	for name, content := range files {
		if err := packed.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := packed.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestDownloadsThatAreSomethingElse: what a build would refuse is not pinned. Servers send an error
// page, or nothing, with the status 200.
func TestDownloadsThatAreSomethingElse(t *testing.T) {
	t.Parallel()
	amd64Program := llbgen.Download{Program: true, Platform: amd64}
	docker := llbgen.Download{Path: "docker/docker", Program: true, Platform: amd64}
	for name, c := range map[string]struct {
		content string
		d       llbgen.Download
		want    string // the error; empty for none
	}{
		"a program":                     {program(elf.EM_X86_64), amd64Program, ""},
		"an archive":                    {archive(t, map[string]string{"docker/ctr": "x", "./docker/docker": program(elf.EM_X86_64)}), docker, ""},
		"an archive of something else":  {archive(t, map[string]string{"package/dist/sf-core.js": "x"}), llbgen.Download{Path: "package/dist/sf-core.js"}, ""},
		"a page":                        {"<!DOCTYPE html><title>404</title>", amd64Program, "the file is not a program but text/html: expected an ELF executable for linux/amd64"},
		"an empty file":                 {"", amd64Program, "the server sent an empty file"},
		"a program for another machine": {program(elf.EM_AARCH64), amd64Program, "the file is a program for another machine (EM_AARCH64): expected EM_X86_64"},
		"a page for an archive":         {"<!DOCTYPE html><title>404</title>", docker, "the file is not an archive but text/html"},
		"an empty archive":              {"", docker, "the server sent an empty file"},
		"an archive without the file":   {archive(t, map[string]string{"docker/dockerd": "x"}), docker, "the archive has no docker/docker"},
		"an archive with another file":  {archive(t, map[string]string{"docker/docker": "#!/bin/sh"}), docker, "docker/docker in the archive: the file is not a program but text/plain"},
		"an archive that is broken off": {archive(t, map[string]string{"docker/dockerd": strings.Repeat("x", 1000)})[:40], docker, "the archive cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(c.content)) }))
			defer server.Close()
			c.d.URL = server.URL
			sum, err := download(t.Context(), c.d)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s, %v; want the error %q", sum, err, c.want)
				}
				return
			}
			if want := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(c.content))); err != nil || sum.String() != want {
				t.Errorf("%s, %v; want %s", sum, err, want)
			}
		})
	}
}
