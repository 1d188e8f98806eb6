package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
)

// The ports that freeAddresses chooses from. Linux gives those from 32768 to connections: one of them
// could be taken again before the program that it is meant for listens.
const (
	firstPort = 10240
	lastPort  = 32767
)

// freeAddresses returns addresses on loopback that nothing listens on, for programs that cannot be
// handed a listener.
func freeAddresses(n int) (addresses []string, err error) {
	for range 100 * n {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort+1))
		listener, err := net.Listen("tcp4", address)
		if err != nil || slices.Contains(addresses, address) {
			continue
		}
		_ = listener.Close()
		if addresses = append(addresses, address); len(addresses) == n {
			return addresses, nil
		}
	}
	return nil, errors.New("finding a free port: none of those that were tried is")
}
