package transport

import (
	"context"
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
	raw, err := rawOf(Bare(conn))
	if err != nil {
		return nil, err
	}
	return pendingAt(raw), nil
}

func pendingAt(raw syscall.RawConn) func() bool {
	waiting := peeker(raw, 1)
	return func() bool { return waiting() > 0 }
}

// peeker returns a func that tells how many bytes wait at a socket, up to a limit.
func peeker(raw syscall.RawConn, limit int) func() int {
	var n int
	into := make([]byte, limit)
	peek := func(fd uintptr) {
		n, _, _ = unix.Recvfrom(int(fd), into, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	}
	return func() int {
		n = 0
		if raw.Control(peek) != nil {
			return 0
		}
		return max(n, 0)
	}
}

func rawOf(conn net.Conn) (syscall.RawConn, error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("connection of type %T has no socket", conn)
	}
	return sc.SyscallConn()
}

const (
	socketBuffer = 64 << 10
	mostSegment  = 16 << 10 // loopback has 64 KiB, as much as the window: what is left of it would be too little to send, and nobody would say that there is more
	napAbove     = 8 << 10  // what came since the last nap
	napLeast     = 500 * time.Microsecond
	napFirst     = 2 * time.Millisecond
	napMost      = 20 * time.Millisecond
	largeSegment = 4 << 10                // how large they are on average when they cost little
	nearBy       = 500 * time.Microsecond // a round trip
)

// Socket is a connection below TLS that naps while there is backlog, and asks the kernel for much where it is asked for
// little, as TLS does.
//
// A server that sends a segment a message pays for each as long as the window of its reader is open; what it sends while the
// window is closed runs together. So the reader sleeps until it is closed and more is waiting behind it, and then
// reads until hardly anything is left. How long that takes shows in the size of the segments.
type Socket struct {
	net.Conn
	raw     syscall.RawConn
	pending func() bool
	waiting func() int // bytes that have come, up to napAbove
	buf     []byte
	unread  []byte

	near    bool // the server is
	fixed   bool // the size of the receive buffer is
	behind  func() bool
	came    int           // bytes since the last nap
	nextNap time.Duration // how long it is
	seen    segments      // at the last nap
}

// segments is what the kernel tells of a connection (TCP_INFO).
type segments struct {
	count     uint32 // that came with data
	most      int    // bytes in one
	roundTrip time.Duration
}

// Dial returns a Socket: how large segments may be must be said before it connects.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_MAXSEG, mostSegment) })
		return nil
	}}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	s, err := newSocket(conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func newSocket(conn net.Conn) (*Socket, error) {
	raw, err := rawOf(conn)
	if err != nil {
		return nil, err
	}
	s := &Socket{Conn: conn, raw: raw, pending: pendingAt(raw), waiting: peeker(raw, napAbove), nextNap: napFirst}
	now, known := segmentsOf(raw)
	s.near = known && 0 < now.roundTrip && now.roundTrip < nearBy
	return s, nil
}

// NapWhile makes reads nap while there is backlog; nil ends that.
func (s *Socket) NapWhile(behind func() bool) { s.behind = behind }

// Pending reports whether bytes have come that nobody has read.
func (s *Socket) Pending() bool { return len(s.unread) > 0 || s.pending() }

// fix keeps the receive buffer of a backlog small: the kernel would make the window of a server that is near larger and larger,
// and it would never close. From one that is far a small one would cost speed. What fails here, and below, costs speed and no more.
func (s *Socket) fix() {
	if s.near && !s.fixed {
		s.fixed = true
		_ = s.raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer) })
	}
}

// Rest is called before a time in which nobody reads. Small messages fill a buffer of a fixed size before the window is closed, and
// the kernel drops what comes then: Linux 6.18 also the acknowledgements of what we send, until the server hears from us no more.
// Before 5.14 it stays fixed.
func (s *Socket) Rest() {
	if s.fixed {
		s.fixed = false
		_ = s.raw.Control(func(fd uintptr) { _ = letGrow(int(fd)) })
	}
}

func (s *Socket) Read(b []byte) (int, error) {
	if len(s.unread) == 0 {
		s.nap()
		if len(b) >= socketBuffer {
			return s.receive(b)
		}
		if s.buf == nil {
			s.buf = make([]byte, socketBuffer)
		}
		n, err := s.receive(s.buf)
		if n == 0 {
			return 0, err
		}
		s.unread = s.buf[:n]
	}
	n := copy(b, s.unread)
	s.unread = s.unread[n:]
	return n, nil
}

func (s *Socket) receive(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.came += n
	return n, err
}

// nap makes what is read next come in large pieces where there is backlog, and sleeps if little of it has come yet.
func (s *Socket) nap() {
	switch {
	case s.came < napAbove:
		return
	case s.behind == nil || !s.behind():
		s.Rest()
		return
	case s.waiting() < napAbove:
		s.Rest()
		s.pace()
		s.came = 0
		// For real: the runtime's poller watches a socket even when nobody reads from it, and would be woken for each
		// segment that comes meanwhile.
		s.wakeAt(socketBuffer)
		time.Sleep(s.nextNap)
		s.wakeAt(1)
	}
	s.fix()
}

// pace decides how long the next nap is.
func (s *Socket) pace() {
	now, known := segmentsOf(s.raw)
	count, large := int(now.count-s.seen.count), min(largeSegment, now.most/2)
	s.seen = now
	switch {
	case !known:
		s.nextNap = napLeast
	case s.came < count*large:
		s.nextNap = min(s.nextNap*5/4, napMost)
	case s.came > count*large*3/2:
		s.nextNap = max(s.nextNap*7/8, napLeast)
	}
}

func (s *Socket) wakeAt(bytes int) {
	_ = s.raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes) })
}
