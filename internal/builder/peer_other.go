//go:build !linux

package builder

import "net"

// checkPeer checks nothing: the sockets that are looked for elsewhere than on Linux lie in folders
// of root or the user.
func checkPeer(net.Conn) error { return nil }
