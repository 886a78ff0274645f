package transport

import (
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Bare returns what lies under TLS.
func Bare(conn net.Conn) net.Conn {
	if l, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return l.NetConn()
	}
	return conn
}

// Pending returns a func that reports whether bytes wait at the socket under conn. Under TLS some may wait above it
// too: then a batch goes out a little early, which costs nothing but its size.
func Pending(conn net.Conn) (func() bool, error) {
	conn = Bare(conn)
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("connection of type %T has no socket", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var one [1]byte
	var n int
	peek := func(fd uintptr) {
		n, _, _ = unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	}
	return func() bool {
		n = 0
		return raw.Control(peek) == nil && n > 0
	}, nil
}
