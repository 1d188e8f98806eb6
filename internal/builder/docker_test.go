package builder

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// dockerListener turns l into a Docker engine's socket: it gives out each connection that asked for /grpc and has been
// switched to h2c.
func dockerListener(t *testing.T, l net.Listener) net.Listener {
	t.Helper()
	d := &upgraded{Listener: l, conns: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/grpc" || r.Header.Get("Upgrade") != "h2c" {
			http.NotFound(w, r)
			return
		}
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		d.conns <- &bufferedConn{Conn: conn, r: bufio.NewReader(rw)}
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return d
}

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
	if err == nil || !strings.Contains(err.Error(), "the engine has no BuildKit to offer (404 Not Found") {
		t.Errorf("got %v", err)
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
	writeFile(t, fmt.Sprintf(far, "tls")+"/docker/ca.pem", "")

	for name, tc := range map[string]struct {
		vars map[string]string
		want endpoint
	}{
		"the default socket": {
			map[string]string{"DOCKER_CONFIG": t.TempDir()},
			endpoint{host: "unix:///var/run/docker.sock"},
		},
		"the current context": {
			map[string]string{"DOCKER_CONFIG": config},
			endpoint{host: "unix:///run/user/1000/docker.sock"},
		},
		"DOCKER_CONTEXT before the current context": {
			map[string]string{"DOCKER_CONFIG": config, "DOCKER_CONTEXT": "far"},
			endpoint{host: "tcp://far:2376", certs: fmt.Sprintf(far, "tls") + "/docker"},
		},
		"DOCKER_HOST before a context": {
			map[string]string{"DOCKER_CONFIG": config, "DOCKER_HOST": "tcp://near:2375"},
			endpoint{host: "tcp://near:2375"},
		},
		"DOCKER_HOST with verified TLS": {
			map[string]string{"DOCKER_HOST": "tcp://near:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/certs"},
			endpoint{host: "tcp://near:2376", certs: "/certs"},
		},
		"DOCKER_HOST with TLS and the CLI's own certificates": {
			map[string]string{"DOCKER_CONFIG": config, "DOCKER_HOST": "tcp://near:2376", "DOCKER_TLS": "1"},
			endpoint{host: "tcp://near:2376", certs: config, insecure: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := (Options{Env: environment(tc.vars)}).dockerEndpoint(); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
	gone := Options{Env: environment(map[string]string{"DOCKER_CONFIG": config, "DOCKER_CONTEXT": "gone"})}.dockerEndpoint()
	if gone.host != "context gone" || gone.err == nil {
		t.Errorf("a context that is not there: %+v", gone)
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
