package outbox_test

import (
	"testing"

	"outferry/outbox"
)

// TestRowsThatWaitAreBounded: small rows take far more memory than their bytes until they are routed.
func TestRowsThatWaitAreBounded(t *testing.T) {
	table := &outbox.Table{Columns: make([]outbox.Column, 3)}
	pool := outbox.NewPool(64 << 20)
	out := make(chan *outbox.Batch, 256)
	waiting := 0
	for {
		b := pool.Get(0)
		if b == nil {
			break
		}
		for range 1000 {
			b.AddRow(table, outbox.Insert, 0)
		}
		waiting += len(b.Rows)
		if err := b.Send(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	if waiting > 20_000 {
		t.Errorf("%d rows wait", waiting)
	}
	routed := <-out
	routed.ReleaseRows()
	select {
	case <-pool.Freed():
	default:
		t.Error("nobody hears of rows that were routed")
	}
	b := pool.Get(0)
	if b == nil {
		t.Fatal("nothing to fill after a batch was routed, though not delivered")
	}
	for len(out) > 0 {
		(<-out).Release()
	}
	routed.Release()
	b.Release()
	if pool.Used() != 0 {
		t.Errorf("%d bytes are out", pool.Used())
	}
}
