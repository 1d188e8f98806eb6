package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker/cli/cli/config"
	dockercontext "github.com/docker/cli/cli/context"
	"github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	"github.com/moby/buildkit/client"
	dockerclient "github.com/moby/moby/client"
)

// endpoint is a Docker engine, found as the docker CLI finds it.
type endpoint struct {
	docker.Endpoint
	name  string // for messages: its address, or the context that has no address
	named bool   // DOCKER_HOST or a context names it; otherwise it is the default socket
	err   error  // why the endpoint is not known
}

// dockerEndpoint follows the docker CLI: DOCKER_HOST (with DOCKER_TLS_VERIFY, DOCKER_TLS and
// DOCKER_CERT_PATH), else the context in DOCKER_CONTEXT or config.json, else the default socket.
func (o Options) dockerEndpoint() endpoint {
	home, _ := os.UserHomeDir() // HOME on Unix, USERPROFILE on Windows
	dir := cmp.Or(o.env("DOCKER_CONFIG"), filepath.Join(cmp.Or(o.env("HOME"), home), ".docker"))
	if host := o.env("DOCKER_HOST"); host != "" {
		e := endpoint{name: host, named: true}
		e.Host = host
		verify := o.env("DOCKER_TLS_VERIFY") != ""
		if verify || o.env("DOCKER_TLS") != "" {
			e.SkipTLSVerify = !verify
			e.TLSData, e.err = tlsFiles(cmp.Or(o.env("DOCKER_CERT_PATH"), dir))
		}
		return e
	}
	name := o.env("DOCKER_CONTEXT")
	if name == "" {
		if file, err := config.Load(dir); err == nil { // reading the credentials reports a broken file
			name = file.CurrentContext
		}
	}
	if name == "" || name == "default" {
		e := endpoint{name: dockerclient.DefaultDockerHost}
		e.Host = dockerclient.DefaultDockerHost
		return e
	}
	return contextEndpoint(dir, name)
}

// tlsFiles reads ca.pem, cert.pem and key.pem; each may be absent, as for the docker CLI.
func tlsFiles(dir string) (*dockercontext.TLSData, error) {
	var files []string
	for _, name := range []string{"ca.pem", "cert.pem", "key.pem"} {
		file := filepath.Join(dir, name)
		if _, err := os.Stat(file); err != nil {
			file = ""
		}
		files = append(files, file)
	}
	return dockercontext.TLSDataFromFiles(files[0], files[1], files[2])
}

// contextEndpoint reads a context from the docker CLI's store.
func contextEndpoint(dir, name string) endpoint {
	e := endpoint{name: "context " + name, named: true}
	contexts := store.New(filepath.Join(dir, "contexts"), store.NewConfig(
		func() any { return &map[string]any{} },
		store.EndpointTypeGetter(docker.DockerEndpoint, func() any { return &docker.EndpointMeta{} }),
	))
	metadata, err := contexts.GetMetadata(name)
	if err == nil {
		e.EndpointMeta, err = docker.EndpointFromContext(metadata)
	}
	if err == nil && e.Host == "" {
		err = errors.New("it names no host")
	}
	if err == nil {
		e.Endpoint, err = docker.WithTLSData(contexts, name, e.EndpointMeta)
	}
	if err != nil {
		e.err = fmt.Errorf("read the docker context: %w", err)
		return e
	}
	e.name = e.Host
	return e
}

// api returns a client of the engine. The default socket must belong to root or to the user.
func (e endpoint) api() (*dockerclient.Client, error) {
	if e.err != nil {
		return nil, e.err
	}
	opts, err := e.ClientOpts()
	if err != nil {
		return nil, err
	}
	if !e.named && strings.HasPrefix(e.Host, "unix://") {
		opts = append(opts, dockerclient.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialTrusted(ctx, e.Host)
		}))
	}
	return dockerclient.New(opts...)
}

// dockerEngine returns the BuildKit inside a Docker engine. Like docker buildx, it reaches it by
// two upgraded HTTP requests: POST /grpc carries the client's connection and POST /session each
// session's.
func dockerEngine(ctx context.Context, e endpoint, timeout time.Duration) (*Builder, error) {
	api, err := e.api()
	if err != nil {
		return nil, err
	}
	dialGRPC := func(ctx context.Context, _ string) (net.Conn, error) {
		return upgrade(ctx, api, "/grpc", "h2c", nil)
	}
	dialSession := func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
		return upgrade(ctx, api, "/session", proto, meta)
	}
	c, err := client.New(ctx, "", client.WithContextDialer(dialGRPC), client.WithSessionDialer(dialSession))
	if err != nil {
		return nil, err
	}
	b, err := answered(ctx, &Builder{Address: e.name, Kind: Docker, client: c, dialSession: dialSession}, timeout)
	if err != nil {
		return nil, err
	}
	b.otherDigest = !hasContainerdStore(ctx, api, timeout)
	return b, nil
}

// upgrade returns a connection to the engine that speaks proto. The connection outlives ctx, and so
// does the ssh command that may carry it.
func upgrade(ctx context.Context, api *dockerclient.Client, path, proto string, meta map[string][]string) (net.Conn, error) {
	conn, err := api.DialHijack(context.WithoutCancel(ctx), path, proto, meta)
	var dial *net.OpError
	switch {
	case errors.As(err, &dial):
		return nil, dial // without the hint to check whether a "docker daemon" runs
	case err != nil && strings.Contains(err.Error(), "unable to upgrade"):
		return nil, fmt.Errorf("the engine offers no BuildKit: POST %s: %w", path, err)
	}
	return conn, err
}

// OlderStore reports whether the builder is a Docker engine with the image store that Docker had before
// containerd's: an image gets a different digest there, and has one platform.
func (b *Builder) OlderStore() bool { return b != nil && b.otherDigest }

// ExplainStore returns a sentence about a failure that comes from the older store, or "".
func (b *Builder) ExplainStore(text string) string {
	if !b.OlderStore() || !strings.Contains(text, "exporting multiple references") {
		return ""
	}
	return "the Docker engine has Docker's older image store, where an image has one platform: name one with --platform, enable its containerd image store (Docker 24 and newer), or name a buildkitd with --builder"
}

// hasContainerdStore reports whether an engine keeps its images in containerd, as engines do by
// default since Docker 29. The older store has no MergeOp and compresses layers again when it
// pushes them, so an image gets a different digest than from any other BuildKit.
func hasContainerdStore(ctx context.Context, api *dockerclient.Client, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	info, err := api.Info(ctx, dockerclient.InfoOptions{})
	return err == nil && slices.Contains(info.Info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"})
}
