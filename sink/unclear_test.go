package sink_test

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"outferry/outbox"
)

const endTxn = 26

// link stands in the broker's door. Where it is told to, it lets the next end of a transaction through and loses
// the answer; the link then stays down, if that is wanted, until it is mended.
type link struct {
	mu       sync.Mutex
	armed    bool
	staysCut bool
	cut      bool
}

func (l *link) arm(staysCut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed, l.staysCut = true, staysCut
}

func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.armed = false, false
}

func (l *link) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// takes reports whether the answer to this request is to be lost.
func (l *link) takes(api uint16) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.armed || api != endTxn {
		return false
	}
	l.armed, l.cut = false, l.staysCut
	return true
}

func (l *link) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, address)
	return door{inner, l}, err
}

type door struct {
	net.Listener
	link *link
}

func (d door) Accept() (net.Conn, error) {
	c, err := d.Listener.Accept()
	return &watched{Conn: c, link: d.link}, err
}

// watched follows the frames that come in: a length, then the number of the request.
type watched struct {
	net.Conn
	link *link
	head []byte // of the frame that begins
	skip int    // bytes left of the frame that is under way
	mu   sync.Mutex
	lose bool // the next answer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	for b := p[:n]; len(b) > 0; {
		if w.skip > 0 {
			k := min(w.skip, len(b))
			w.skip, b = w.skip-k, b[k:]
			continue
		}
		w.head, b = append(w.head, b[0]), b[1:]
		if len(w.head) == 6 {
			w.frame(int(binary.BigEndian.Uint32(w.head))-2, binary.BigEndian.Uint16(w.head[4:]))
			w.head = w.head[:0]
		}
	}
	return n, err
}

func (w *watched) frame(rest int, api uint16) {
	w.skip = rest
	if w.link.takes(api) {
		w.mu.Lock()
		w.lose = true
		w.mu.Unlock()
	}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	lose := w.lose
	w.mu.Unlock()
	if lose || w.link.isCut() {
		w.Conn.Close()
		return 0, errors.New("the link is cut")
	}
	return w.Conn.Write(p)
}

// The client asks again, and Kafka says again what it did.
func TestAnswerToACommitLostOnce(t *testing.T) {
	l := &link{}
	c := fake(t, kfake.ListenFn(l.listen))
	addr := c.ListenAddrs()[0]
	r := open(t, file(t, addr, "posts")).offsetsTopic(t)
	if err := r.land(deadline(t), to("events", "one")); err != nil {
		t.Fatal(err)
	}
	l.arm(false)
	if err := r.land(deadline(t), to("events", "two")); err != nil {
		t.Logf("a fault, too, is an honest answer: %v", err)
	}
	wantValues(t, landed(t, addr, "events"), "one", "two")
	wantValues(t, landed(t, addr, r.cfg.Offsets.Topic), "1", "2")
}

// Fact F25: the commit happened, its answer never came, and an abort that is asked for afterwards succeeds. Only
// the offsets topic, read behind a fence, knows.
func TestUnclearCommitIsAFaultAndTheTopicTellsTheTruth(t *testing.T) {
	t.Parallel() // the client tries for half a minute
	l := &link{}
	c := fake(t, kfake.ListenFn(l.listen))
	addr := c.ListenAddrs()[0]
	r := open(t, file(t, addr, "posts")).offsetsTopic(t)
	if err := r.land(deadline(t), to("events", "one")); err != nil {
		t.Fatal(err)
	}
	l.arm(true)
	wantFault(t, r.land(deadline(t), to("events", "two")), "kafka.unreachable", outbox.Transient, "commit transaction")
	l.mend()
	r.Abort(deadline(t))
	r.Close()
	if n := believed(t, addr, r.cfg.Offsets.Topic); n != 2 {
		t.Fatalf("the offset is %d, want the 2 that was committed", n)
	}
	wantValues(t, landed(t, addr, "events"), "one", "two")
}
