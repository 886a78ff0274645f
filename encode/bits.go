package encode

import "outferry/outbox"

// appendBits appends a bit string as bytes, least significant first, as Debezium sends it.
func appendBits(dst, v []byte) ([]byte, error) {
	for end := len(v); end > 0; end -= 8 {
		var b byte
		for _, digit := range v[max(0, end-8):end] {
			if digit != '0' && digit != '1' {
				return dst, ErrInvalid
			}
			b = b<<1 | (digit - '0')
		}
		dst = append(dst, b)
	}
	return dst, nil
}

// appendBitsText appends bit(1) as a boolean, anything longer as base64.
func appendBitsText(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	if isFlag(c) {
		if len(v) != 1 || v[0] != '0' && v[0] != '1' {
			return dst, ErrInvalid
		}
		if v[0] == '1' {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	}
	var room [32]byte
	raw, err := appendBits(room[:0], v)
	if err != nil {
		return dst, err
	}
	return appendBase64(dst, raw), nil
}

func appendJSONBits(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	if isFlag(c) {
		return appendBitsText(dst, c, v)
	}
	dst = append(dst, '"')
	dst, err := appendBitsText(dst, c, v)
	return append(dst, '"'), err
}

// isFlag reports whether a bit column is a boolean to Debezium.
func isFlag(c *outbox.Column) bool { return c.Length == 1 }
