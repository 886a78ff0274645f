package outbox

import (
	"context"
	"sync"
)

// BatchBytes is the size of an ordinary batch's buffer. Larger ones exist for single large rows.
const BatchBytes = 256 << 10

// Batch carries rows from a source to the pipeline, in the order of the log: those of many small
// transactions, or a part of a large one. Everything in it lives until Release.
type Batch struct {
	Rows         []Row
	Transactions int      // how many ended in this batch
	Position     Position // where the source stands after the last row; zero while that can't be said
	Partial      bool     // the last transaction goes on in the next batch
	Dry          bool     // nothing more waited at the source: commit at once

	Buf    []byte   // what the source reads into; its capacity never changes, so Values may point into it
	values [][]byte // what Row.Values point into
	pool   *Pool
}

// AddRow appends a row of n values and returns it, so that the source fills Values.
func (b *Batch) AddRow(t *Table, op Op, commitTime int64) *Row {
	n := len(t.Columns)
	if len(b.values)+n > cap(b.values) {
		b.values = make([][]byte, 0, max(1024, cap(b.values)*3/2, n))
	}
	from := len(b.values)
	b.values = b.values[:from+n]
	b.Rows = append(b.Rows, Row{Table: t, Op: op, CommitTime: commitTime, Values: b.values[from : from+n : from+n]})
	return &b.Rows[len(b.Rows)-1]
}

// Send hands the batch over, unless ctx ends before somebody takes it.
func (b *Batch) Send(ctx context.Context, out chan<- *Batch) error {
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release gives the batch back to its pool. Nothing of it may be used afterwards.
func (b *Batch) Release() { b.pool.put(b) }

// Pool bounds the bytes that a source may have handed over and not yet got back.
type Pool struct {
	mu     sync.Mutex
	budget int
	used   int
	free   []*Batch
	freed  chan struct{}
}

// NewPool returns a pool of at most budget bytes.
func NewPool(budget int) *Pool {
	return &Pool{budget: max(budget, 2*BatchBytes), freed: make(chan struct{}, 1)}
}

// Get returns an empty batch with room for size bytes at least, or nil when the budget is spent: Wait
// waits then, and who has something to do meanwhile waits on Freed and asks again. A batch larger than the whole budget is given when nothing else is out.
func (p *Pool) Get(size int) *Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	size = max(size, BatchBytes)
	if p.used > 0 && p.used+size > p.budget {
		return nil
	}
	p.used += size
	if n := len(p.free); size == BatchBytes && n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b
	}
	return &Batch{Buf: make([]byte, 0, size), pool: p}
}

// Wait is Get that waits until the budget allows it. One goroutine at a time may.
func (p *Pool) Wait(ctx context.Context, size int) (*Batch, error) {
	for {
		if b := p.Get(size); b != nil {
			return b, nil
		}
		select {
		case <-p.freed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Freed yields after a batch has come back. One goroutine at a time may wait on it.
func (p *Pool) Freed() <-chan struct{} { return p.freed }

// Used returns the bytes that are out.
func (p *Pool) Used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

func (p *Pool) put(b *Batch) {
	clear(b.Rows)
	clear(b.values)
	*b = Batch{Rows: b.Rows[:0], Position: b.Position[:0], Buf: b.Buf[:0], values: b.values[:0], pool: p}
	p.mu.Lock()
	p.used -= cap(b.Buf)
	if cap(b.Buf) == BatchBytes {
		p.free = append(p.free, b)
	}
	p.mu.Unlock()
	select {
	case p.freed <- struct{}{}:
	default:
	}
}
