package encode

import "outferry/outbox"

// AppendText appends what StringConverter writes for v, which is not NULL: the text of the Java
// object that Debezium would have made of it. Binary values are base64.
func AppendText(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	if isPoint(c) {
		return appendPoint(dst, v)
	}
	switch c.Kind {
	case outbox.Bytes:
		return appendBase64(dst, v), nil
	case outbox.Float32:
		return appendFloat(dst, v, 32)
	case outbox.Float64:
		return appendFloat(dst, v, 64)
	case outbox.Decimal:
		return appendDecimalText(dst, c, v)
	case outbox.Date, outbox.Time, outbox.TimeTZ, outbox.Timestamp, outbox.TimestampTZ, outbox.Interval:
		return appendTemporal(dst, c, v)
	case outbox.Bits:
		return appendBitsText(dst, c, v)
	case outbox.Array:
		return appendArray(dst, c, v, listText)
	}
	return append(dst, v...), nil
}

// AppendHeader appends what SimpleHeaderConverter writes for v, which is not NULL. It is the text
// form, but for arrays and for decimals that carry their own scale.
func AppendHeader(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	switch {
	case c.Kind == outbox.Array:
		return appendArray(dst, c, v, headerText)
	case c.Kind == outbox.Decimal && c.Scale < 0 && !isSpecial(v):
		return appendVariableDecimal(dst, v)
	}
	return AppendText(dst, c, v)
}

// isSpecial reports whether a number's text is a word: NaN, Infinity or -Infinity.
func isSpecial(v []byte) bool {
	switch string(v) {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	return false
}
