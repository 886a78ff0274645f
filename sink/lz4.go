package sink

import (
	"bytes"
	"sync"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lz4Blocks compresses batches in blocks of 256 KiB, without a checksum of the content: the record batch has one. The
// client's own compressor takes blocks of 4 MiB, more than any batch fills, and holds their buffers.
type lz4Blocks struct{ writers sync.Pool }

func newLZ4() *lz4Blocks {
	return &lz4Blocks{sync.Pool{New: func() any {
		w := lz4.NewWriter(nil)
		if err := w.Apply(lz4.BlockSizeOption(lz4.Block256Kb), lz4.ChecksumOption(false)); err != nil {
			panic(err) // constants
		}
		return w
	}}}
}

// Compress implements kgo.Compressor.
func (c *lz4Blocks) Compress(dst *bytes.Buffer, src []byte, _ ...kgo.CompressFlag) ([]byte, kgo.CompressionCodecType) {
	w := c.writers.Get().(*lz4.Writer)
	defer c.writers.Put(w)
	w.Reset(dst)
	if _, err := w.Write(src); err != nil {
		return nil, kgo.CodecError
	}
	if err := w.Close(); err != nil {
		return nil, kgo.CodecError
	}
	return dst.Bytes(), kgo.CodecLz4
}
