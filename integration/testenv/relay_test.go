package testenv

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
)

// echo starts a server that answers each line with itself.
func echo(t *testing.T) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// A relay passes on what it gets, after a stall too, and new connections after a cut.
func TestRelay(t *testing.T) {
	t.Parallel()
	relay, err := StartRelay(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { relay.Close() })
	conn, err := net.Dial("tcp4", relay.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := bufio.NewReader(conn)
	say := func(line string) {
		t.Helper()
		if _, err := fmt.Fprintln(conn, line); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(want string) {
		t.Helper()
		if got, err := lines.ReadString('\n'); err != nil || got != want+"\n" {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	say("one")
	hear("one")
	relay.Stall()
	say("two")
	relay.Flow()
	hear("two")
	if n := relay.Cut(); n != 1 {
		t.Errorf("%d connections were cut, want 1", n)
	}
	if line, err := lines.ReadString('\n'); err == nil {
		t.Errorf("after a cut there comes %q", line)
	}
	if conn, err = net.Dial("tcp4", relay.Addr); err != nil {
		t.Fatal(err)
	}
	lines = bufio.NewReader(conn)
	say("three")
	hear("three")
}

// A registry that was killed has its images again, at the same address.
func TestRegistryStartsAgain(t *testing.T) {
	t.Parallel()
	r, err := StartRegistry(t.Context(), RegistryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	image, err := Image(ImageOptions{Arch: "amd64", Layers: []Layer{{Files: []File{{Path: "/file", Data: []byte("content")}}}}})
	if err != nil {
		t.Fatal(err)
	}
	ref := r.Addr + "/app:1"
	digest, err := r.Push(ref, image)
	if err != nil {
		t.Fatal(err)
	}
	r.Kill()
	res, err := http.Get("http://" + r.Addr + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadGateway {
		t.Errorf("a registry that was killed answers %s", res.Status)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Whole(t.Context(), ref, digest, map[string]bool{}); err != nil {
		t.Error(err)
	}
	if err := r.Whole(t.Context(), ref, "sha256:0", map[string]bool{}); err == nil {
		t.Error("the image has another digest too")
	}
}
