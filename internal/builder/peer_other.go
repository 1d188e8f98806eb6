//go:build !linux

package builder

import "net"

// checkPeer checks nothing: outside Linux, discovery looks only for sockets in folders of root or
// the user.
func checkPeer(net.Conn) error { return nil }
