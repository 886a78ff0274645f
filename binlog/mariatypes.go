package binlog

import "net/netip"

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
	plain, err := col.inflater.inflate(raw, raw[0]&8 != 0, maxInflated)
	if err != nil {
		c.fail("compressed value: %w", err)
		return dst
	}
	return col.transcode(dst, c, plain)
}
