package binlog

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// decodeInet prints MariaDB's INET4 and INET6.
func decodeInet(dst []byte, c *cursor, col *column) []byte {
	var raw [16]byte
	copy(raw[:], takeString(c, col))
	if col.wireColumn.length == 4 {
		return netip.AddrFrom4([4]byte(raw[:4])).AppendTo(dst)
	}
	return appendInet6(dst, &raw)
}

// appendInet6 writes an address as MariaDB does, not as RFC 5952: a single group of zeros is left out too, and ::a.b.c.d has
// the form of IPv4.
func appendInet6(dst []byte, raw *[16]byte) []byte {
	from, to := zeroGroups(raw)
	groups, mapped := 8, to == 5 && raw[10] == 0xff && raw[11] == 0xff
	if from == 0 && (to == 6 || mapped) {
		groups = 6
	}
	for i := 0; i < groups; i++ {
		if i == from {
			dst = append(dst, "::"...)
			i = to - 1
			continue
		}
		if i > 0 && i != to {
			dst = append(dst, ':')
		}
		dst = strconv.AppendUint(dst, uint64(binary.BigEndian.Uint16(raw[2*i:])), 16)
	}
	if groups == 8 {
		return dst
	}
	if mapped {
		dst = append(dst, ':')
	}
	return netip.AddrFrom4([4]byte(raw[12:])).AppendTo(dst)
}

// zeroGroups finds the first of the longest runs of zeros.
func zeroGroups(raw *[16]byte) (from, to int) {
	start := 0
	for i := range 8 {
		if raw[2*i] != 0 || raw[2*i+1] != 0 {
			start = i + 1
		} else if i+1-start > to-from {
			from, to = start, i+1
		}
	}
	if from == to {
		return -1, -1
	}
	return from, to
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
