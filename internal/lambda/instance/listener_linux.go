package instance

import (
	"net"
	"sync"
)

// maxConnections is how many connections a function has to the Runtime API at most: a runtime needs one for
// each invocation that it asks for. More would take the files that the memory is read with.
const maxConnections = 256

// limitConnections returns a listener with so many connections at a time. Further ones wait.
func limitConnections(listener net.Listener, connections int) net.Listener {
	return &limitedListener{listener, make(chan struct{}, connections)}
}

type limitedListener struct {
	net.Listener
	open chan struct{}
}

// Accept waits for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	l.open <- struct{}{}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &countedConn{conn, sync.OnceFunc(func() { <-l.open })}, nil
}

type countedConn struct {
	net.Conn
	done func()
}

// Close closes the connection, and lets another one in.
func (c *countedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}
