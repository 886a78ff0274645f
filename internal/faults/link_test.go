package faults

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// link is a TCP proxy on loopback that a test can cut, take down, and freeze.
type link struct {
	addr   string
	target string
	across func(client, server net.Conn) // carries bytes until either end is closed

	mu     sync.Mutex
	down   bool
	frozen chan struct{} // closed when bytes may pass
	pairs  map[net.Conn]net.Conn
	cuts   atomic.Int64 // connections that were cut
	felt   atomic.Int64 // connections refused and writes held back: somebody feels what we do
	limit  func() int64 // after so many bytes from the target a new connection is cut; nil is never
}

// newLink listens now; open says where to, and may come later, as when the target wants to know our address first.
func newLink(t *testing.T) (l *link, open func(target string)) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = &link{addr: listener.Addr().String(), pairs: map[net.Conn]net.Conn{}, frozen: make(chan struct{})}
	close(l.frozen)
	l.across = l.bytes
	var accepting sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		l.heal()
		l.cut()
		accepting.Wait()
	})
	return l, func(target string) {
		l.retarget(target)
		accepting.Go(func() { l.accept(listener) })
	}
}

func (l *link) accept(listener net.Listener) {
	var carrying sync.WaitGroup
	defer carrying.Wait()
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.to())
		if err != nil || !l.add(client, server) {
			l.felt.Add(1)
			reset(client)
			if err == nil {
				reset(server)
			}
			continue
		}
		carrying.Go(func() {
			l.across(client, server)
			l.remove(client)
		})
	}
}

func (l *link) to() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.target
}

// retarget leads new connections elsewhere.
func (l *link) retarget(target string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.target = target
}

func (l *link) add(client, server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.down {
		l.pairs[client] = server
	}
	return !l.down
}

func (l *link) remove(client net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if server, ok := l.pairs[client]; ok {
		reset(client)
		reset(server)
		delete(l.pairs, client)
	}
}

// bytes carries what comes, whatever it means.
func (l *link) bytes(client, server net.Conn) {
	var one sync.WaitGroup
	carry := func(to, from net.Conn) {
		io.Copy(gate{l, to}, from)
		reset(from)
		reset(to)
	}
	one.Go(func() { carry(server, client) })
	if n := l.most(); n > 0 {
		io.CopyN(gate{l, client}, server, n)
		l.remove(client)
		l.cuts.Add(1)
	} else {
		carry(client, server)
	}
	one.Wait()
}

func (l *link) most() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit == nil {
		return 0
	}
	return l.limit()
}

// cutAfter cuts new connections after so many bytes from the target; nil ends that.
func (l *link) cutAfter(limit func() int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = limit
}

// gate lets bytes pass while the link is not frozen.
type gate struct {
	link *link
	to   net.Conn
}

func (g gate) Write(b []byte) (int, error) {
	g.link.mu.Lock()
	open := g.link.frozen
	g.link.mu.Unlock()
	select {
	case <-open:
	default:
		g.link.felt.Add(1)
		<-open
	}
	return g.to.Write(b)
}

// cut resets every connection, wherever it is in a message.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for client, server := range l.pairs {
		reset(client)
		reset(server)
		delete(l.pairs, client)
		l.cuts.Add(1)
	}
}

// drop cuts, and lets nobody in until heal.
func (l *link) drop() {
	l.mu.Lock()
	l.down = true
	l.mu.Unlock()
	l.cut()
}

// freeze keeps connections open and lets nothing pass until heal: a black hole.
func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = make(chan struct{})
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
	select {
	case <-l.frozen:
	default:
		close(l.frozen)
	}
}

// reset closes with RST, as a firewall does.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	c.Close()
}
