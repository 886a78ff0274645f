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

// TestPlainPathAllocatesNothingPerRow: from the bytes of the socket to the record. What is allowed is a few for
// each transaction, to name it, and one for each event that holds rows, of which a server puts 8 KiB into one.
func TestPlainPathAllocatesNothingPerRow(t *testing.T) {
	const perTransaction, perEvent = 3, 1
	eachLoad(t, nil, func(name string, rows int, f *ferried, tx *loggedTransaction, packets []byte) {
		transactions, events := count(packets)
		f.Made = 0
		n := testing.AllocsPerRun(20, func() {
			tx.renumber(packets)
			f.read(t, packets)
			f.route(t)
		})
		if limit := perTransaction*transactions + perEvent*events; n > float64(limit) {
			t.Errorf("%s: %v allocations for %d rows in %d events of %d transactions, want %d at most", name, n, rows, events, transactions, limit)
		}
		if f.Made != 21*rows {
			t.Errorf("%s: %d rows became records, want %d", name, f.Made, 21*rows)
		}
	})
}

// count tells how many transactions the packets hold, and how many events with rows.
func count(packets []byte) (transactions, events int) {
	eachEvent(packets, func(event []byte) {
		switch event[4] {
		case evXID:
			transactions++
		case evWriteRows1, evWriteRows2:
			events++
		}
	})
	return transactions, events
}
