// A relay in front of a server, for faults of the network between it and its clients.

package testenv

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// Relay passes connections on to a server, byte for byte, until it is told to cut or to stall them.
// Its methods are safe for concurrent use.
type Relay struct {
	// Addr is where clients connect to: HOST:PORT, or unix:///PATH as the server's.
	Addr string

	to       string
	dir      *workDir
	listener net.Listener

	mu          sync.Mutex
	flows       chan struct{} // closed while data flows
	connections map[net.Conn]bool
}

// StartRelay starts a relay to a server at HOST:PORT or unix:///PATH.
func StartRelay(to string) (_ *Relay, err error) {
	r := &Relay{to: to, flows: make(chan struct{}), connections: map[net.Conn]bool{}}
	close(r.flows)
	if r.dir, err = newWorkDir(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(to, "unix://") {
		r.Addr = "unix://" + r.dir.join("relay.sock")
	} else {
		addresses, err := freeAddresses(1)
		if err != nil {
			return nil, err
		}
		r.Addr = addresses[0]
	}
	network, address := split(r.Addr)
	if r.listener, err = net.Listen(network, address); err != nil {
		_ = r.dir.remove()
		return nil, fmt.Errorf("starting a relay: %w", err)
	}
	go r.accept()
	return r, nil
}

// split returns the arguments of net.Dial and net.Listen for an address.
func split(address string) (network, at string) {
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		return "unix", path
	}
	return "tcp4", address
}

// Close cuts all connections and takes no more.
func (r *Relay) Close() error {
	_ = r.listener.Close()
	r.Flow()
	r.Cut()
	return r.dir.remove()
}

// Cut resets all connections and returns how many there were.
func (r *Relay) Cut() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for connection := range r.connections {
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // sends a reset
		}
		_ = connection.Close()
	}
	return len(r.connections) / 2
}

// Stall keeps the connections open, but nothing flows until [Relay.Flow].
func (r *Relay) Stall() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.flows:
		r.flows = make(chan struct{})
	default:
	}
}

// Flow ends a stall.
func (r *Relay) Flow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.flows:
	default:
		close(r.flows)
	}
}

func (r *Relay) flowing() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flows
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		go r.connect(client)
	}
}

// connect passes everything on until one side ends.
func (r *Relay) connect(client net.Conn) {
	defer client.Close()
	network, address := split(r.to)
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer server.Close()
	r.mu.Lock()
	r.connections[client], r.connections[server] = true, true
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.connections, client)
		delete(r.connections, server)
	}()
	ended := make(chan struct{}, 2)
	pass := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(&stalling{to, r}, from)
		ended <- struct{}{}
	}
	go pass(server, client)
	go pass(client, server)
	<-ended
}

// stalling waits with writing while the relay stalls.
type stalling struct {
	io.Writer
	relay *Relay
}

func (s *stalling) Write(p []byte) (int, error) {
	<-s.relay.flowing()
	return s.Writer.Write(p)
}
