package walstream

import (
	"errors"
	"testing"

	"outferry/outbox"
)

// TestWhatPrecedesAFaultIsHandedOver: the command that a fault names passes by its transaction, and with it all that was read before
// and not delivered.
func TestWhatPrecedesAFaultIsHandedOver(t *testing.T) {
	const commitSize = frameHeader + 25 + 26
	for name, cut := range map[string]int{"whole transactions": commitSize, "and a row of the one at fault": 0} {
		t.Run(name, func(t *testing.T) {
			f := newFerried(t, nil)
			before, frames := len(sent(3, 2, 200)), sent(4, 2, 200)
			if cut == 0 {
				frames = frames[:len(frames)-commitSize]
			} else {
				frames = frames[:before]
			}
			frames = append(frames, append([]byte{'d', 0, 0, 0, 4 + 1 + 24 + 1, 'w'}, append(make([]byte, 24), '?')...)...)
			st := f.st
			st.pos.Kind, st.pos.Phase = "postgres", phaseStream
			st.b = st.pool.Get(0)
			st.b.Buf = append(st.b.Buf, frames...)
			err := st.parse(t.Context())
			var fault *outbox.Fault
			if !errors.As(err, &fault) || fault.Code != "pg.unreadable" {
				t.Fatalf("got %v", err)
			}
			select {
			case b := <-f.out:
				p, err := parsePosition(b.Position)
				if err != nil {
					t.Fatal(err)
				}
				if len(b.Rows) != 6 || b.Transactions != 3 || b.Partial || p.Part != nil || p.LSN != 3<<16+8 {
					t.Errorf("handed over %d rows of %d transactions at %s", len(b.Rows), b.Transactions, b.Position)
				}
			default:
				t.Error("three whole transactions were not handed over")
			}
		})
	}
}

// TestPartOfATransactionAtFaultStaysBehind: its first rows are with the pipeline, and the others must not look like a whole one.
func TestPartOfATransactionAtFaultStaysBehind(t *testing.T) {
	f := newFerried(t, nil)
	frames := sent(1, 4, 200)
	frames = frames[:len(frames)-frameHeader-25-26]
	st := f.st
	st.pos.Kind, st.pos.Phase = "postgres", phaseStream
	st.b = st.pool.Get(0)
	st.b.Buf = append(st.b.Buf, frames...)
	if err := st.parse(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.replace(t.Context(), 0, false); err != nil {
		t.Fatal(err)
	}
	if b := <-f.out; !b.Partial || len(b.Rows) != 4 {
		t.Fatalf("got %+v", b)
	}
	last := sent(1, 5, 200)
	row := (len(frames) - len(sent(1, 3, 200)) + frameHeader + 25 + 26)
	st.b.Buf = append(st.b.Buf, last[len(last)-frameHeader-25-26-row:len(last)-frameHeader-25-26]...)
	st.b.Buf = append(append(st.b.Buf, 'd', 0, 0, 0, 4+1+24+1, 'w'), append(make([]byte, 24), '?')...)
	if err := st.parse(t.Context()); err == nil {
		t.Fatal("no fault")
	}
	select {
	case b := <-f.out:
		t.Errorf("a batch of %d rows was handed over", len(b.Rows))
	default:
	}
}

// TestEndThatComesAloneIsCounted: where the next row needs more room than the batch has, what the pipeline holds is whole all the same.
func TestEndThatComesAloneIsCounted(t *testing.T) {
	f := newFerried(t, nil)
	const commitSize = frameHeader + 25 + 26
	st := f.st
	st.pos.Kind, st.pos.Phase = "postgres", phaseStream
	st.b = st.pool.Get(0)
	frames, large := sent(1, 4, 200), sent(1, 1, 2*outbox.BatchBytes)
	st.b.Buf = append(st.b.Buf, frames[:len(frames)-commitSize]...)
	if err := st.parse(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.replace(t.Context(), 0, false); err != nil {
		t.Fatal(err)
	}
	if b := <-f.out; !b.Partial || b.Transactions != 0 {
		t.Fatalf("got %+v", b)
	}
	st.b.Buf = append(append(st.b.Buf, frames[len(frames)-commitSize:]...), large[:4096]...)
	if err := st.parse(t.Context()); err != nil {
		t.Fatal(err)
	}
	if cap(st.b.Buf) < 2*outbox.BatchBytes || st.b.Transactions != 1 {
		t.Errorf("the new batch of %d bytes has %d transactions", cap(st.b.Buf), st.b.Transactions)
	}
}
