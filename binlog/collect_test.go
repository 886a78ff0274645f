package binlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// copied is a row that outlives its batch.
type copied struct {
	table  *outbox.Table
	op     outbox.Op
	values []string
	commit int64
}

const null = "<null>"

func (c copied) get(column string) string { return c.values[c.table.Index(column)] }

// feed is one run of a source whose rows are kept whole.
type feed struct {
	t      *testing.T
	cancel context.CancelFunc
	src    *binlog.Source
	out    chan *outbox.Batch
	ended  chan error
	rows   []copied
	last   outbox.Position
}

func start(t *testing.T, cfg *configs.Pipeline, from outbox.Position, opt binlog.Options) *feed {
	t.Helper()
	return run(t, binlog.New(cfg, testLog(t), opt), from)
}

// startSaying keeps what the source says, to be read when it has stopped.
func startSaying(t *testing.T, cfg *configs.Pipeline, from outbox.Position) (*feed, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	return run(t, binlog.New(cfg, hclog.New(&hclog.LoggerOptions{Output: &log}), binlog.Options{}), from), &log
}

func run(t *testing.T, src *binlog.Source, from outbox.Position) *feed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &feed{t: t, cancel: cancel, src: src, out: make(chan *outbox.Batch, 1), ended: make(chan error, 1)}
	go func() { f.ended <- f.src.Run(ctx, from, f.out) }()
	t.Cleanup(f.stop)
	return f
}

func (f *feed) stop() {
	f.cancel()
	select {
	case err := <-f.ended:
		f.ended <- err
	case <-time.After(sourcetest.Deadline):
		f.t.Errorf("the source did not stop in %s", sourcetest.Deadline)
	}
}

func (f *feed) take(b *outbox.Batch) {
	for _, r := range b.Rows {
		c := copied{table: r.Table, op: r.Op, commit: r.CommitTime}
		for _, v := range r.Values {
			if v == nil {
				c.values = append(c.values, null)
			} else {
				c.values = append(c.values, string(v))
			}
		}
		f.rows = append(f.rows, c)
	}
	f.last = slices.Clone(b.Position)
	f.src.Confirm(b.Position)
	b.Release()
}

// until takes batches until the condition holds.
func (f *feed) until(what string, done func() bool) {
	f.t.Helper()
	deadline := time.After(sourcetest.Deadline)
	for !done() {
		select {
		case b := <-f.out:
			f.take(b)
		case err := <-f.ended:
			f.ended <- err
			if len(f.out) > 0 { // the last that it handed over
				continue
			}
			f.t.Fatalf("waiting for %s: the source ended: %v", what, err)
		case <-time.After(50 * time.Millisecond): // what no batch tells may hold now
		case <-deadline:
			f.t.Fatalf("waiting for %s: %d rows after %s", what, len(f.rows), sourcetest.Deadline)
		}
	}
}

func (f *feed) wait(n int) []copied {
	f.t.Helper()
	f.until(fmt.Sprintf("%d rows", n), func() bool { return len(f.rows) >= n })
	return f.rows
}

// begun waits for the first position.
func (f *feed) begun() outbox.Position {
	f.t.Helper()
	f.until("a position", func() bool { return !f.last.IsZero() })
	return f.last
}

// fault waits until the source ends by itself.
func (f *feed) fault() *outbox.Fault {
	f.t.Helper()
	deadline := time.After(sourcetest.Deadline)
	for {
		select {
		case b := <-f.out:
			f.take(b)
		case err := <-f.ended:
			f.ended <- err
			if len(f.out) > 0 { // the last that it handed over
				continue
			}
			var fault *outbox.Fault
			if !errors.As(err, &fault) {
				f.t.Fatalf("the source ended with %v, want a fault", err)
			}
			return fault
		case <-deadline:
			f.t.Fatalf("the source did not end in %s; %d rows", sourcetest.Deadline, len(f.rows))
		}
	}
}

// wantFault checks a fault's code, and that it says what to do.
func wantFault(t *testing.T, f *outbox.Fault, code string, class outbox.Class) {
	t.Helper()
	t.Logf("fault: %v", f)
	if f.Code != code || f.Class != class {
		t.Fatalf("got %s (class %d), want %s (class %d)", f.Code, f.Class, code, class)
	}
	if f.Remedy == "" && class != outbox.Transient {
		t.Errorf("%s has no remedy", code)
	}
}
