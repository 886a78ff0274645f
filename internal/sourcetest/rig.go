// Package sourcetest is the suite that every source passes, on a real server. It drives a source as the
// pipeline does, without Kafka: what it takes over counts as committed when it says Confirm.
package sourcetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"outferry/configs"
	"outferry/outbox"
	"outferry/pipeline"
)

// Deadline bounds every wait of the suite. The machine may be busy.
const Deadline = 60 * time.Second

// Rig is one pipeline's source on one real server: an empty outbox table called outbox with the columns id,
// aggregatetype, aggregateid, type and payload, all text, and an empty table called other (n int).
type Rig struct {
	Config *configs.Pipeline                 // what Source makes its sources from
	Source func(single bool) pipeline.Source // a new one for each run
	DB     *sql.DB                           // the application's
	Bulk   func(t *testing.T, ids []string)  // loads rows in the server's bulk way
	Kill   func()                            // SIGKILL to the server and a start; nil where others use it too
	After  string                            // ALTER TABLE clause that adds column extra where it hurts most
}

// Feed is what a source handed over.
type Feed struct {
	IDs       []string
	Positions []outbox.Position // after each batch, and at its cut
	Rows      []int             // len(IDs) at each of them
	Partial   []bool
	Cuts      []int // those of the positions that are before the transaction in which a batch ends
	Tables    []*outbox.Table
	Updates   int
	Largest   int // batch, in bytes
}

// Last is the position after everything in the feed.
func (f *Feed) Last() outbox.Position {
	if len(f.Positions) == 0 {
		return nil
	}
	return f.Positions[len(f.Positions)-1]
}

func (f *Feed) take(b *outbox.Batch) {
	for i, r := range b.Rows {
		if i > 0 && i == b.Whole {
			f.Cuts = append(f.Cuts, len(f.Positions))
			f.stands(b.WholePosition, false)
		}
		if r.Op == outbox.Update {
			f.Updates++
			continue
		}
		f.IDs = append(f.IDs, string(r.Values[r.Table.Index("id")]))
		f.Tables = append(f.Tables, r.Table)
	}
	f.stands(b.Position, b.Partial)
	f.Largest = max(f.Largest, cap(b.Buf))
}

func (f *Feed) stands(at outbox.Position, partial bool) {
	f.Positions = append(f.Positions, append(outbox.Position(nil), at...))
	f.Rows = append(f.Rows, len(f.IDs))
	f.Partial = append(f.Partial, partial)
}

// Reading is one run of a source.
type Reading struct {
	t       *testing.T
	src     pipeline.Source
	cancel  context.CancelFunc
	out     chan *outbox.Batch
	ended   chan error
	confirm bool
	once    sync.Once
	Feed    Feed
}

// Start runs a source from a position. With confirm each batch counts as committed; without, only the steps of
// a first start do, so that a later reading may go on from any of the feed's positions.
func (r *Rig) Start(t *testing.T, from outbox.Position, single, confirm bool) *Reading {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	rd := &Reading{t: t, src: r.Source(single), cancel: cancel, out: make(chan *outbox.Batch, 1), ended: make(chan error, 1), confirm: confirm}
	go func() { rd.ended <- rd.src.Run(ctx, from, rd.out) }()
	t.Cleanup(func() { _ = rd.Stop() })
	return rd
}

// Until takes batches until the condition holds.
func (rd *Reading) Until(what string, done func(*Feed) bool) *Feed {
	rd.t.Helper()
	deadline := time.After(Deadline)
	for !done(&rd.Feed) {
		select {
		case b := <-rd.out:
			rd.Feed.take(b)
			if rd.confirm || len(b.Rows) == 0 && len(rd.Feed.IDs) == 0 {
				rd.src.Confirm(b.Position)
			}
			b.Release()
		case err := <-rd.ended:
			rd.ended <- err
			if len(rd.out) > 0 { // the last that it handed over
				continue
			}
			rd.t.Fatalf("waiting for %s: the source ended: %v", what, err)
		case <-time.After(50 * time.Millisecond): // what no batch tells may hold now
		case <-deadline:
			rd.t.Fatalf("waiting for %s: %d rows after %s, the last %v", what, len(rd.Feed.IDs), Deadline, tail(rd.Feed.IDs))
		}
	}
	return &rd.Feed
}

// Fault waits until the source ends by itself and returns why.
func (rd *Reading) Fault() error {
	rd.t.Helper()
	deadline := time.After(Deadline)
	for {
		select {
		case b := <-rd.out:
			rd.Feed.take(b)
			rd.src.Confirm(b.Position)
			b.Release()
		case err := <-rd.ended:
			rd.ended <- err
			if len(rd.out) > 0 { // the last that it handed over
				continue
			}
			return err
		case <-deadline:
			rd.t.Fatalf("the source did not end in %s", Deadline)
		}
	}
}

// Stop ends the run in order and returns what Run returned.
func (rd *Reading) Stop() error {
	var err error
	rd.once.Do(func() {
		rd.cancel()
		select {
		case err = <-rd.ended:
		case <-time.After(Deadline):
			rd.t.Errorf("the source did not stop in %s", Deadline)
		}
		if errors.Is(err, context.Canceled) {
			err = nil
		}
	})
	return err
}

// Rows reads from a position until n rows have come, and stops.
func (r *Rig) Rows(t *testing.T, from outbox.Position, n int) *Feed {
	t.Helper()
	rd := r.Start(t, from, false, true)
	f := rd.Until(fmt.Sprintf("%d rows", n), func(f *Feed) bool { return len(f.IDs) >= n })
	if err := rd.Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	return f
}

// Begun makes the first start and returns a position of the stream. The first row comes from the snapshot or the
// stream, the second from the stream.
func (r *Rig) Begun(t *testing.T) outbox.Position {
	t.Helper()
	r.Exec(t, insert("begun1"))
	rd := r.Start(t, nil, false, true)
	rd.Until("the first row", func(f *Feed) bool { return len(f.IDs) >= 1 })
	r.Exec(t, insert("begun2"))
	f := rd.Until("the second row", func(f *Feed) bool { return len(f.IDs) >= 2 })
	if err := rd.Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	return f.Last()
}

// Exec runs a statement of the application.
func (r *Rig) Exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := r.DB.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", head(statement), err)
	}
}

// Tx begins a transaction of the application on a connection of its own.
func (r *Rig) Tx(t *testing.T) *Tx {
	t.Helper()
	c, err := r.DB.Conn(t.Context())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	tx := &Tx{t, c}
	tx.Exec("BEGIN")
	return tx
}

// Tx is a transaction of the application.
type Tx struct {
	t *testing.T
	c *sql.Conn
}

// Exec runs a statement in the transaction.
func (tx *Tx) Exec(statement string) {
	tx.t.Helper()
	if _, err := tx.c.ExecContext(tx.t.Context(), statement); err != nil {
		tx.t.Fatalf("%s: %v", head(statement), err)
	}
}

func insert(ids ...string) string { return insertPayload(`{"n":1}`, ids...) }

func insertPayload(payload string, ids ...string) string {
	s := "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES "
	for i, id := range ids {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("('%s', 'order', 'key', 'created', '%s')", id, payload)
	}
	return s
}

func head(s string) string { return s[:min(len(s), 100)] }

func tail(ids []string) []string { return ids[max(0, len(ids)-3):] }
