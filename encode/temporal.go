package encode

import (
	"bytes"
	"math"
	"strconv"

	"outferry/outbox"
)

// What PostgreSQL's JDBC driver takes for the infinite timestamps, in milliseconds.
const (
	infinityMillis      = 9223372036825200
	minusInfinityMillis = -9223372036832400
)

// appendTemporal appends a temporal value as Debezium's adaptive precision sends it: a number for
// what has no zone (days; milliseconds up to three fractional digits, microseconds above), ISO text
// in UTC for what has one.
func appendTemporal(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	switch c.Kind {
	case outbox.TimeTZ:
		return appendTimeTZ(dst, v)
	case outbox.TimestampTZ:
		return appendTimestampTZ(dst, c, v)
	case outbox.Date:
		if isInfinite(v) {
			return append(dst, v...), nil
		}
	}
	n, err := temporalNumber(c, v)
	if err != nil {
		return dst, err
	}
	return strconv.AppendInt(dst, n, 10), nil
}

func temporalNumber(c *outbox.Column, v []byte) (int64, error) {
	switch c.Kind {
	case outbox.Date:
		days, rest, ok := parseDate(trimBC(v))
		return days, valid(ok && len(rest) == 0)
	case outbox.Interval:
		return intervalMicros(v)
	}
	micros, err := zonelessMicros(c.Kind, v)
	if err == nil && c.Precision <= 3 {
		micros /= 1000
	}
	return micros, err
}

func zonelessMicros(kind outbox.Kind, v []byte) (int64, error) {
	if kind == outbox.Time {
		micros, rest, ok := parseClock(v)
		return micros, valid(ok && len(rest) == 0)
	}
	return timestampMicros(v)
}

func valid(ok bool) error {
	if !ok {
		return ErrInvalid
	}
	return nil
}

func isInfinite(v []byte) bool { return string(v) == "infinity" || string(v) == "-infinity" }

// lastDay is the last one of which all microseconds since 1970 are below 2^63. PostgreSQL's timestamps go 29 years beyond.
const lastDay = math.MaxInt64/microsPerDay - 1

// timestampMicros returns a timestamp's microseconds since 1970, its text being in UTC.
func timestampMicros(v []byte) (int64, error) {
	switch string(v) {
	case "infinity":
		return infinityMillis * 1000, nil
	case "-infinity":
		return minusInfinityMillis * 1000, nil
	}
	days, rest, ok := parseDate(trimBC(v))
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return 0, ErrInvalid
	}
	micros, rest, ok := parseClock(rest[1:])
	if !ok || len(rest) != 0 && string(rest) != "+00" || days < -lastDay || days > lastDay {
		return 0, ErrInvalid
	}
	return days*microsPerDay + micros, nil
}

// appendTimeTZ turns +00 into Z and drops the zeros that end a fraction.
func appendTimeTZ(dst, v []byte) ([]byte, error) {
	clock, ok := bytes.CutSuffix(v, []byte("+00"))
	if _, rest, good := parseClock(clock); !ok || !good || len(rest) != 0 {
		return dst, ErrInvalid
	}
	if bytes.IndexByte(clock, '.') >= 0 {
		clock = bytes.TrimRight(bytes.TrimRight(clock, "0"), ".")
	}
	return append(append(dst, clock...), 'Z'), nil
}

// appendTimestampTZ writes as many fractional digits as the column has, whatever the server trimmed.
func appendTimestampTZ(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	if isInfinite(v) {
		return append(dst, v...), nil
	}
	text := trimBC(v)
	text.b, _ = bytes.CutSuffix(text.b, []byte("+00"))
	_, clock, ok := parseDate(text)
	if !ok || len(clock) == 0 || clock[0] != ' ' {
		return dst, ErrInvalid
	}
	if _, rest, ok := parseClock(clock[1:]); !ok || len(rest) != 0 {
		return dst, ErrInvalid
	}
	dst = appendISODate(dst, text, len(text.b)-len(clock))
	dst = append(dst, 'T')
	return append(appendFixedClock(dst, clock[1:], c.Precision), 'Z'), nil
}

// appendISODate writes years as ISO 8601 counts them: 1 BC is 0000, and above 9999 there is a sign.
func appendISODate(dst []byte, text datedText, length int) []byte {
	date := text.b[:length]
	dash := bytes.IndexByte(date, '-')
	if !text.bc {
		if dash > 4 {
			dst = append(dst, '+')
		}
		return append(dst, date...)
	}
	year, _ := strconv.Atoi(string(date[:dash]))
	if year--; year > 0 {
		dst = append(dst, '-')
	}
	for limit := 1000; limit > 1 && year < limit; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendInt(dst, int64(year), 10)
	return append(dst, date[dash:]...)
}

func appendFixedClock(dst, clock []byte, precision int) []byte {
	point := bytes.IndexByte(clock, '.')
	digits := 0
	if point >= 0 {
		digits = len(clock) - point - 1
	}
	dst = append(dst, clock...)
	if digits == 0 && precision > 0 {
		dst = append(dst, '.')
	}
	for ; digits < precision; digits++ {
		dst = append(dst, '0')
	}
	return dst
}

// Millis returns the event time that v, which is not NULL, stands for: milliseconds since 1970. An
// integer is that already. TakesTime says which columns it is for.
func Millis(c *outbox.Column, v []byte) (int64, error) {
	switch c.Kind {
	case outbox.Date:
		days, rest, ok := parseDate(trimBC(v))
		return days * 86_400_000, valid(ok && len(rest) == 0)
	case outbox.Timestamp, outbox.TimestampTZ:
		micros, err := timestampMicros(v)
		return micros / 1000, err
	}
	return ParseInt(v)
}

// TakesTime reports whether Millis can read columns of a kind.
func TakesTime(kind outbox.Kind) bool {
	return IsInteger(kind) || kind == outbox.Date || kind == outbox.Timestamp || kind == outbox.TimestampTZ
}

// IsInteger reports whether a kind holds whole numbers.
func IsInteger(kind outbox.Kind) bool {
	switch kind {
	case outbox.Int16, outbox.Int32, outbox.Int64, outbox.Uint64:
		return true
	}
	return false
}

// ParseInt reads the text of an integer kind.
func ParseInt(v []byte) (int64, error) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil {
		return 0, ErrInvalid
	}
	return n, nil
}
