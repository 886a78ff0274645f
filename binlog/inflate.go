package binlog

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"
	"io"
)

// maxInflated is what MariaDB lets a value or an event have.
const maxInflated = 1 << 30

// inflater unpacks what MariaDB packed, in memory that it uses again.
type inflater struct {
	in   bytes.Reader
	out  bytes.Buffer
	zlib io.Reader
	bare io.Reader
}

// inflate returns bytes that live until the next call. The low bits of the first byte say how many bytes the
// original length has, most significant first.
func (f *inflater) inflate(packed []byte, bare bool, limit uint64) ([]byte, error) {
	c := cursor{data: packed}
	size, ok := bigEndianUpTo8(c.take(int(c.byte() & 7)))
	if c.bad || !ok {
		return nil, errShort
	}
	if size > limit {
		return nil, fmt.Errorf("%d bytes unpacked, more than the limit of %d", size, limit)
	}
	f.in.Reset(c.data)
	r, err := f.reader(bare)
	if err != nil {
		return nil, err
	}
	if f.out.Cap() > 4*wireBuffer {
		f.out = bytes.Buffer{} // a single huge one
	}
	f.out.Reset()
	// It grows as the data comes: the length is the sender's word only.
	n, err := io.Copy(&f.out, io.LimitReader(r, int64(size)+1))
	if err != nil {
		return nil, err
	}
	if uint64(n) != size {
		return nil, fmt.Errorf("%d bytes unpacked, want %d", n, size)
	}
	return f.out.Bytes(), nil
}

func (f *inflater) reader(bare bool) (io.Reader, error) {
	switch {
	case bare && f.bare != nil:
		return f.bare, f.bare.(flate.Resetter).Reset(&f.in, nil)
	case bare:
		f.bare = flate.NewReader(&f.in)
		return f.bare, nil
	case f.zlib != nil:
		return f.zlib, f.zlib.(zlib.Resetter).Reset(&f.in, nil)
	}
	z, err := zlib.NewReader(&f.in)
	if err != nil {
		return nil, err
	}
	f.zlib = z
	return z, nil
}

func bigEndianUpTo8(b []byte) (uint64, bool) {
	if len(b) > 8 {
		return 0, false
	}
	return bigEndian(b), true
}
