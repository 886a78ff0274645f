package transport

import (
	"fmt"
	"net"
	"syscall"
	"time"

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
	raw, err := socket(conn)
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

// napBytes are more than a server sends during a nap.
const napBytes = 1 << 20

// Napper returns a func that sleeps for real: the runtime's poller watches a socket even when nobody reads from it,
// and would be woken for each segment that comes meanwhile.
func Napper(conn net.Conn) (func(time.Duration), error) {
	raw, err := socket(conn)
	if err != nil {
		return nil, err
	}
	wakeAt := func(bytes int) {
		// What fails here costs a wake-up and no more.
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes) })
	}
	return func(d time.Duration) {
		wakeAt(napBytes)
		time.Sleep(d)
		wakeAt(1)
	}, nil
}

func socket(conn net.Conn) (syscall.RawConn, error) {
	conn = Bare(conn)
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("connection of type %T has no socket", conn)
	}
	return sc.SyscallConn()
}
