package pipeline

import (
	"context"
	"errors"
	"testing"
	"time"

	"outferry/outbox"
	"outferry/sink"
)

// TestCommitThatHangsEndsTheSession also where a transaction is open: that ends what hangs of the offsets, and of the events only what
// shares its partitions.
func TestCommitThatHangsEndsTheSession(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
	defer stop()
	p := onKfake(t)
	f := &ferry{Pipeline: p, testify: time.Now().Add(time.Hour)}
	var err error
	if f.sink, err = sink.Open(ctx, p.cfg, p.log); err != nil {
		t.Fatal(err)
	}
	defer f.sink.Close()
	if err := f.load(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.sink.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	f.hold.position = outbox.Position("{}")
	f.seal = newSeal(f)
	hangs := errors.New("it hangs")
	f.seal.lost <- hangs
	if err := f.loop(ctx, nil, nil); err != hangs {
		t.Errorf("the session ended with %v", err)
	}
	if f.rec.Seq != 1 {
		t.Errorf("%d transactions are committed, want the open one", f.rec.Seq)
	}
}
