package encode

import (
	"strconv"

	"outferry/outbox"
)

// AppendJSON appends what JsonConverter writes without schemas for v; NULL is null.
func AppendJSON(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	if v = Dated(c, v); v == nil {
		return append(dst, "null"...), nil
	}
	if isPoint(c) {
		return appendPoint(dst, v)
	}
	switch c.Kind {
	case outbox.Text, outbox.JSON, outbox.UUID, outbox.Enum, outbox.Set:
		return AppendString(dst, v), nil
	case outbox.Bool, outbox.Int16, outbox.Int32, outbox.Int64, outbox.Uint64:
		return append(dst, v...), nil
	case outbox.Float32, outbox.Float64:
		return appendJSONFloat(dst, c.Kind, v)
	case outbox.Bytes:
		dst = append(dst, '"')
		return append(appendBase64(dst, v), '"'), nil
	case outbox.Decimal:
		return appendJSONDecimal(dst, c, v)
	case outbox.Bits:
		return appendJSONBits(dst, c, v)
	case outbox.Array:
		return appendArray(dst, c, v, listJSON)
	}
	return appendJSONTemporal(dst, c, v)
}

// AppendTypedJSON is AppendJSON for a value that stands beside its schema: what the schema can't
// hold is an error, since a consumer would read it as something else.
func AppendTypedJSON(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	switch {
	case v == nil:
	case c.Kind == outbox.Uint64:
		if _, err := strconv.ParseInt(string(v), 10, 64); err != nil {
			return dst, ErrUnrepresentable
		}
	case c.Kind == outbox.Date && isInfinite(v):
		return dst, ErrUnrepresentable
	case c.Kind == outbox.Array && isNested(v):
		return dst, ErrUnrepresentable
	}
	return AppendJSON(dst, c, v)
}

// appendJSONFloat writes NaN and the infinities as strings, as Jackson does.
func appendJSONFloat(dst []byte, kind outbox.Kind, v []byte) ([]byte, error) {
	if isSpecial(v) {
		return AppendString(dst, v), nil
	}
	if kind == outbox.Float32 {
		return appendFloat(dst, v, 32)
	}
	return appendFloat(dst, v, 64)
}

// appendJSONTemporal quotes what Debezium sends as text and leaves bare what it sends as a number.
func appendJSONTemporal(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	quoted := c.Kind == outbox.TimeTZ || c.Kind == outbox.TimestampTZ || c.Kind == outbox.Date && isInfinite(v)
	if !quoted {
		return appendTemporal(dst, c, v)
	}
	dst = append(dst, '"')
	dst, err := appendTemporal(dst, c, v)
	return append(dst, '"'), err
}
