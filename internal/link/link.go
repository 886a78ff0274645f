// Package link is a TCP proxy on loopback that a test can cut, take down, and freeze.
package link

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Link leads to one server at a time.
type Link struct {
	Addr   string
	Port   int
	Across func(client, server net.Conn) // carries bytes until either end is closed
	Cuts   atomic.Int64                  // connections that were cut
	Felt   atomic.Int64                  // connections refused and writes held back: somebody feels what we do

	mu     sync.Mutex
	target string
	down   bool
	frozen chan struct{} // closed when bytes may pass
	pairs  map[net.Conn]net.Conn
	limit  func() int64 // after so many bytes from the target a new connection is cut; nil is never
}

// New listens now; open says where to, and may come later, as when the target wants to know our address first.
func New(t testing.TB) (l *Link, open func(target string)) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().(*net.TCPAddr)
	l = &Link{Addr: at.String(), Port: at.Port, pairs: map[net.Conn]net.Conn{}, frozen: make(chan struct{})}
	close(l.frozen)
	l.Across = l.bytes
	var accepting sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		l.Heal()
		l.Cut()
		accepting.Wait()
	})
	return l, func(target string) {
		l.Retarget(target)
		accepting.Go(func() { l.accept(listener) })
	}
}

func (l *Link) accept(listener net.Listener) {
	var carrying sync.WaitGroup
	defer carrying.Wait()
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.to())
		if err != nil || !l.add(client, server) {
			l.Felt.Add(1)
			Reset(client)
			if err == nil {
				Reset(server)
			}
			continue
		}
		carrying.Go(func() {
			l.Across(client, server)
			l.remove(client)
		})
	}
}

func (l *Link) to() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.target
}

// Retarget leads new connections elsewhere.
func (l *Link) Retarget(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = target
}

func (l *Link) add(client, server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.down {
		l.pairs[client] = server
	}
	return !l.down
}

func (l *Link) remove(client net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if server, ok := l.pairs[client]; ok {
		Reset(client)
		Reset(server)
		delete(l.pairs, client)
	}
}

// bytes carries what comes, whatever it means.
func (l *Link) bytes(client, server net.Conn) {
	var one sync.WaitGroup
	carry := func(to, from net.Conn) {
		io.Copy(gate{l, to}, from)
		Reset(from)
		Reset(to)
	}
	one.Go(func() { carry(server, client) })
	if n := l.most(); n > 0 {
		io.CopyN(gate{l, client}, server, n)
		l.remove(client)
		l.Cuts.Add(1)
	} else {
		carry(client, server)
	}
	one.Wait()
}

func (l *Link) most() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit == nil {
		return 0
	}
	return l.limit()
}

// CutAfter cuts new connections after so many bytes from the target; nil ends that.
func (l *Link) CutAfter(limit func() int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = limit
}

// Gate writes to one end while the link is not frozen, and waits where it is.
func (l *Link) Gate(to net.Conn) io.Writer { return gate{l, to} }

type gate struct {
	link *Link
	to   net.Conn
}

func (g gate) Write(b []byte) (int, error) {
	g.link.mu.Lock()
	open := g.link.frozen
	g.link.mu.Unlock()
	select {
	case <-open:
	default:
		g.link.Felt.Add(1)
		<-open
	}
	return g.to.Write(b)
}

// Cut resets every connection, wherever it is in a message.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for client, server := range l.pairs {
		Reset(client)
		Reset(server)
		delete(l.pairs, client)
		l.Cuts.Add(1)
	}
}

// Drop cuts, and lets nobody in until Heal.
func (l *Link) Drop() {
	l.mu.Lock()
	l.down = true
	l.mu.Unlock()
	l.Cut()
}

// Freeze keeps connections open and lets nothing pass until Heal: a black hole.
func (l *Link) Freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = make(chan struct{})
}

// Heal undoes Drop and Freeze.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
	select {
	case <-l.frozen:
	default:
		close(l.frozen)
	}
}

// Reset closes with RST, as a firewall does.
func Reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}
