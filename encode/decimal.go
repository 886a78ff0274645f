package encode

import (
	"math/big"
	"strconv"

	"outferry/outbox"
)

// number is a decimal taken apart: its value is the digits, an integer, times 10^-scale.
type number struct {
	negative bool
	digits   []byte // without leading zeros; "0" for zero
	scale    int
}

// parseDecimal takes v apart, with zeros added up to scale. The room is where digits are put.
func parseDecimal(room, v []byte, scale int) (number, error) {
	n := number{digits: room[:0]}
	if len(v) > 0 && v[0] == '-' {
		n.negative, v = true, v[1:]
	}
	point := false
	for _, b := range v {
		switch {
		case b == '.' && !point:
			point = true
			continue
		case b < '0' || b > '9':
			return n, ErrInvalid
		case point:
			n.scale++
		}
		if len(n.digits) == 1 && n.digits[0] == '0' {
			n.digits = n.digits[:0]
		}
		n.digits = append(n.digits, b)
	}
	if len(n.digits) == 0 {
		return n, ErrInvalid
	}
	return n.rescale(scale)
}

// rescale brings n to the column's scale; a negative one leaves each value its own.
func (n number) rescale(scale int) (number, error) {
	if scale >= 0 && n.scale > scale {
		return n, ErrUnrepresentable
	}
	for n.scale < scale {
		if !n.isZero() {
			n.digits = append(n.digits, '0')
		}
		n.scale++
	}
	return n, nil
}

// stripped takes away the zeros behind the point.
func (n number) stripped() number {
	for n.scale > 0 && n.digits[len(n.digits)-1] == '0' {
		n.scale--
		if !n.isZero() {
			n.digits = n.digits[:len(n.digits)-1]
		}
	}
	return n
}

func (n number) isZero() bool { return n.digits[0] == '0' }

// appendDecimalText appends what BigDecimal.toString prints: below 10^-6 with an exponent.
func appendDecimalText(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	if isSpecial(v) {
		return append(dst, v...), nil
	}
	var room [64]byte
	n, err := parseDecimal(room[:0], v, c.Scale)
	if err != nil {
		return dst, err
	}
	if n.negative && !n.isZero() {
		dst = append(dst, '-')
	}
	adjusted := len(n.digits) - 1 - n.scale
	if adjusted < -6 {
		return n.appendScientific(dst, adjusted), nil
	}
	return n.appendPlain(dst), nil
}

func (n number) appendScientific(dst []byte, exp int) []byte {
	dst = append(dst, n.digits[0])
	if len(n.digits) > 1 {
		dst = append(dst, '.')
		dst = append(dst, n.digits[1:]...)
	}
	dst = append(dst, 'E')
	return strconv.AppendInt(dst, int64(exp), 10)
}

func (n number) appendPlain(dst []byte) []byte {
	whole := len(n.digits) - n.scale
	if whole > 0 {
		dst = append(dst, n.digits[:whole]...)
	} else {
		dst = append(dst, '0')
	}
	if n.scale == 0 {
		return dst
	}
	dst = append(dst, '.')
	for range -whole {
		dst = append(dst, '0')
	}
	return append(dst, n.digits[max(whole, 0):]...)
}

// appendJSONDecimal appends the unscaled value as base64, with the scale beside it where the column
// declares none, and then without zeros behind the point, as Debezium's PostgreSQL converter has it. NaN and
// the infinities are null, as with Debezium: the form has no room for them.
func appendJSONDecimal(dst []byte, c *outbox.Column, v []byte) ([]byte, error) {
	if isSpecial(v) {
		return append(dst, "null"...), nil
	}
	if c.Scale < 0 {
		return appendVariableDecimal(dst, v)
	}
	var room [64]byte
	n, err := parseDecimal(room[:0], v, c.Scale)
	if err != nil {
		return dst, err
	}
	return n.appendUnscaled(dst), nil
}

func appendVariableDecimal(dst, v []byte) ([]byte, error) {
	var room [64]byte
	n, err := parseDecimal(room[:0], v, -1)
	if err != nil {
		return dst, err
	}
	n = n.stripped()
	dst = append(dst, `{"scale":`...)
	dst = strconv.AppendInt(dst, int64(n.scale), 10)
	dst = append(dst, `,"value":`...)
	dst = n.appendUnscaled(dst)
	return append(dst, '}'), nil
}

// appendUnscaled appends the quoted base64 of the digits as a big-endian two's-complement integer.
func (n number) appendUnscaled(dst []byte) []byte {
	dst = append(dst, '"')
	if i, err := strconv.ParseInt(string(n.digits), 10, 64); err == nil {
		dst = appendBase64(dst, n.smallBytes(i))
	} else {
		dst = appendBase64(dst, n.bigBytes())
	}
	return append(dst, '"')
}

func (n number) smallBytes(i int64) []byte {
	if n.negative {
		i = -i
	}
	b := []byte{byte(i >> 56), byte(i >> 48), byte(i >> 40), byte(i >> 32), byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xFF && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

func (n number) bigBytes() []byte {
	i, _ := new(big.Int).SetString(string(n.digits), 10)
	if !n.negative {
		b := i.Bytes()
		if b[0] >= 0x80 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	// -i in two's complement is the complement of i-1.
	b := i.Sub(i, big.NewInt(1)).Bytes()
	if b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	for k := range b {
		b[k] = ^b[k]
	}
	return b
}
