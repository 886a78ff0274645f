package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outferry/outbox"
)

// replay feeds a file of the log to an assembler, as the server would send it, and collects the rows.
type replay struct {
	asm  *assembler
	wire *wire
	rows []string
	ids  []string
}

// served wraps the events of a file in packets, after the ROTATE event that names it.
func served(file string, log []byte) []byte {
	var out []byte
	packet := func(event []byte) {
		b := append([]byte{0}, event...)
		for len(b) >= packetMax {
			out = append(append(out, 0xff, 0xff, 0xff, 0), b[:packetMax]...)
			b = b[packetMax:]
		}
		out = append(append(out, byte(len(b)), byte(len(b)>>8), byte(len(b)>>16), 0), b...)
	}
	packet(event(evRotate, flagArtificial, 0, append([]byte{4, 0, 0, 0, 0, 0, 0, 0}, file...)))
	for log = log[min(4, len(log)):]; len(log) >= eventHeader; {
		n := int(binary.LittleEndian.Uint32(log[9:]))
		if n < eventHeader || n > len(log) {
			break
		}
		e := bytes.Clone(log[:n])
		if e[4] == evFormat {
			e[17] &^= 1 // the server's mark of a file that it still writes, which is not in the checksum
		}
		packet(e)
		log = log[n:]
	}
	return out
}

// event builds one without a checksum.
func event(kind byte, flags uint16, end uint32, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 1700000000)
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint32(b, 7)
	b = binary.LittleEndian.AppendUint32(b, uint32(eventHeader+len(body)))
	b = binary.LittleEndian.AppendUint32(b, end)
	b = binary.LittleEndian.AppendUint16(b, flags)
	return append(b, body...)
}

func newReplay(k kind, packets []byte, table string) *replay {
	r := &replay{}
	in := bytes.NewReader(packets)
	r.wire = newWire(in.Read, func() error { return nil })
	pool := outbox.NewPool(8 << 20)
	r.asm = &assembler{set: newGTIDSet(k), byGTID: true, ours: map[string]bool{table: true}, maxEvent: 16 << 20, updates: true,
		shaper: &shaper{kind: k, told: func(string) {}, key: func(table string) string { return table }, charsets: charsets{8: {"latin1", 1}, 33: {"utf8mb3", 3}, 45: {"utf8mb4", 4}, 46: {"utf8mb4", 4}, 63: {"binary", 1}, 255: {"utf8mb4", 4}, 2304: {"utf8mb4", 4}},
			uuid:  func(string) (swap, bool) { return inOrder, false },
			learn: func(*tableMap) error { return errors.New("no catalog here") },
			codes: map[string]codes{}, ask: func(string, int) (codes, error) { return nil, errors.New("no server here") }},
		altered: func(string) error { return nil }, onePhase: func(place) (bool, error) { return false, errors.New("no server here") }, skipped: func(string, int) {}, ended: func() error { return nil },
	}
	r.asm.b = pool.Get(0)
	r.asm.turnOver = func(size int) (*outbox.Batch, error) {
		r.take(r.asm.b)
		r.asm.b.Release()
		return pool.Get(size), nil
	}
	return r
}

func (r *replay) take(b *outbox.Batch) {
	for _, row := range b.Rows {
		var text []string
		for _, v := range row.Values {
			if v == nil {
				text = append(text, "NULL")
			} else {
				text = append(text, fmt.Sprintf("%.60q", v))
			}
		}
		r.rows = append(r.rows, fmt.Sprintf("%d %s %s", row.Op, row.Table, strings.Join(text, " ")))
		r.ids = append(r.ids, string(row.Values[0]))
	}
}

// run reads to the end and returns why it ended: nil at the end of the packets.
func (r *replay) run() error {
	for {
		h, err := r.wire.next()
		if err == nil && h.kind == evFormat {
			if err = r.wire.format(); err == nil {
				r.asm.track(h)
			}
		} else if err == nil {
			err = r.asm.event(h, r.wire)
		}
		if err != nil {
			r.asm.undo()
			r.take(r.asm.b)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// captured are logs of real servers: see testdata/README.
func captured(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.binlog")
	if err != nil || len(files) == 0 {
		t.Fatalf("no logs in testdata: %v", err)
	}
	logs := map[string][]byte{}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		logs[strings.TrimSuffix(filepath.Base(name), ".binlog")] = b
	}
	return logs
}

func kindOf(name string) kind {
	if strings.HasPrefix(name, "mariadb") {
		return mariaKind
	}
	return mysqlKind
}

// TestCapturedLogs reads logs of each server version, compressed and not: the rows must be the same in all.
func TestCapturedLogs(t *testing.T) {
	for name, log := range captured(t) {
		t.Run(name, func(t *testing.T) {
			r := newReplay(kindOf(name), served("binlog.000001", log), "ferry.outbox")
			if err := r.run(); err != nil {
				t.Fatalf("%v at %s", err, r.asm.here)
			}
			want, err := os.ReadFile("testdata/rows.txt")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.rows, "\n") + "\n"; got != string(want) {
				t.Errorf("got\n%s", got)
			}
			if r.asm.set.isEmpty() || r.asm.tx.open {
				t.Errorf("ends at %s, open %v", r.asm.set, r.asm.tx.open)
			}
			if r.asm.here.pos != uint64(len(log)) {
				t.Errorf("ends at byte %d of %d", r.asm.here.pos, len(log))
			}
		})
	}
}

// TestFlippedByteIsNoticed: one wrong bit anywhere never changes a row.
func TestFlippedByteIsNoticed(t *testing.T) {
	log := captured(t)["mysql-8.0-compressed"]
	whole := newReplay(mysqlKind, served("binlog.000001", log), "ferry.outbox")
	if err := whole.run(); err != nil {
		t.Fatal(err)
	}
	for at := 4; at < len(log); at++ {
		bad := bytes.Clone(log)
		bad[at] ^= 1 << (at % 8)
		r := newReplay(mysqlKind, served("binlog.000001", bad), "ferry.outbox")
		err := r.run()
		const firstEvent = 150 // which says whether there are checksums
		if err == nil && r.asm.here.pos == uint64(len(log)) && at > firstEvent {
			t.Errorf("byte %d of %d: not noticed", at, len(log))
		}
		for i, row := range r.rows {
			if row != whole.rows[i] {
				t.Fatalf("byte %d: row %d became %s", at, i, row)
			}
		}
	}
}

// TestEveryCutIsHarmless: a log that ends anywhere gives a prefix of its rows.
func TestEveryCutIsHarmless(t *testing.T) {
	for name, log := range captured(t) {
		all := served("binlog.000001", log)
		whole := newReplay(kindOf(name), all, "ferry.outbox")
		if err := whole.run(); err != nil {
			t.Fatal(err)
		}
		for cut := 0; cut < len(all); cut += 1 + len(all)/3000 {
			r := newReplay(kindOf(name), all[:cut], "ferry.outbox")
			_ = r.run()
			if len(r.rows) > len(whole.rows) || strings.Join(r.rows, "\n") != strings.Join(whole.rows[:len(r.rows)], "\n") {
				t.Fatalf("%s cut at %d: other rows", name, cut)
			}
		}
	}
}

func FuzzLog(f *testing.F) {
	for name, log := range captured(f) {
		f.Add(log, kindOf(name) == mariaKind)
	}
	f.Fuzz(func(t *testing.T, log []byte, maria bool) {
		k := mysqlKind
		if maria {
			k = mariaKind
		}
		r := newReplay(k, served("binlog.000001", resealed(log)), "ferry.outbox")
		_ = r.run()
	})
}

// resealed mends the checksums, so that fuzzing reaches what lies behind them.
func resealed(log []byte) []byte {
	out := bytes.Clone(log)
	for rest := out[min(4, len(out)):]; len(rest) >= eventHeader+checksumSize; {
		n := int(binary.LittleEndian.Uint32(rest[9:]))
		if n < eventHeader+checksumSize || n > len(rest) {
			break
		}
		binary.LittleEndian.PutUint32(rest[n-checksumSize:], crc32.ChecksumIEEE(rest[:n-checksumSize]))
		rest = rest[n:]
	}
	return out
}

// TestEventsAroundTheSizeOfAPacket: the largest packet is followed by another, be it empty.
func TestEventsAroundTheSizeOfAPacket(t *testing.T) {
	for size := packetMax - 3; size <= packetMax+3; size++ {
		body := make([]byte, size-1-eventHeader)
		s := newScript().begin().add(29, body).tableMap("outbox").row(1).commit()
		s.want(t, "1")
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte{0, 1, 0, 13, 0, 11, 0, 1, 0, 5, 1, 0, 'a'})
	f.Add([]byte{jsonOpaque, typeNewDecimal, 4, 3, 1, 0x80, 0x15})
	f.Fuzz(func(t *testing.T, doc []byte) { _, _ = appendJSON(nil, doc) })
}

func FuzzWire(f *testing.F) {
	for _, log := range captured(f) {
		f.Add(served("binlog.000001", log))
	}
	f.Fuzz(func(t *testing.T, packets []byte) { _ = newReplay(mysqlKind, packets, "ferry.outbox").run() })
}
