package binlog

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"
	"io"
	"net/netip"
)

// decodeInet prints MariaDB's INET4 and INET6.
func decodeInet(dst []byte, c *cursor, col *column) []byte {
	raw := make([]byte, col.wireColumn.length)
	copy(raw, takeString(c, col))
	addr, ok := netip.AddrFromSlice(raw)
	if !ok {
		c.fail("address of %d bytes", len(raw))
		return dst
	}
	return addr.AppendTo(dst)
}

func decodeCompressedString(dst []byte, c *cursor, col *column) []byte {
	return appendCompressed(dst, c, col, takeString(c, col))
}

func decodeCompressedBlob(dst []byte, c *cursor, col *column) []byte {
	return appendCompressed(dst, c, col, takeBlob(c, col))
}

// appendCompressed reads a value of a COMPRESSED column: a byte that says how, then the original length
// where it is compressed at all.
func appendCompressed(dst []byte, c *cursor, col *column, raw []byte) []byte {
	if len(raw) == 0 || c.bad {
		return dst
	}
	if raw[0] == 0 {
		return col.transcode(dst, c, raw[1:])
	}
	const zlibMethod = 8
	if raw[0]>>4 != zlibMethod {
		c.fail("compressed value of unknown kind %#x", raw[0])
		return dst
	}
	plain, err := inflate(raw, raw[0]&8 != 0, maxInflated)
	if err != nil {
		c.fail("compressed value: %w", err)
		return dst
	}
	return col.transcode(dst, c, plain)
}

// maxInflated is what MariaDB lets a value or an event have.
const maxInflated = 1 << 30

// inflate unpacks what MariaDB packed: the low bits of the first byte say how many bytes the original
// length has, most significant first.
func inflate(packed []byte, bare bool, limit uint64) ([]byte, error) {
	c := cursor{data: packed}
	size := bigEndianOr0(c.take(int(c.byte() & 7)))
	if c.bad {
		return nil, errShort
	}
	if size > limit {
		return nil, fmt.Errorf("%d bytes unpacked, more than the limit of %d", size, limit)
	}
	var r io.Reader = flate.NewReader(bytes.NewReader(c.data))
	if !bare {
		z, err := zlib.NewReader(bytes.NewReader(c.data))
		if err != nil {
			return nil, err
		}
		r = z
	}
	// Grown as the data comes: the length is the sender's word only.
	var out bytes.Buffer
	n, err := io.Copy(&out, io.LimitReader(r, int64(size)+1))
	if err != nil {
		return nil, err
	}
	if uint64(n) != size {
		return nil, fmt.Errorf("%d bytes unpacked, want %d", n, size)
	}
	return out.Bytes(), nil
}

func bigEndianOr0(b []byte) uint64 {
	if len(b) > 8 {
		return 0
	}
	return bigEndian(b)
}
