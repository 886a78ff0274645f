package binlog

import (
	"testing"

	"outferry/configs"
)

// The transactions of a log in testdata/rows, by what they hold.
var loads = []struct {
	name  string
	log   string
	table string
	n     int // of the transaction
	perTx int
	rows  int // that fit a batch
}{
	{"mysql/1_a_transaction/200B", "8.0", "outbox", 2, 1, 256},
	{"mysql/100_a_transaction/200B", "8.0", "outbox", 2, 100, 500},
	{"mysql/100_a_transaction/1024B", "8.0", "outbox", 3, 100, 200},
	{"mysql/5_a_transaction/16384B", "8.0", "outbox", 4, 5, 10},
	{"mysql/json/100_a_transaction/200B", "8.0", "documents", 6, 100, 500},
	{"mysql/json/100_a_transaction/1024B", "8.0", "documents", 7, 100, 200},
	{"mariadb/1_a_transaction/200B", "mariadb10", "outbox", 2, 1, 256},
	{"mariadb/100_a_transaction/200B", "mariadb10", "outbox", 2, 100, 500},
	{"mariadb/100_a_transaction/1024B", "mariadb10", "outbox", 3, 100, 200},
}

// eachLoad calls do with a reader that is under way, and packets for it.
func eachLoad(tb testing.TB, edit func(*configs.Pipeline), do func(name string, rows int, f *ferried, tx *loggedTransaction, packets []byte)) {
	for _, l := range loads {
		tx := logOf(tb, l.log, l.n)
		f := newFerried(tb, kindOf(l.log), "ferry."+l.table, edit)
		f.read(tb, packet(nil, tx.format))
		packets := tx.of(l.rows/l.perTx, l.perTx)
		f.read(tb, packets)
		if len(f.asm.b.Rows) != l.rows {
			tb.Fatalf("%s: %d rows, want %d", l.name, len(f.asm.b.Rows), l.rows)
		}
		f.route(tb)
		do(l.name, l.rows, f, tx, packets)
	}
}

// TestPlainPathAllocatesNothing, from the bytes of the socket to the record.
func TestPlainPathAllocatesNothing(t *testing.T) {
	eachLoad(t, nil, func(name string, rows int, f *ferried, tx *loggedTransaction, packets []byte) {
		f.Made = 0
		n := testing.AllocsPerRun(20, func() {
			tx.renumber(packets)
			f.read(t, packets)
			f.route(t)
		})
		if n > 0 {
			t.Errorf("%s: %v allocations for %d rows", name, n, rows)
		}
		if f.Made != 21*rows {
			t.Errorf("%s: %d rows became records, want %d", name, f.Made, 21*rows)
		}
	})
}
