package builder

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	controlapi "github.com/moby/buildkit/api/services/control"
	apitypes "github.com/moby/buildkit/api/types"
	"google.golang.org/grpc"
)

// fakeControl implements as much of a buildkitd as Find uses.
type fakeControl struct {
	controlapi.UnimplementedControlServer
	workers int
}

func (f fakeControl) ListWorkers(context.Context, *controlapi.ListWorkersRequest) (*controlapi.ListWorkersResponse, error) {
	resp := &controlapi.ListWorkersResponse{}
	for range f.workers {
		resp.Record = append(resp.Record, &apitypes.WorkerRecord{ID: "w"})
	}
	return resp, nil
}

// serveFake serves a fakeControl on l and returns l's address.
func serveFake(t *testing.T, l net.Listener, workers int) string {
	t.Helper()
	s := grpc.NewServer()
	controlapi.RegisterControlServer(s, fakeControl{workers: workers})
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().Network() + "://" + l.Addr().String()
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	if network == "unix" {
		if err := os.MkdirAll(filepath.Dir(address), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// shortDir returns a directory with a path short enough for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "sf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestFindUsesTheFirstThatAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		running []string // some of host, rootful, rootless, docker
		want    string
		kind    Kind
	}{
		"BUILDKIT_HOST goes before everything":   {[]string{"host", "rootful", "rootless", "docker"}, "host", Remote},
		"the rootful socket before the rootless": {[]string{"rootful", "rootless", "docker"}, "rootful", Remote},
		"the rootless socket before Docker":      {[]string{"rootless", "docker"}, "rootless", Remote},
		"Docker before a private buildkitd":      {[]string{"docker"}, "docker", Docker},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := shortDir(t)
			sockets := map[string]string{
				"host": dir + "/host.sock", "rootful": dir + "/rootful.sock",
				"rootless": dir + "/xdg/buildkit/buildkitd.sock", "docker": dir + "/docker.sock",
			}
			vars := map[string]string{"XDG_RUNTIME_DIR": dir + "/xdg", "DOCKER_HOST": "unix://" + sockets["docker"]}
			for _, name := range tc.running {
				l := listen(t, "unix", sockets[name])
				switch name {
				case "docker":
					l = dockerListener(t, l, "io.containerd.snapshotter.v1")
				case "host":
					vars["BUILDKIT_HOST"] = "unix://" + sockets[name]
				}
				serveFake(t, l, 1)
			}
			var said []string
			b, err := Find(t.Context(), Options{Env: environment(vars), rootful: "unix://" + sockets["rootful"], Log: func(s string) { said = append(said, s) }})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if named := tc.want == "host"; named != (len(said) == 0) || !named && !strings.HasSuffix(said[0], "unix://"+sockets[tc.want]) {
				t.Errorf("said %q", said)
			}
			if want := "unix://" + sockets[tc.want]; b.Address != want || b.Kind != tc.kind || len(b.Workers) != 1 {
				t.Errorf("found %s with %d workers, want %s at %s", b, len(b.Workers), tc.kind, want)
			}
		})
	}
}

func TestFindListsAllThatItTried(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	serveFake(t, listen(t, "unix", dir+"/xdg/buildkit/buildkitd.sock"), 0)
	_, err := Find(t.Context(), Options{rootful: "unix://" + dir + "/none.sock", Env: environment(map[string]string{
		"XDG_RUNTIME_DIR": dir + "/xdg",
		"DOCKER_HOST":     "unix://" + dir + "/docker.sock",
		"PATH":            dir,
	})})
	var notFound *NotFoundError
	if !errors.As(err, &notFound) {
		t.Fatalf("got %v", err)
	}
	want := `no BuildKit found to build with; tried:
  rootful buildkitd unix://DIR/none.sock: dial unix DIR/none.sock: connect: no such file or directory
  rootless buildkitd unix://DIR/xdg/buildkit/buildkitd.sock: it answers but has no worker to build with
  Docker engine unix://DIR/docker.sock: dial unix DIR/docker.sock: connect: no such file or directory
  private buildkitd: buildkitd is neither beside samforge nor on PATH
name a buildkitd with --builder or BUILDKIT_HOST, start Docker, or put buildkitd and runc beside samforge or on PATH`
	if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFindDoesNotFallThroughFromANamedBuilder(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	serveFake(t, listen(t, "unix", dir+"/rootful.sock"), 1)
	for address, want := range map[string]string{
		"unix://" + dir + "/none.sock": "connect: no such file or directory",
		"tcp://127.0.0.1:1":            "connect: connection refused",
		"docker://":                    "docker.sock: connect: no such file or directory",
	} {
		_, err := Find(t.Context(), Options{
			Address: address,
			rootful: "unix://" + dir + "/rootful.sock",
			Env:     environment(map[string]string{"DOCKER_HOST": "unix://" + dir + "/docker.sock"}),
		})
		if err == nil || !strings.HasPrefix(err.Error(), "connect to the builder "+address+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want … %s", address, err, want)
		}
	}
}

func TestFindRefusesAnAddressWithAPassword(t *testing.T) {
	t.Parallel()
	const address = "tcp://ci:hunter2@builder.example.com:1234"
	_, inVariable := Find(t.Context(), Options{Env: environment(map[string]string{"BUILDKIT_HOST": address})})
	for name, err := range map[string]error{"BUILDKIT_HOST": inVariable, "--builder": CheckAddresses([]string{address})} {
		if err == nil || !strings.Contains(err.Error(), "tcp://xxxxxxxxxx@builder.example.com:1234 has a user or a password in it") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestConnectIsBounded(t *testing.T) {
	t.Parallel()
	silent := listen(t, "tcp", "127.0.0.1:0")
	_, err := connect(t.Context(), "tcp://"+silent.Addr().String(), TLS{}, 50*time.Millisecond)
	if err == nil || err.Error() != "no answer within 50ms" {
		t.Errorf("got %v", err)
	}
}

func TestFindStopsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, Options{Env: environment(nil), rootful: "unix:///none"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
}

// What gRPC says about a connection becomes what the operating system says.
func TestReason(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /run/b.sock: connect: no such file or directory"`: "dial unix /run/b.sock: connect: no such file or directory",
		`rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: EOF"`:                                                         "it closed the connection",
		`connection error: desc = "transport: failed to write client preface: write unix @->/run/b.sock: write: broken pipe"`:                                       "broken pipe",
		"failed to list workers: Unavailable: write unix @->/run/b.sock: write: broken pipe":                                                                        "broken pipe",
		"failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF":                                                             "it closed the connection",
		"failed to solve: Unavailable: error reading from server: read tcp 10.0.0.1:40000->10.0.0.2:1234: read: connection reset by peer":                           "connection reset by peer",
		"failed to solve: process \"/bin/sh -c make\" did not complete successfully: exit code: 2":                                                                  "failed to solve: process \"/bin/sh -c make\" did not complete successfully: exit code: 2",
	} {
		if got := reason(errors.New(text)).Error(); got != want {
			t.Errorf("%s\nbecomes %q\nwant %q", text, got, want)
		}
	}
}

// Where buildkitd does not run, nobody is told to start it.
func TestRemedyWithoutLinux(t *testing.T) {
	t.Parallel()
	for _, goos := range []string{"darwin", "windows"} {
		if said := remedy(goos); strings.Contains(said, "runc") || !strings.Contains(said, "start Docker, or name a buildkitd on a Linux machine") {
			t.Errorf("%s: %s", goos, said)
		}
	}
}
