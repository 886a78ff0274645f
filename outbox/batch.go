package outbox

import (
	"context"
	"sync"
)

// BatchBytes is the size of an ordinary batch's buffer. Larger ones exist for single large rows.
const BatchBytes = 256 << 10

// mostRows are how many may wait to be routed until no more batches are given out: with their values they take three times the
// bytes that small ones hold.
const mostRows = 8_000

// Batch carries rows from a source to the pipeline, in the order of the log: those of many small
// transactions, or a part of a large one. Everything in it lives until Release.
type Batch struct {
	Rows          []Row
	Transactions  int      // how many ended in this batch
	Position      Position // where the source stands after the last row
	Partial       bool     // the last transaction goes on in the next batch
	Whole         int      // of a partial batch: the rows of transactions that ended in it, which may be committed without the rest
	WholePosition Position // where the source stands after those rows
	Dry           bool     // nothing more waited at the source: commit at once

	Buf    []byte   // what the source reads into; its capacity never changes, so Values may point into it
	values [][]byte // what Row.Values point into
	handed int      // rows, when it was handed over
	pool   *Pool
}

// Lag is how far a source is behind its log.
type Lag struct {
	Bytes    int64 // of the log that are not committed in Kafka
	CaughtUp bool  // what is read now is new
	Commit   int64 // time of the last transaction that was read, in microseconds since 1970; 0: none yet
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

// Filled says that the batch goes to the pipeline now, with the rows that it has.
func (b *Batch) Filled() {
	b.handed = len(b.Rows)
	b.pool.mu.Lock()
	b.pool.waiting += b.handed
	b.pool.mu.Unlock()
}

// Send hands the batch over, unless ctx ends before somebody takes it.
func (b *Batch) Send(ctx context.Context, out chan<- *Batch) error {
	b.Filled()
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ReleaseRows gives the rows back before the batch: what lies in Buf is used for longer than they are.
func (b *Batch) ReleaseRows() {
	clear(b.Rows)
	clear(b.values)
	b.pool.putRows(rowsOf{b.Rows[:0], b.values[:0]}, b.handed)
	b.Rows, b.values, b.handed = nil, nil, 0
}

// Release gives the batch back to its pool. Nothing of it may be used afterwards.
func (b *Batch) Release() { b.pool.put(b) }

// Pool bounds the bytes that a source may have handed over and not yet got back, and, to a batch, the rows that may wait to be routed.
type Pool struct {
	mu      sync.Mutex
	budget  int
	used    int
	waiting int // rows
	free    []*Batch
	rows    []rowsOf
	freed   chan struct{}
}

// rowsOf are the rows of a batch, as memory. The few that are being filled or routed serve all batches.
type rowsOf struct {
	rows   []Row
	values [][]byte
}

// NewPool returns a pool of at most budget bytes.
func NewPool(budget int) *Pool {
	return &Pool{budget: max(budget, 2*BatchBytes), freed: make(chan struct{}, 1)}
}

// Get returns an empty batch with room for size bytes at least, or nil when the budget is spent or many rows wait: Wait
// waits then, and who has something to do meanwhile waits on Freed and asks again. A batch larger than the whole budget is given when nothing else is out.
func (p *Pool) Get(size int) *Batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	size = max(size, BatchBytes)
	if p.used > 0 && (p.used+size > p.budget || p.waiting >= mostRows) {
		return nil
	}
	p.used += size
	var b *Batch
	if n := len(p.free); size == BatchBytes && n > 0 {
		b, p.free = p.free[n-1], p.free[:n-1]
	} else {
		b = &Batch{Buf: make([]byte, 0, size), pool: p}
	}
	if n := len(p.rows); n > 0 {
		b.Rows, b.values = p.rows[n-1].rows, p.rows[n-1].values
		p.rows = p.rows[:n-1]
	}
	return b
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

// Freed yields after a batch or its rows have come back. One goroutine at a time may wait on it.
func (p *Pool) Freed() <-chan struct{} { return p.freed }

// Used returns the bytes that are out.
func (p *Pool) Used() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

func (p *Pool) putRows(r rowsOf, waited int) {
	p.mu.Lock()
	p.rows = append(p.rows, r)
	p.waiting -= waited
	p.mu.Unlock()
	p.signal()
}

func (p *Pool) put(b *Batch) {
	if b.Rows != nil {
		b.ReleaseRows()
	}
	*b = Batch{Position: b.Position[:0], WholePosition: b.WholePosition[:0], Buf: b.Buf[:0], pool: p}
	p.mu.Lock()
	p.used -= cap(b.Buf)
	if cap(b.Buf) == BatchBytes {
		p.free = append(p.free, b)
	}
	p.mu.Unlock()
	p.signal()
}

func (p *Pool) signal() {
	select {
	case p.freed <- struct{}{}:
	default:
	}
}
