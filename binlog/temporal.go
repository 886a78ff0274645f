package binlog

import (
	"strconv"
	"time"
)

// decodeDate reads a date packed in three bytes. Zero dates pass through as the server prints them.
func decodeDate(dst []byte, c *cursor, _ *column) []byte {
	v := int(c.uint(3))
	return appendDate(dst, v>>9, v>>5&15, v&31)
}

func appendDate(dst []byte, year, month, day int) []byte {
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, month, 2)
	dst = append(dst, '-')
	return appendPadded(dst, day, 2)
}

func appendClock(dst []byte, hour, minute, second int) []byte {
	dst = appendPadded(dst, hour, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, minute, 2)
	dst = append(dst, ':')
	return appendPadded(dst, second, 2)
}

func appendPadded(dst []byte, v, width int) []byte {
	var buf [20]byte
	digits := strconv.AppendInt(buf[:0], int64(v), 10)
	for i := len(digits); i < width; i++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// appendFraction writes as many digits as the column has.
func appendFraction(dst []byte, micros, digits int) []byte {
	if digits <= 0 {
		return dst
	}
	var buf [8]byte
	all := appendPadded(buf[:0], micros, 6)
	return append(append(dst, '.'), all[:min(digits, 6)]...)
}

// fraction reads the bytes after the seconds: one for each two digits, most significant first.
func fraction(c *cursor, digits int) int {
	micros := int(bigEndian(c.take((digits + 1) / 2)))
	for i := (digits + 1) / 2; i < 3 && digits > 0; i++ {
		micros *= 100
	}
	return micros
}

func (col *column) checkPrecision(c *cursor) int {
	if col.meta > 6 {
		c.fail("temporal column with %d fractional digits", col.meta)
		return 0
	}
	return int(col.meta)
}

func decodeDatetime(dst []byte, c *cursor, col *column) []byte {
	digits := col.checkPrecision(c)
	packed := bigEndian(c.take(5)) - 0x8000000000
	micros := fraction(c, digits)
	if c.bad {
		return dst
	}
	return appendFraction(appendPackedDatetime(dst, packed), micros, digits)
}

// appendPackedDatetime: 17 bits of year and month, 5 day, 5 hour, 6 minute, 6 second.
func appendPackedDatetime(dst []byte, packed uint64) []byte {
	month := int(packed >> 22 & 0x1ffff)
	dst = appendDate(dst, month/13, month%13, int(packed>>17&31))
	dst = append(dst, ' ')
	return appendClock(dst, int(packed>>12&31), int(packed>>6&63), int(packed&63))
}

// decodeTimestamp gives UTC, whatever the session's time zone was. Before MySQL 5.6 the seconds stand
// least significant first.
func decodeTimestamp(dst []byte, c *cursor, col *column) []byte {
	digits := col.checkPrecision(c)
	var seconds uint64
	if col.wireColumn.kind == typeTimestamp {
		seconds = c.uint(4)
	} else {
		seconds = bigEndian(c.take(4))
	}
	micros := fraction(c, digits)
	if c.bad {
		return dst
	}
	if seconds == 0 && micros == 0 {
		dst = append(dst, "0000-00-00 00:00:00"...)
	} else {
		t := time.Unix(int64(seconds), 0).UTC()
		year, month, day := t.Date()
		dst = append(appendDate(dst, year, int(month), day), ' ')
		dst = appendClock(dst, t.Hour(), t.Minute(), t.Second())
	}
	return append(appendFraction(dst, micros, digits), "+00"...)
}

// decodeTime reads a signed duration: the sign, 10 bits of hours, 6 of minutes, 6 of seconds and the
// fraction are one number, with an offset that makes it sort.
func decodeTime(dst []byte, c *cursor, col *column) []byte {
	digits := col.checkPrecision(c)
	size := (digits + 1) / 2
	raw := c.take(3 + size)
	if c.bad {
		return dst
	}
	bits := 8 * size
	v := int64(bigEndian(raw)) - 0x800000<<bits
	if v < 0 {
		dst = append(dst, '-')
		v = -v
	}
	micros := int(v & (1<<bits - 1))
	for i := size; i < 3 && size > 0; i++ {
		micros *= 100
	}
	return appendFraction(appendPackedTime(dst, v>>bits), micros, digits)
}

func appendPackedTime(dst []byte, packed int64) []byte {
	return appendClock(dst, int(packed>>12&0x3ff), int(packed>>6&63), int(packed&63))
}

// decodeOldTime and decodeOldDatetime read the forms of columns made before MySQL 5.6: decimal digits.
func decodeOldTime(dst []byte, c *cursor, _ *column) []byte {
	v := int(int32(c.uint(3)<<8) >> 8)
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	return appendClock(dst, v/10000, v/100%100, v%100)
}

func decodeOldDatetime(dst []byte, c *cursor, _ *column) []byte {
	v := c.uint(8)
	if v > 99991231235959 {
		c.fail("datetime of %d", v)
		return dst
	}
	date, clock := int(v/1000000), int(v%1000000)
	dst = append(appendDate(dst, date/10000, date/100%100, date%100), ' ')
	return appendClock(dst, clock/10000, clock/100%100, clock%100)
}
