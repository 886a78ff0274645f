package binlog

import (
	"testing"

	"outferry/configs"
)

// BenchmarkDecode reads packets of the log into rows; ns/op and B/op are those of one row.
func BenchmarkDecode(b *testing.B) {
	benchmark(b, nil, func(f *ferried, packets []byte) { f.read(b, packets); f.drop() })
}

// BenchmarkDecodeAndRoute goes on to the records.
func BenchmarkDecodeAndRoute(b *testing.B) {
	benchmark(b, nil, func(f *ferried, packets []byte) { f.read(b, packets); f.route(b) })
}

// BenchmarkDecodeAndExpand has the payload expanded too.
func BenchmarkDecodeAndExpand(b *testing.B) {
	benchmark(b, func(c *configs.Pipeline) { c.Router.ExpandJSON = true }, func(f *ferried, packets []byte) { f.read(b, packets); f.route(b) })
}

// BenchmarkForeignRows passes over the rows of a table that is not ours; an operation is a row.
func BenchmarkForeignRows(b *testing.B) {
	tx := logOf(b, "8.0", 2)
	f := newFerried(b, mysqlKind, "ferry.elsewhere", nil)
	f.read(b, packet(nil, tx.format))
	measure(b, 500, tx, tx.of(5, 100), func(packets []byte) { f.read(b, packets) })
}

func benchmark(b *testing.B, edit func(*configs.Pipeline), step func(*ferried, []byte)) {
	eachLoad(b, edit, func(name string, rows int, f *ferried, tx *loggedTransaction, packets []byte) {
		b.Run(name, func(b *testing.B) {
			measure(b, rows, tx, packets, func(packets []byte) { step(f, packets) })
		})
	})
}

// measure counts an operation as one row, so that loads can be compared.
func measure(b *testing.B, rows int, tx *loggedTransaction, packets []byte, step func([]byte)) {
	b.SetBytes(int64(len(packets) / rows))
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += rows {
		tx.renumber(packets)
		step(packets)
	}
}
