package walstream

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"outferry/configs"
	"outferry/internal/recordtest"
	"outferry/internal/transport"
	"outferry/outbox"
)

// ferried is the path of a row without its two ends: the bytes of a socket are parsed, and the rows of a batch
// become the records that a client would get.
type ferried struct {
	*recordtest.Maker
	st  *stream
	out chan *outbox.Batch
}

func newFerried(tb testing.TB, edit func(*configs.Pipeline)) *ferried {
	tb.Helper()
	f := &ferried{Maker: recordtest.New(tb, "postgres://u@127.0.0.1/d", "public.outbox", edit), out: make(chan *outbox.Batch, 1)}
	f.st = &stream{Source: New(f.Config, nil, Options{}), out: f.out, asm: newAssembler(&position{}, builtins), socket: new(transport.Socket)}
	return f
}

// parse takes what a read of the socket may have brought.
func (f *ferried) parse(tb testing.TB, frames []byte) {
	st := f.st
	if st.b = st.pool.Get(0); st.b == nil {
		tb.Fatal("a batch did not come back")
	}
	st.b.Buf, st.parsed = append(st.b.Buf, frames...), 0
	if err := st.parse(context.Background()); err != nil {
		tb.Fatal(err)
	}
}

// document is JSON of about size bytes, as jsonb prints it.
func document(size int) string {
	var s strings.Builder
	s.WriteString(`{"id": 1, "lines": [`)
	for s.Len() < size-80 {
		s.WriteString(`{"name": "a word or two", "count": 12, "note": null}, `)
	}
	s.WriteString(`{"name": "the last", "price": 12.50}], "done": true}`)
	return s.String()
}

// sent is what a server sends for transactions of perTx rows each, with a payload of size bytes.
func sent(transactions, perTx, size int) []byte {
	var out []byte
	frame := func(message []byte) {
		out = append(out, 'd')
		out = binary.BigEndian.AppendUint32(out, uint32(4+1+24+len(message)))
		out = append(append(out, 'w'), make([]byte, 24)...)
		out = append(out, message...)
	}
	relation := append([]byte{msgRelation, 0, 0, 0, 9}, "public\x00outbox\x00d\x00\x05"...)
	for i, name := range []string{"id", "aggregatetype", "aggregateid", "type", "payload"} {
		relation = append(append(append(relation, 0), name...), 0)
		relation = binary.BigEndian.AppendUint32(relation, []uint32{2950, 25, 25, 25, 3802}[i])
		relation = append(relation, 0xff, 0xff, 0xff, 0xff)
	}
	text := func(m []byte, v string) []byte {
		return append(binary.BigEndian.AppendUint32(append(m, 't'), uint32(len(v))), v...)
	}
	payload := document(size)
	for tx := range transactions {
		end := uint64(tx+1) << 16
		begin := binary.BigEndian.AppendUint64([]byte{msgBegin}, end)
		frame(append(begin, make([]byte, 12)...))
		if tx == 0 {
			frame(relation)
		}
		for row := range perTx {
			m := append([]byte{msgInsert, 0, 0, 0, 9}, 'N', 0, 5)
			for _, v := range []string{fmt.Sprintf("10711fa5-0000-4000-8000-%012d", row), "order", fmt.Sprintf("key-%d", row%50), "created", payload} {
				m = text(m, v)
			}
			frame(m)
		}
		commit := binary.BigEndian.AppendUint64([]byte{msgCommit, 0}, end)
		frame(append(binary.BigEndian.AppendUint64(commit, end+8), make([]byte, 8)...))
	}
	return out
}

// TestPlainPathAllocatesNothingPerRow: from the bytes of the socket to the record, whatever the number of rows.
// The relation comes once: the server does not repeat it either.
func TestPlainPathAllocatesNothingPerRow(t *testing.T) {
	for name, load := range map[string]struct{ transactions, perTx int }{"one row a transaction": {300, 1}, "one transaction": {1, 400}} {
		t.Run(name, func(t *testing.T) {
			f := newFerried(t, nil)
			frames := sent(load.transactions, load.perTx, 200)
			f.parse(t, frames)
			f.Route(t, f.st.b)
			again := withoutRelation(t, frames)
			step := func() { f.parse(t, again); f.Route(t, f.st.b) }
			step()
			f.Made = 0
			if n := testing.AllocsPerRun(20, step); n != 0 {
				t.Errorf("%v allocations for %d rows, want none", n, load.transactions*load.perTx)
			}
			if want := 21 * load.transactions * load.perTx; f.Made != want {
				t.Errorf("%d rows became records, want %d", f.Made, want)
			}
		})
	}
}

// TestHandingOverAllocatesPerBatch: a position is written out for each batch, however many rows it has.
func TestHandingOverAllocatesPerBatch(t *testing.T) {
	allocations := func(rows int) float64 {
		f := newFerried(t, nil)
		frames := sent(1, rows, 200)
		f.parse(t, frames)
		f.Route(t, f.st.b)
		again := withoutRelation(t, frames)
		step := func() {
			f.parse(t, again)
			if err := f.st.handOver(t.Context(), f.st.b, true); err != nil {
				t.Fatal(err)
			}
			f.st.b = <-f.out
			f.Route(t, f.st.b)
		}
		step()
		return testing.AllocsPerRun(20, step)
	}
	few, many := allocations(10), allocations(400)
	if few != many || many > 20 {
		t.Errorf("%v allocations for a batch of 10 rows, %v for one of 400", few, many)
	}
}

func withoutRelation(tb testing.TB, frames []byte) []byte {
	tb.Helper()
	for at := 0; at < len(frames); {
		size := int(binary.BigEndian.Uint32(frames[at+1:])) + 1
		if frames[at+frameHeader+25] == msgRelation {
			return append(bytes.Clone(frames[:at]), frames[at+size:]...)
		}
		at += size
	}
	tb.Fatal("no relation in it")
	return nil
}
