package sourcetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
	"outferry/outbox"
	"outferry/pipeline"
)

// Counted is a source that tells what is out.
type Counted interface {
	pipeline.Source
	Inflight() int // bytes of batches
}

// LastBatchesAreHeld reads a snapshot of so many rows, which fill all of the two batches that may be out, and gives
// them back only when the snapshot is over at the server.
func LastBatchesAreHeld(t *testing.T, src Counted, rows int, over func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(chan *outbox.Batch), make(chan error, 1)
	go func() { ended <- src.Run(ctx, nil, out) }()
	next := func() *outbox.Batch {
		t.Helper()
		select {
		case b := <-out:
			return b
		case err := <-ended:
			t.Fatalf("the source ended: %v", err)
		case <-time.After(Deadline):
			t.Fatal("no batch came")
		}
		return nil
	}
	confirm := func(b *outbox.Batch) {
		src.Confirm(b.Position)
		b.Release()
	}
	confirm(next()) // that it begins
	held := []*outbox.Batch{next(), next()}
	if n := len(held[0].Rows) + len(held[1].Rows); n != rows || src.Inflight() != 2*outbox.BatchBytes {
		t.Fatalf("%d rows in %d bytes are out, want %d rows in all that may be out", n, src.Inflight(), rows)
	}
	servers.Eventually(t, Deadline, "the snapshot to end", over)
	for _, b := range held {
		confirm(b)
	}
	if at := next().Position.String(); !strings.Contains(at, `"phase":"stream"`) {
		t.Errorf("after the snapshot came %s", at)
	}
	cancel()
	<-ended
}
