package walstream

import (
	"fmt"
	"testing"

	"outferry/configs"
)

var loads = []struct {
	perTx, size int
	rows        int // that fit a batch
}{{1, 200, 256}, {100, 200, 500}, {100, 1 << 10, 200}, {5, 16 << 10, 10}}

// BenchmarkDecode parses what a socket brought into rows; ns/op and B/op are those of one row.
func BenchmarkDecode(b *testing.B) {
	eachLoad(b, nil, func(f *ferried, frames []byte) { f.parse(b, frames); f.st.b.Release() })
}

// BenchmarkDecodeAndRoute goes on to the records.
func BenchmarkDecodeAndRoute(b *testing.B) {
	eachLoad(b, nil, func(f *ferried, frames []byte) { f.parse(b, frames); f.Route(b, f.st.b) })
}

// BenchmarkDecodeAndExpand has the payload expanded too.
func BenchmarkDecodeAndExpand(b *testing.B) {
	expand := func(c *configs.Pipeline) { c.Router.ExpandJSON = true }
	eachLoad(b, expand, func(f *ferried, frames []byte) { f.parse(b, frames); f.Route(b, f.st.b) })
}

// eachLoad counts an operation as one row, so that loads can be compared.
func eachLoad(b *testing.B, edit func(*configs.Pipeline), step func(*ferried, []byte)) {
	for _, l := range loads {
		b.Run(fmt.Sprintf("%d_a_transaction/%dB", l.perTx, l.size), func(b *testing.B) {
			f := newFerried(b, edit)
			frames := sent(l.rows/l.perTx, l.perTx, l.size)
			step(f, frames)
			frames = withoutRelation(b, frames)
			b.SetBytes(int64(len(frames) / l.rows))
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += l.rows {
				step(f, frames)
			}
		})
	}
}
