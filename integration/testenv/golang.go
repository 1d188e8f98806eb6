// The image that compiles Go, made from this machine's Go, and the modules that it downloads.

package testenv

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// golang stands in for the official image of Go, with the parts of this machine's Go that compile
// programs without cgo.
func golang(ctx context.Context) ([]v1.Image, error) {
	version, err := goEnv(ctx, "GOVERSION")
	if err != nil {
		return nil, err
	}
	root, err := goEnv(ctx, "GOROOT")
	if err != nil {
		return nil, err
	}
	system, err := DebianRoot(ctx, "bookworm", systemPackages...)
	if err != nil {
		return nil, err
	}
	toolchain, err := keptLayer(ctx, "goroot", []string{"1", version}, func(out io.Writer) error {
		archive := &tarWriter{Writer: tar.NewWriter(out), dirs: map[string]bool{}}
		if err := addGo(archive, root); err != nil {
			return err
		}
		return archive.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("making a layer of %s: %w", version, err)
	}
	image, err := Image(ImageOptions{
		Arch: "amd64",
		Config: v1.Config{
			Env: []string{
				"PATH=/go/bin:/usr/local/go/bin:" + defaultPath, "GOLANG_VERSION=" + strings.TrimPrefix(version, "go"),
				"GOTOOLCHAIN=local", "GOPATH=/go",
			},
			WorkingDir: "/go", Cmd: []string{"bash"},
		},
		Layers:  []Layer{system, toolchain},
		History: []string{"ADD debian.tar.xz / # buildkit", "COPY /usr/local/go /usr/local/go # buildkit"},
	})
	return []v1.Image{image}, err
}

// addGo adds what `go build` reads below GOROOT to /usr/local/go.
func addGo(archive *tarWriter, root string) error {
	for _, part := range []string{
		"VERSION", "go.env", "bin/go", "lib", "pkg/include", "src",
		"pkg/tool/linux_amd64/asm", "pkg/tool/linux_amd64/compile", "pkg/tool/linux_amd64/link",
	} {
		err := filepath.WalkDir(filepath.Join(root, part), func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, file)
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (entry.Name() == "testdata" || name == "src/cmd"):
				return filepath.SkipDir
			case !entry.Type().IsRegular() || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			return archive.add(File{Path: "/usr/local/go/" + name, Mode: 0o644 | int64(info.Mode()&0o111), Data: data})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func goEnv(ctx context.Context, name string) (string, error) {
	value, err := exec.CommandContext(ctx, "go", "env", name).Output()
	if err != nil {
		return "", fmt.Errorf("asking go for %s: %w", name, err)
	}
	return strings.TrimSpace(string(value)), nil
}

// GoProxy is a Go module proxy on loopback, with modules of this machine's module cache:
// https://go.dev/ref/mod#goproxy-protocol
type GoProxy struct {
	url    string
	server *http.Server
}

// StartGoProxy starts a proxy with what the module in dir needs. What the cache does not have, go
// downloads first.
func StartGoProxy(ctx context.Context, dir string) (*GoProxy, error) {
	download := exec.CommandContext(ctx, "go", "mod", "download")
	download.Dir = dir
	if output, err := download.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go mod download: %w: %s", err, output)
	}
	cache, err := goEnv(ctx, "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting a Go module proxy: %w", err)
	}
	p := &GoProxy{
		url:    "http://" + listener.Addr().String(),
		server: &http.Server{Handler: http.FileServer(http.Dir(filepath.Join(cache, "cache", "download"))), ReadHeaderTimeout: time.Minute},
	}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

// URL is the value of GOPROXY.
func (p *GoProxy) URL() string { return p.url }

// Close stops the proxy.
func (p *GoProxy) Close() error { return p.server.Close() }
