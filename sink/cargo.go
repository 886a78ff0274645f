package sink

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/outbox"
)

// Cargo is a batch on its way: the records of its rows, in memory that is used again. The batch goes back to
// the source when the last of its records is acknowledged, long before a large transaction commits.
type Cargo struct {
	Buf []byte // bytes that routing had to make

	sink    *Sink
	batch   *outbox.Batch
	records []kgo.Record
	used    int
	left    atomic.Int64
	promise func(*kgo.Record, error) // done, bound once
}

// Load takes a batch. Close must follow when all of its rows were given to Produce, or one failed.
func (s *Sink) Load(b *outbox.Batch) *Cargo {
	s.mu.Lock()
	var c *Cargo
	if n := len(s.free); n > 0 {
		c, s.free = s.free[n-1], s.free[:n-1]
	}
	s.mu.Unlock()
	if c == nil {
		c = &Cargo{sink: s}
		c.promise = c.done
	}
	if n := len(b.Rows); n > len(c.records) {
		c.records = make([]kgo.Record, n+n/8)
	}
	c.batch, c.used, c.Buf = b, 0, c.Buf[:0]
	c.left.Store(1)
	return c
}

// Next returns an empty record. Its headers keep their memory.
func (c *Cargo) Next() *kgo.Record {
	r := &c.records[c.used]
	c.used++
	*r = kgo.Record{Headers: r.Headers[:0], Partition: -1}
	return r
}

// Close says that no more records of the batch follow: its rows are routed.
func (c *Cargo) Close() {
	c.batch.ReleaseRows()
	c.release()
}

func (c *Cargo) done(r *kgo.Record, err error) {
	if err != nil {
		c.sink.fail(fmt.Errorf("event %s for topic %s: %w", eventID(r), r.Topic, err))
		return // the memory may still be in a request: it dies with the client
	}
	c.sink.noteFirst(r)
	c.release()
}

func (s *Sink) noteFirst(r *kgo.Record) {
	if s.noted.Load() {
		return
	}
	s.noted.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = &Landed{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, At: time.Now()}
	}
}

func (c *Cargo) release() {
	if c.left.Add(-1) > 0 {
		return
	}
	c.batch.Release()
	c.batch = nil
	c.sink.mu.Lock()
	c.sink.free = append(c.sink.free, c)
	c.sink.mu.Unlock()
}

// eventID is the id header, cut and quoted: enough to find the row, and never its payload.
func eventID(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == "id" {
			return fmt.Sprintf("%.64q", h.Value)
		}
	}
	return "without id"
}
