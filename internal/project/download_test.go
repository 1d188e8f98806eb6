package project

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/samforge/samforge/internal/roundtrip"
	"github.com/samforge/samforge/llbgen"
)

// program returns the beginning of an ELF executable.
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

// TestDownloadsThatAreSomethingElse checks that lock does not pin what a build would refuse.
// Servers send an error page, or nothing, with the status 200.
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
		"a page in place of an archive": {"<!DOCTYPE html><title>404</title>", docker, "the file is not an archive but text/html"},
		"an empty archive":              {"", docker, "the server sent an empty file"},
		"an archive without the file":   {archive(t, map[string]string{"docker/dockerd": "x"}), docker, "the archive has no docker/docker"},
		"an archive with another file":  {archive(t, map[string]string{"docker/docker": "#!/bin/sh"}), docker, "docker/docker in the archive: the file is not a program but text/plain"},
		"a truncated archive":           {archive(t, map[string]string{"docker/dockerd": strings.Repeat("x", 1000)})[:40], docker, "the archive cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(c.content)) }))
			defer server.Close()
			c.d.URL = server.URL
			sum, err := download(t.Context(), http.DefaultTransport, c.d, maxDownload)
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

// A download that breaks off is fetched again. If it stalls, or never ends, the error says where or
// how much.
func TestDownloadsThatEndBadly(t *testing.T) {
	t.Parallel()
	whole := program(elf.EM_X86_64)
	half := func() io.Reader { return strings.NewReader(whole[:10]) }
	for name, c := range map[string]struct {
		answer server
		tries  int
		want   string // the error; empty for none
	}{
		"503, then half of it, then a reset": {func(_ context.Context, try int) (int, io.Reader) {
			switch try {
			case 1:
				return http.StatusServiceUnavailable, strings.NewReader("busy")
			case 2:
				return http.StatusOK, io.MultiReader(half(), iotest.ErrReader(io.ErrUnexpectedEOF))
			case 3:
				return http.StatusOK, iotest.ErrReader(syscall.ECONNRESET)
			}
			return http.StatusOK, strings.NewReader(whole)
		}, 4, ""},
		"no headers": {func(ctx context.Context, _ int) (int, io.Reader) {
			<-ctx.Done()
			return http.StatusOK, nil
		}, 1, "downloads.example.com sent nothing for 1m0s"},
		"a body that stalls": {func(ctx context.Context, _ int) (int, io.Reader) {
			return http.StatusOK, io.MultiReader(half(), waiting{ctx})
		}, 1, "downloads.example.com sent nothing for 1m0s"},
		"no end": {func(context.Context, int) (int, io.Reader) { return http.StatusOK, endless(whole) }, 1, "the file is larger than 1MB, the most that an image may have"},
		"404":    {func(context.Context, int) (int, io.Reader) { return http.StatusNotFound, strings.NewReader("") }, 1, "the server says 404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				inner := roundTripper(func(req *http.Request) (*http.Response, error) {
					tries++
					status, body := c.answer(req.Context(), tries)
					if req.Context().Err() != nil {
						return nil, req.Context().Err()
					}
					return &http.Response{StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Body: io.NopCloser(body), Request: req}, nil
				})
				d := llbgen.Download{URL: "https://downloads.example.com/plugin", Program: true, Platform: amd64}
				_, err := download(t.Context(), roundtrip.Streams(inner, time.Minute), d, 1e6)
				if tries != c.tries || c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("the error after %d tries is %v, want %q after %d", tries, err, c.want, c.tries)
				}
			})
		})
	}
}

// server answers the request of a try with a status and a body.
type server func(ctx context.Context, try int) (int, io.Reader)

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

// waiting returns nothing until the context ends.
type waiting struct{ ctx context.Context }

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

// endless returns its text for ever.
type endless string

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }
