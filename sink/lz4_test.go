package sink

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestLZ4IsReadByTheClient(t *testing.T) {
	c, d := newLZ4(), kgo.DefaultDecompressor()
	for _, size := range []int{0, 1, 100, 64 << 10, 256 << 10, 1<<20 + 7} {
		for range 2 { // a used writer too
			src := documents(size)
			out, codec := c.Compress(new(bytes.Buffer), src)
			back, err := d.Decompress(out, codec)
			if codec != kgo.CodecLz4 || err != nil || !bytes.Equal(back, src) {
				t.Fatalf("%d bytes came back as %d, codec %d, %v", len(src), len(back), codec, err)
			}
		}
	}
}

func BenchmarkLZ4(b *testing.B) {
	theirs, err := kgo.DefaultCompressor(kgo.Lz4Compression())
	if err != nil {
		b.Fatal(err)
	}
	src := documents(1 << 20)
	for name, c := range map[string]kgo.Compressor{"ours": newLZ4(), "client": theirs} {
		b.Run(name, func(b *testing.B) {
			var dst bytes.Buffer
			b.SetBytes(int64(len(src)))
			n := 0
			for b.Loop() {
				dst.Reset()
				out, _ := c.Compress(&dst, src)
				n = len(out)
			}
			b.ReportMetric(float64(len(src))/float64(n), "ratio")
		})
	}
}

// documents are about size bytes of JSON, no two alike.
func documents(size int) []byte {
	var b bytes.Buffer
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, `{"id": "%08x-0000-4000-8000-%012x", "customer": %d, "lines": [{"sku": "A-%d", "count": %d, "price": %d.50}]}`, n*2654435761, n*40503, n%9973, n*7%1000, n%9, n%200)
	}
	return b.Bytes()[:size]
}
