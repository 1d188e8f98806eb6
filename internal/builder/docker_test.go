package builder

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// dockerListener turns l into a Docker engine's socket: it returns each connection that requested
// /grpc, after the switch to h2c. driver is the engine's storage driver.
func dockerListener(t *testing.T, l net.Listener, driver string) net.Listener {
	t.Helper()
	d := &upgraded{Listener: l, conns: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/info") {
			fmt.Fprintf(w, `{"DriverStatus": [["Backing Filesystem", "extfs"], ["driver-type", %q]]}`, driver)
			return
		}
		if r.Method != http.MethodPost || r.URL.Path != "/grpc" || r.Header.Get("Upgrade") != "h2c" {
			http.NotFound(w, r)
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		d.conns <- &readFirst{Conn: conn, r: rw}
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return d
}

// readFirst first returns the bytes that came together with the request.
type readFirst struct {
	net.Conn
	r io.Reader
}

func (c *readFirst) Read(p []byte) (int, error) { return c.r.Read(p) }

type upgraded struct {
	net.Listener
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (u *upgraded) Accept() (net.Conn, error) {
	select {
	case conn := <-u.conns:
		return conn, nil
	case <-u.closed:
		return nil, net.ErrClosed
	}
}

func (u *upgraded) Close() error {
	u.once.Do(func() { close(u.closed) })
	return u.Listener.Close()
}

func TestDockerEngineWithoutBuildKit(t *testing.T) {
	t.Parallel()
	l := listen(t, "unix", shortDir(t)+"/docker.sock")
	go http.Serve(l, http.NotFoundHandler())
	_, err := Find(t.Context(), Options{Address: "docker://", Env: environment(map[string]string{
		"DOCKER_HOST": "unix://" + l.Addr().String(),
	})})
	if err == nil || !strings.Contains(err.Error(), "the engine offers no BuildKit: POST /grpc: unable to upgrade to h2c, received 404") {
		t.Errorf("got %v", err)
	}
}

func TestDockerEngineWithTheOlderImageStoreComesLast(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	serveFake(t, dockerListener(t, listen(t, "unix", dir+"/docker.sock"), "overlay2"), 1)
	private := serveFake(t, listen(t, "unix", dir+"/private.sock"), 1)
	var said []string
	opt := Options{
		Env:     environment(map[string]string{"DOCKER_HOST": "unix://" + dir + "/docker.sock", "PATH": dir}),
		Log:     func(s string) { said = append(said, s) },
		rootful: "unix://" + dir + "/none.sock",
	}
	b, err := Find(t.Context(), opt) // no private buildkitd can be started
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Kind != Docker || len(said) != 1 || !strings.HasPrefix(said[0], "WARNING: building on the docker engine at unix://"+dir+"/docker.sock: it has Docker's older image store, which gives images a different digest") {
		t.Errorf("found %s and said %q", b, said)
	}

	said = nil
	steps := discovery(opt)
	steps[len(steps)-1] = step{"private buildkitd", func(ctx context.Context) (*Builder, error) {
		return connect(ctx, private, TLS{}, discoverTimeout)
	}}
	if b, err = discover(t.Context(), opt, steps); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.Address != private || len(said) != 1 || !strings.HasPrefix(said[0], "building on the private buildkitd and not on the docker engine") {
		t.Errorf("found %s and said %q", b, said)
	}
}

func TestDockerEndpointIsTheOneOfTheDockerCLI(t *testing.T) {
	t.Parallel()
	config := t.TempDir()
	writeFile(t, config+"/config.json", `{"currentContext": "rootless"}`)
	rootless := config + "/contexts/%s/12b961af5feb3e9d39f93b2cefb9a1a944f18d02cca0cac2f04f5a982240605f" // sha256 of "rootless"
	far := config + "/contexts/%s/512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868"      // sha256 of "far"
	writeFile(t, fmt.Sprintf(rootless, "meta")+"/meta.json", `{"Name": "rootless", "Endpoints": {"docker": {"Host": "unix:///run/user/1000/docker.sock"}}}`)
	writeFile(t, fmt.Sprintf(far, "meta")+"/meta.json", `{"Name": "far", "Endpoints": {"docker": {"Host": "tcp://far:2376"}}}`)
	writeFile(t, fmt.Sprintf(far, "tls")+"/docker/ca.pem", "far's")

	writeFile(t, config+"/certs/ca.pem", "authority")
	type want struct {
		host, ca string
		insecure bool
		named    bool
	}
	for name, tc := range map[string]struct {
		vars map[string]string
		want want
	}{
		"the default socket": {
			map[string]string{"DOCKER_CONFIG": t.TempDir()},
			want{host: "unix:///var/run/docker.sock"},
		},
		"the current context": {
			map[string]string{"DOCKER_CONFIG": config},
			want{host: "unix:///run/user/1000/docker.sock", named: true},
		},
		"DOCKER_CONTEXT before the current context": {
			map[string]string{"DOCKER_CONFIG": config, "DOCKER_CONTEXT": "far"},
			want{host: "tcp://far:2376", ca: "far's", named: true},
		},
		"DOCKER_HOST before a context": {
			map[string]string{"DOCKER_CONFIG": config, "DOCKER_HOST": "tcp://near:2375"},
			want{host: "tcp://near:2375", named: true},
		},
		"DOCKER_HOST with verified TLS": {
			map[string]string{"DOCKER_HOST": "tcp://near:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": config + "/certs"},
			want{host: "tcp://near:2376", ca: "authority", named: true},
		},
		"DOCKER_HOST with TLS and the CLI's own certificates": {
			map[string]string{"DOCKER_CONFIG": config + "/certs", "DOCKER_HOST": "tcp://near:2376", "DOCKER_TLS": "1"},
			want{host: "tcp://near:2376", ca: "authority", insecure: true, named: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := Options{Env: environment(tc.vars)}.dockerEndpoint()
			got := want{host: e.Host, insecure: e.SkipTLSVerify, named: e.named}
			if e.TLSData != nil {
				got.ca = string(e.TLSData.CA)
			}
			if got != tc.want || e.err != nil {
				t.Errorf("got %+v, %v, want %+v", got, e.err, tc.want)
			}
		})
	}
	gone := Options{Env: environment(map[string]string{"DOCKER_CONFIG": config, "DOCKER_CONTEXT": "gone"})}.dockerEndpoint()
	if gone.name != "context gone" || gone.err == nil {
		t.Errorf("a context that does not exist: %+v", gone)
	}
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOlderStoreHasOnePlatform(t *testing.T) {
	t.Parallel()
	const refused = "failed to solve: exporting multiple references to image store is currently unsupported"
	if got := (&Builder{Kind: Docker, otherDigest: true}).ExplainStore(refused); !strings.Contains(got, "name one with --platform") {
		t.Errorf("got %q", got)
	}
	for _, b := range []*Builder{nil, {Kind: Remote}} {
		if got := b.ExplainStore(refused); got != "" {
			t.Errorf("got %q", got)
		}
	}
}
