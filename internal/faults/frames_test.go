package faults

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"outferry/internal/link"
	"outferry/internal/servers"
)

// Requests of Kafka's protocol, by key.
const (
	apiProduce        = 0
	apiInitProducerID = 22
	apiEndTxn         = 26
)

// harm is what happens to one request.
type harm int

const (
	none       harm = iota
	loseAnswer      // the broker has done it; its answer is lost, and the connection with it
	cutBehind       // the connection is lost as soon as the broker has the request
	holdAnswer      // the answer comes late
)

// frames carries Kafka's protocol over a link, and harms requests as plan says.
type frames struct {
	*link.Link
	hold time.Duration

	mu   sync.Mutex
	plan func(api int16) harm
	done atomic.Int64 // harms
}

// kafkaBehindFrames starts a broker whose clients, those that come by the link, go through it.
func kafkaBehindFrames(t *testing.T) (*servers.Broker, *frames) {
	t.Helper()
	l, open := link.New(t)
	f := &frames{Link: l, hold: 5 * time.Second}
	l.Across = f.carry
	broker := servers.StartKafka(t, servers.KafkaOptions{Behind: func(addr string) string {
		open(addr)
		return l.Addr
	}})
	return broker, f
}

// intend sets what happens to requests from now on.
func (f *frames) intend(plan func(api int16) harm) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plan = plan
}

func (f *frames) harmOf(api int16) harm {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plan == nil {
		return none
	}
	h := f.plan(api)
	if h != none {
		f.done.Add(1)
	}
	return h
}

// carry passes requests on as they are, and notes by their correlation which answers to harm.
func (f *frames) carry(client, server net.Conn) {
	var answers sync.Map // correlation id -> harm
	var both sync.WaitGroup
	end := func() { link.Reset(client); link.Reset(server) }
	both.Go(func() {
		defer end()
		f.requests(client, server, &answers)
	})
	f.answers(client, server, &answers)
	end()
	both.Wait()
}

func (f *frames) requests(client, server net.Conn, answers *sync.Map) {
	for {
		frame, err := readFrame(client)
		if err != nil || len(frame) < 12 {
			return
		}
		h := f.harmOf(int16(binary.BigEndian.Uint16(frame[4:])))
		if h != none {
			answers.Store(binary.BigEndian.Uint32(frame[8:]), h)
		}
		if _, err := f.Gate(server).Write(frame); err != nil {
			return
		}
		if h == cutBehind {
			link.Reset(client)
			time.Sleep(20 * time.Millisecond) // a reset of the other side could overtake what was just written
			return
		}
	}
}

func (f *frames) answers(client, server net.Conn, answers *sync.Map) {
	for {
		frame, err := readFrame(server)
		if err != nil || len(frame) < 8 {
			return
		}
		h, _ := answers.LoadAndDelete(binary.BigEndian.Uint32(frame[4:]))
		switch h {
		case loseAnswer:
			return
		case holdAnswer:
			time.Sleep(f.hold)
		}
		if _, err := f.Gate(client).Write(frame); err != nil {
			return
		}
	}
}

// readFrame returns a request or an answer with its length before it.
func readFrame(c net.Conn) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+binary.BigEndian.Uint32(size[:]))
	copy(frame, size[:])
	_, err := io.ReadFull(c, frame[4:])
	return frame, err
}
