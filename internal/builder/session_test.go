//go:build linux

package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/moby/buildkit/session/grpchijack"
)

// serveDocker serves a Docker engine whose BuildKit is b: /grpc is b's socket and /session one of
// b's sessions.
func serveDocker(t *testing.T, b *Builder, l net.Listener) {
	t.Helper()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var inner net.Conn
		var err error
		switch r.URL.Path {
		case "/grpc":
			inner, err = net.Dial("unix", strings.TrimPrefix(b.Address, "unix://"))
		case "/session":
			meta := map[string][]string{}
			for name, values := range r.Header {
				if strings.HasPrefix(name, "X-Docker-Expose-Session-") {
					meta[name] = values
				}
			}
			inner, err = grpchijack.Dialer(b.client.ControlClient())(t.Context(), "h2c", meta)
		default:
			err = errors.New("no such path")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		outer, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		fmt.Fprint(outer, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		go func() {
			_, _ = io.Copy(inner, rw)
			inner.Close()
		}()
		_, _ = io.Copy(outer, inner)
		outer.Close()
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

func TestRunInADockerEngineSendsLocalSourcesThroughItsSessions(t *testing.T) {
	engine := startForTest(t)
	l := listen(t, "unix", shortDir(t)+"/docker.sock")
	serveDocker(t, engine, l)
	b, err := Find(t.Context(), Options{Address: "docker://", Env: environment(map[string]string{"DOCKER_HOST": "unix://" + l.Addr().String()})})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, r := range b.Run(t.Context(), sleepSession(t), []Job{sleepJob("a", "1ms"), sleepJob("b", "2ms")}, nil) {
		if r.Err != nil {
			t.Errorf("%s: %v", r.Name, r.Err)
		}
	}
}

func TestRunSaysThatNoSessionCouldBeOpened(t *testing.T) {
	engine := startForTest(t)
	b := *engine
	b.dialSession = func(ctx context.Context, _ string, _ map[string][]string) (net.Conn, error) {
		return nil, errors.New("refused")
	}
	r := b.Run(t.Context(), SessionOptions{}, []Job{sleepJob("a", "1ms")}, nil)[0]
	if r.Err == nil || !strings.Contains(r.Err.Error(), "open a session with private buildkitd at unix://") || !strings.HasSuffix(r.Err.Error(), "refused") {
		t.Errorf("got %v", r.Err)
	}
}

// relay forwards connections to a Unix socket, and can cut them.
type relay struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (r *relay) serve(l net.Listener, socket string) {
	for {
		outer, err := l.Accept()
		if err != nil {
			return
		}
		inner, err := net.Dial("unix", socket)
		if err != nil {
			outer.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, outer, inner)
		r.mu.Unlock()
		for _, pair := range [][2]net.Conn{{outer, inner}, {inner, outer}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1])
				pair[0].Close()
			}()
		}
	}
}

// cut ends every connection; the relay still forwards new ones.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.conns {
		conn.Close()
	}
}

// A restarted builder answers, but knows nothing of the builds before.
func TestRunTakesABuilderThatLostItsSessionsForLost(t *testing.T) {
	b := startForTest(t)
	l := listen(t, "unix", shortDir(t)+"/relay.sock")
	var between relay
	go between.serve(l, strings.TrimPrefix(b.Address, "unix://"))
	again, err := Find(t.Context(), Options{Address: "unix://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	running := make(chan struct{})
	go func() {
		<-running
		between.cut()
	}()
	d, _ := NewDisplay(&notifyOn{text: "sleeping for", seen: running}, "plain")
	r := again.Run(t.Context(), sleepSession(t), []Job{sleepJob("a", "2s")}, d)[0]
	var lost *LostError
	if !errors.As(r.Err, &lost) {
		t.Errorf("got %v", r.Err)
	}
}
