package instance

import (
	"io"
	"net"
	"testing"
)

// A connection too many is served when another one has ended.
func TestLimitConnections(t *testing.T) {
	t.Parallel()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := limitConnections(plain, 1)
	defer listener.Close()
	accepted := make(chan net.Conn)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	for range 2 {
		conn, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("two connections are served at once")
	default:
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := <-accepted
	if _, err := first.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the first connection is open: %v", err)
	}
	_ = first.Close() // twice counts once
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := <-accepted; ok {
		t.Error("a closed listener accepts")
	}
}
