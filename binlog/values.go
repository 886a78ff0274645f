package binlog

import (
	"encoding/binary"
	"math"
	"strconv"

	"outferry/outbox"
)

// decodeFunc appends the text form of the value that c stands at, as package outbox names it.
type decodeFunc func(dst []byte, c *cursor, col *column) []byte

func decodeTiny(dst []byte, c *cursor, col *column) []byte {
	v := c.byte()
	if col.unsigned {
		return strconv.AppendUint(dst, uint64(v), 10)
	}
	return strconv.AppendInt(dst, int64(int8(v)), 10)
}

func decodeShort(dst []byte, c *cursor, col *column) []byte {
	v := c.uint(2)
	if col.unsigned {
		return strconv.AppendUint(dst, v, 10)
	}
	return strconv.AppendInt(dst, int64(int16(v)), 10)
}

func decodeInt24(dst []byte, c *cursor, col *column) []byte {
	v := c.uint(3)
	if col.unsigned {
		return strconv.AppendUint(dst, v, 10)
	}
	return strconv.AppendInt(dst, int64(int32(v<<8)>>8), 10)
}

func decodeLong(dst []byte, c *cursor, col *column) []byte {
	v := c.uint(4)
	if col.unsigned {
		return strconv.AppendUint(dst, v, 10)
	}
	return strconv.AppendInt(dst, int64(int32(v)), 10)
}

func decodeLongLong(dst []byte, c *cursor, col *column) []byte {
	v := c.uint(8)
	if col.unsigned {
		return strconv.AppendUint(dst, v, 10)
	}
	return strconv.AppendInt(dst, int64(v), 10)
}

func decodeYear(dst []byte, c *cursor, _ *column) []byte {
	v := int64(c.byte())
	if v > 0 {
		v += 1900
	}
	return strconv.AppendInt(dst, v, 10)
}

func decodeFloat(dst []byte, c *cursor, _ *column) []byte {
	return strconv.AppendFloat(dst, float64(math.Float32frombits(uint32(c.uint(4)))), 'g', -1, 32)
}

func decodeDouble(dst []byte, c *cursor, _ *column) []byte {
	return strconv.AppendFloat(dst, math.Float64frombits(c.uint(8)), 'g', -1, 64)
}

// decodeBit writes the digits of a BIT column, whose bytes stand most significant first.
func decodeBit(dst []byte, c *cursor, col *column) []byte {
	n := col.Length
	raw := c.take((n + 7) / 8)
	for i := len(raw)*8 - n; raw != nil && i < len(raw)*8; i++ {
		dst = append(dst, '0'+raw[i>>3]>>(7-i&7)&1)
	}
	return dst
}

func decodeEnum(dst []byte, c *cursor, col *column) []byte {
	i := int(c.uint(col.length))
	switch {
	case i == 0: // the server's mark of a value that was none of the labels
		return dst
	case i > len(col.Labels):
		c.fail("ENUM value %d, of %d labels", i, len(col.Labels))
		return dst
	}
	return append(dst, col.Labels[i-1]...)
}

func decodeSet(dst []byte, c *cursor, col *column) []byte {
	members := c.uint(col.length)
	first := true
	for i := range 64 {
		if members>>i&1 == 0 {
			continue
		}
		if i >= len(col.Labels) {
			c.fail("SET value has member %d, of %d labels", i+1, len(col.Labels))
			return dst
		}
		if !first {
			dst = append(dst, ',')
		}
		dst, first = append(dst, col.Labels[i]...), false
	}
	return dst
}

// takeString takes a CHAR or VARCHAR: its length stands before it, in two bytes where it may pass 255.
func takeString(c *cursor, col *column) []byte {
	if col.length > 255 {
		return c.take(int(c.uint(2)))
	}
	return c.take(int(c.byte()))
}

func takeBlob(c *cursor, col *column) []byte {
	n := c.uint(col.length)
	if n > uint64(len(c.data)) {
		c.fail("value of %d bytes in an event with %d left", n, len(c.data))
		return nil
	}
	return c.take(int(n))
}

func decodeString(dst []byte, c *cursor, col *column) []byte {
	return col.transcode(dst, c, takeString(c, col))
}

func decodeBlob(dst []byte, c *cursor, col *column) []byte {
	return col.transcode(dst, c, takeBlob(c, col))
}

func decodeJSON(dst []byte, c *cursor, col *column) []byte {
	raw := takeBlob(c, col)
	if c.bad {
		return dst
	}
	out, err := appendJSON(dst, raw)
	if err != nil {
		c.fail("JSON: %w", err)
		return dst
	}
	return out
}

// decodeBinary gives BINARY(n) back the zero bytes that the log leaves off at its end.
func decodeBinary(dst []byte, c *cursor, col *column) []byte {
	raw := takeString(c, col)
	dst = append(dst, raw...)
	for i := len(raw); i < col.length; i++ {
		dst = append(dst, 0)
	}
	return dst
}

// decodeBinaryUUID is decodeBinary for a BINARY(16) that holds a UUID.
func decodeBinaryUUID(dst []byte, c *cursor, col *column) []byte {
	var u [16]byte
	copy(u[:], takeString(c, col))
	return appendUUID(dst, &u, col.swap)
}

// swap says in which order the bytes of a UUID were stored.
type swap uint8

const (
	inOrder       swap = iota
	timeHighFirst      // UUID_TO_BIN(x, 1)
)

func appendUUID(dst []byte, u *[16]byte, order swap) []byte {
	if order == timeHighFirst {
		u = &[16]byte{u[4], u[5], u[6], u[7], u[2], u[3], u[0], u[1], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]}
	}
	var text [36]byte
	hexUUID(text[:], u[:])
	return append(dst, text[:]...)
}

// decodeDecimal reads the packed form: groups of nine digits in four bytes, the odd digits at both ends in
// as few as they need, the sign in the first bit, the whole inverted when negative.
func decodeDecimal(dst []byte, c *cursor, col *column) []byte {
	precision, scale := int(col.meta>>8), int(col.meta&0xff)
	if scale > precision {
		c.fail("DECIMAL(%d,%d)", precision, scale)
		return dst
	}
	raw := c.take(decimalSize(precision-scale) + decimalSize(scale))
	if len(raw) == 0 {
		return dst
	}
	return appendDecimal(dst, raw, precision, scale)
}

var digitBytes = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

func decimalSize(digits int) int { return digits/9*4 + digitBytes[digits%9] }

func appendDecimal(dst, raw []byte, precision, scale int) []byte {
	var buf [64]byte
	b := append(buf[:0], raw...)
	mask := byte(0)
	if b[0]&0x80 == 0 {
		mask = 0xff
		dst = append(dst, '-')
	}
	b[0] ^= 0x80
	for i := range b {
		b[i] ^= mask
	}
	whole := precision - scale
	start := len(dst)
	b, dst = appendDigits(dst, b, whole%9)
	for range whole / 9 {
		b, dst = appendDigits(dst, b, 9)
	}
	dst = trimZeros(dst, start)
	if scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for range scale / 9 {
		b, dst = appendDigits(dst, b, 9)
	}
	_, dst = appendDigits(dst, b, scale%9)
	return dst
}

// appendDigits writes a group of n digits, with the zeros before them.
func appendDigits(dst, b []byte, n int) (rest, out []byte) {
	size := digitBytes[n]
	var v uint32
	for _, x := range b[:size] {
		v = v<<8 | uint32(x)
	}
	for i := range n {
		dst = append(dst, '0'+byte(v/pow10[n-1-i]%10))
	}
	return b[size:], dst
}

var pow10 = [9]uint32{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000}

// trimZeros takes the leading zeros from the digits that begin at start, but leaves one digit.
func trimZeros(dst []byte, start int) []byte {
	i := start
	for i < len(dst)-1 && dst[i] == '0' {
		i++
	}
	if i == len(dst) {
		return append(dst, '0')
	}
	return append(dst[:start], dst[i:]...)
}

// kinds says what the wire types are to the rest of the house, and how each is read. Strings are
// settled by their collation.
var kinds = map[byte]struct {
	kind     outbox.Kind
	unsigned outbox.Kind
	name     string
	decode   decodeFunc
}{
	typeTiny:       {outbox.Int16, outbox.Int16, "tinyint", decodeTiny},
	typeShort:      {outbox.Int16, outbox.Int32, "smallint", decodeShort},
	typeInt24:      {outbox.Int32, outbox.Int32, "mediumint", decodeInt24},
	typeLong:       {outbox.Int32, outbox.Int64, "int", decodeLong},
	typeLongLong:   {outbox.Int64, outbox.Uint64, "bigint", decodeLongLong},
	typeYear:       {outbox.Int32, outbox.Int32, "year", decodeYear},
	typeFloat:      {outbox.Float32, outbox.Float32, "float", decodeFloat},
	typeDouble:     {outbox.Float64, outbox.Float64, "double", decodeDouble},
	typeNewDecimal: {outbox.Decimal, outbox.Decimal, "decimal", decodeDecimal},
	typeBit:        {outbox.Bits, outbox.Bits, "bit", decodeBit},
	typeDate:       {outbox.Date, outbox.Date, "date", decodeDate},
	typeNewDate:    {outbox.Date, outbox.Date, "date", decodeDate},
	typeTime:       {outbox.Time, outbox.Time, "time", decodeOldTime},
	typeTime2:      {outbox.Time, outbox.Time, "time", decodeTime},
	typeDatetime:   {outbox.Timestamp, outbox.Timestamp, "datetime", decodeOldDatetime},
	typeDatetime2:  {outbox.Timestamp, outbox.Timestamp, "datetime", decodeDatetime},
	typeTimestamp:  {outbox.TimestampTZ, outbox.TimestampTZ, "timestamp", decodeTimestamp},
	typeTimestamp2: {outbox.TimestampTZ, outbox.TimestampTZ, "timestamp", decodeTimestamp},
	typeEnum:       {outbox.Enum, outbox.Enum, "enum", decodeEnum},
	typeSet:        {outbox.Set, outbox.Set, "set", decodeSet},
	typeJSON:       {outbox.JSON, outbox.JSON, "json", decodeJSON},
	typeGeometry:   {outbox.Bytes, outbox.Bytes, "geometry", decodeBlob},
	typeVector:     {outbox.Bytes, outbox.Bytes, "vector", decodeBlob},
}

func bigEndian(b []byte) (v uint64) {
	var full [8]byte
	copy(full[8-len(b):], b)
	return binary.BigEndian.Uint64(full[:])
}
