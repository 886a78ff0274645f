package binlog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"testing"

	"outferry/configs"
	"outferry/internal/recordtest"
	"outferry/outbox"
)

// ferried is the path of a row without its two ends: packets of the log are read, and the rows of a batch become
// the records that a client would get.
type ferried struct {
	*replay
	*recordtest.Maker
	pool *outbox.Pool
	in   []byte // packets to come
}

func newFerried(tb testing.TB, k kind, table string, edit func(*configs.Pipeline)) *ferried {
	tb.Helper()
	f := &ferried{replay: newReplay(k, nil, table), pool: outbox.NewPool(8 << 20), Maker: recordtest.New(tb, "mysql://u@127.0.0.1/d", "outbox", edit)}
	f.wire = newWire(func(free []byte) (int, error) {
		if len(f.in) == 0 {
			return 0, io.EOF
		}
		n := copy(free, f.in)
		f.in = f.in[n:]
		return n, nil
	}, func() error { return nil })
	f.asm.b = f.pool.Get(0)
	f.asm.turnOver = func(int) (*outbox.Batch, error) { return nil, fmt.Errorf("the transaction does not fit a batch") }
	return f
}

// read takes what a read of the socket may have brought.
func (f *ferried) read(tb testing.TB, packets []byte) {
	f.in = packets
	for {
		h, err := f.wire.next()
		switch {
		case err == io.EOF:
			return
		case err != nil:
		case h.kind == evFormat:
			err = f.wire.format()
		default:
			err = f.asm.event(h, f.wire)
		}
		if err != nil {
			tb.Fatal(err)
		}
		f.wire.shrink()
	}
}

// route makes the records of the batch and gives it back.
func (f *ferried) route(tb testing.TB) {
	f.Route(tb, f.asm.b)
	f.asm.b = f.pool.Get(0)
}

// drop gives the batch back unread.
func (f *ferried) drop() {
	f.asm.b.Release()
	f.asm.b = f.pool.Get(0)
}

// loggedTransaction is one that a server wrote, with one row, and what is needed to make more of it.
type loggedTransaction struct {
	format []byte   // the event that begins the log
	events [][]byte // with checksums
	seq    uint64
}

// logOf reads transaction n of a log of testdata/rows: see TestCaptureRows.
func logOf(tb testing.TB, name string, n int) *loggedTransaction {
	tb.Helper()
	log, err := os.ReadFile("testdata/rows/" + name + ".binlog")
	if err != nil {
		tb.Fatal(err)
	}
	t, at := &loggedTransaction{seq: 1 << 32}, -1
	for log = log[4:]; len(log) >= eventHeader; {
		size := binary.LittleEndian.Uint32(log[9:])
		e := slices.Clone(log[:size])
		log = log[size:]
		switch {
		case e[4] == evFormat:
			e[17] &^= 1 // the server's mark of a file that it still writes, which is not in the checksum
			t.format = e
		case isGTID(e[4]):
			at++
		}
		if at == n {
			t.events = append(t.events, e)
		}
	}
	if len(t.events) != 5 { // GTID, BEGIN or annotation, table map, rows, XID
		tb.Fatalf("transaction %d of %s has %d events", n, name, len(t.events))
	}
	return t
}

func isGTID(kind byte) bool { return kind == evGTID || kind == evMariaGTID }

// packet adds an event as the server sends it.
func packet(out, event []byte) []byte {
	n := len(event) + 1
	return append(append(out, byte(n), byte(n>>8), byte(n>>16), 0, 0), event...)
}

// of returns packets of transactions with perTx rows each, which no reader has seen.
func (t *loggedTransaction) of(transactions, perTx int) []byte {
	var out []byte
	for range transactions {
		for _, e := range t.events {
			switch e[4] {
			case evWriteRows1, evWriteRows2:
				out = t.appendRows(out, e, perTx)
			default:
				out = packet(out, e)
			}
		}
	}
	t.renumber(out)
	return out
}

// appendRows repeats the row as a server does, which begins a new event after 8 KiB.
func (t *loggedTransaction) appendRows(out, e []byte, perTx int) []byte {
	body := e[eventHeader : len(e)-checksumSize]
	head, err := decodeRowsHead(body, e[4])
	if err != nil {
		panic(err)
	}
	image := head.rows.data
	for perTx > 0 {
		rows := min(perTx, max(1, 8192/len(image)))
		perTx -= rows
		more := slices.Concat(e[:eventHeader], body[:len(body)-len(image)], slices.Repeat(image, rows), make([]byte, checksumSize))
		binary.LittleEndian.PutUint32(more[9:], uint32(len(more)))
		sign(more)
		out = packet(out, more)
	}
	return out
}

func sign(event []byte) {
	end := len(event) - checksumSize
	binary.LittleEndian.PutUint32(event[end:], crc32.ChecksumIEEE(event[:end]))
}

// renumber gives each transaction in the packets a number that was not there before: what was read once is
// passed over.
func (t *loggedTransaction) renumber(packets []byte) {
	eachEvent(packets, func(event []byte) {
		seq := event[eventHeader:]
		switch event[4] {
		case evGTID:
			seq = seq[17:]
		case evMariaGTID:
		default:
			return
		}
		t.seq++
		binary.LittleEndian.PutUint64(seq, t.seq)
		sign(event)
	})
}

func eachEvent(packets []byte, do func(event []byte)) {
	for len(packets) > 0 {
		size := int(packets[0]) | int(packets[1])<<8 | int(packets[2])<<16
		do(packets[packetHead+1 : packetHead+size])
		packets = packets[packetHead+size:]
	}
}
