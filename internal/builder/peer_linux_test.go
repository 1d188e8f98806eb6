package builder

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// listenAs listens on a Unix socket as another user.
func listenAs(t *testing.T, uid int, address string) net.Listener {
	t.Helper()
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		// The thread has another user meanwhile. It may be the one that /proc/self describes.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const unchanged = ^uintptr(0)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, unchanged, uintptr(uid), unchanged); errno != 0 {
			done <- result{err: errno}
			return
		}
		l, err := net.Listen("unix", address)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, unchanged, 0, unchanged); errno != 0 && err == nil {
			err = errno
		}
		done <- result{l, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	t.Cleanup(func() { r.l.Close() })
	return r.l
}

// This happens to root with a user's XDG_RUNTIME_DIR, or if someone listens on Docker's socket
// path.
func TestFindRefusesSocketsOfStrangersThatNobodyNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir := shortDir(t)
	mkdir(t, dir+"/buildkit")
	for _, folder := range []string{dir, dir + "/buildkit"} {
		if err := os.Chmod(folder, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	socket := dir + "/buildkit/buildkitd.sock"
	address := serveFake(t, listenAs(t, stranger, socket), 1)
	opt := Options{rootful: "unix://" + dir + "/none.sock", Env: environment(map[string]string{
		"XDG_RUNTIME_DIR": dir, "PATH": dir, "DOCKER_HOST": "unix://" + dir + "/none.sock",
	})}
	_, err := Find(t.Context(), opt)
	var notFound *NotFoundError
	if !errors.As(err, &notFound) || !strings.Contains(err.Error(), "rootless buildkitd "+address+": the user with the id 54321 listens there") {
		t.Errorf("got %v", err)
	}
	opt.Address = address
	b, err := Find(t.Context(), opt)
	if err != nil {
		t.Fatalf("named: %v", err)
	}
	b.Close()

	e := endpoint{}
	e.Host = address
	if _, err := dockerEngine(t.Context(), e, discoverTimeout); err == nil || !strings.Contains(err.Error(), "the user with the id 54321 listens there") {
		t.Errorf("as Docker's default socket: got %v", err)
	}
}
