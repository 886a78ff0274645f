package binlog

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// The kinds of values in MySQL's binary JSON.
const (
	jsonSmallObject = iota
	jsonLargeObject
	jsonSmallArray
	jsonLargeArray
	jsonLiteral
	jsonInt16
	jsonUint16
	jsonInt32
	jsonUint32
	jsonInt64
	jsonUint64
	jsonDouble
	jsonString
	jsonOpaque = 15
)

// maxJSONDepth is the server's own limit.
const maxJSONDepth = 100

var errJSON = errors.New("binary document makes no sense")

// appendJSON prints a binary document as the server prints it in a SELECT.
func appendJSON(dst, doc []byte) ([]byte, error) {
	if len(doc) == 0 {
		return append(dst, "null"...), nil // what a column added later holds in older rows
	}
	return appendJSONValue(dst, doc[0], doc[1:], 0)
}

func appendJSONValue(dst []byte, kind byte, b []byte, depth int) ([]byte, error) {
	switch kind {
	case jsonSmallObject, jsonLargeObject, jsonSmallArray, jsonLargeArray:
		return appendJSONContainer(dst, kind, b, depth)
	case jsonString:
		text, err := jsonLengthAnd(b)
		if err != nil {
			return dst, err
		}
		return appendJSONString(dst, text), nil
	case jsonOpaque:
		return appendJSONOpaque(dst, b)
	}
	return appendJSONScalar(dst, kind, b)
}

func appendJSONScalar(dst []byte, kind byte, b []byte) ([]byte, error) {
	c := cursor{data: b}
	switch kind {
	case jsonLiteral:
		dst = appendJSONLiteral(dst, &c)
	case jsonInt16:
		dst = strconv.AppendInt(dst, int64(int16(c.uint(2))), 10)
	case jsonUint16:
		dst = strconv.AppendUint(dst, c.uint(2), 10)
	case jsonInt32:
		dst = strconv.AppendInt(dst, int64(int32(c.uint(4))), 10)
	case jsonUint32:
		dst = strconv.AppendUint(dst, c.uint(4), 10)
	case jsonInt64:
		dst = strconv.AppendInt(dst, int64(c.uint(8)), 10)
	case jsonUint64:
		dst = strconv.AppendUint(dst, c.uint(8), 10)
	case jsonDouble:
		dst = appendJSONDouble(dst, math.Float64frombits(c.uint(8)))
	default:
		return dst, fmt.Errorf("value of unknown type %d", kind)
	}
	return dst, c.err()
}

func appendJSONLiteral(dst []byte, c *cursor) []byte {
	switch v := c.byte(); v {
	case 0:
		return append(dst, "null"...)
	case 1:
		return append(dst, "true"...)
	case 2:
		return append(dst, "false"...)
	default:
		c.fail("literal %d", v)
		return dst
	}
}

// jsonContainer is an object or array: a count, a size, then entries of fixed width, then what they
// point at. Offsets count from the start of the container.
type jsonContainer struct {
	b      []byte
	width  int // of offsets and counts
	count  int
	object bool
}

func openJSONContainer(kind byte, b []byte) (jsonContainer, error) {
	k := jsonContainer{b: b, width: 2, object: kind == jsonSmallObject || kind == jsonLargeObject}
	if kind == jsonLargeObject || kind == jsonLargeArray {
		k.width = 4
	}
	c := cursor{data: b}
	k.count = int(c.uint(k.width))
	size := c.uint(k.width)
	if c.bad || size > uint64(len(b)) || k.entries() > int(size) {
		return k, errJSON
	}
	k.b = b[:size]
	return k, nil
}

func (k *jsonContainer) keyWidth() int   { return k.width + 2 }
func (k *jsonContainer) valueWidth() int { return k.width + 1 }

// entries is where the fixed part ends.
func (k *jsonContainer) entries() int {
	n := 2*k.width + k.count*k.valueWidth()
	if k.object {
		n += k.count * k.keyWidth()
	}
	return n
}

func (k *jsonContainer) key(i int) ([]byte, error) {
	c := cursor{data: k.b[2*k.width+i*k.keyWidth():]}
	offset, length := c.uint(k.width), c.uint(2)
	if c.bad || offset+length > uint64(len(k.b)) {
		return nil, errJSON
	}
	return k.b[offset : offset+length], nil
}

// value returns the kind and the bytes of value i. Small ones stand in the entry itself.
func (k *jsonContainer) value(i int) (kind byte, b []byte, err error) {
	at := 2*k.width + i*k.valueWidth()
	if k.object {
		at += k.count * k.keyWidth()
	}
	entry := k.b[at : at+k.valueWidth()]
	switch kind = entry[0]; {
	case kind == jsonLiteral, kind == jsonInt16, kind == jsonUint16,
		k.width == 4 && (kind == jsonInt32 || kind == jsonUint32):
		return kind, entry[1:], nil
	}
	c := cursor{data: entry[1:]}
	offset := c.uint(k.width)
	if offset < uint64(k.entries()) || offset >= uint64(len(k.b)) {
		return kind, nil, errJSON
	}
	return kind, k.b[offset:], nil
}

func appendJSONContainer(dst []byte, kind byte, b []byte, depth int) ([]byte, error) {
	if depth >= maxJSONDepth {
		return dst, errors.New("document is nested too deep")
	}
	k, err := openJSONContainer(kind, b)
	if err != nil {
		return dst, err
	}
	opening, closing := byte('['), byte(']')
	if k.object {
		opening, closing = '{', '}'
	}
	dst = append(dst, opening)
	for i := range k.count {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if dst, err = k.appendEntry(dst, i, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, closing), nil
}

func (k *jsonContainer) appendEntry(dst []byte, i, depth int) ([]byte, error) {
	if k.object {
		key, err := k.key(i)
		if err != nil {
			return dst, err
		}
		dst = append(appendJSONString(dst, key), ": "...)
	}
	kind, b, err := k.value(i)
	if err != nil {
		return dst, err
	}
	return appendJSONValue(dst, kind, b, depth+1)
}

// jsonLengthAnd returns the bytes after a length of seven bits a byte.
func jsonLengthAnd(b []byte) ([]byte, error) {
	n := uint64(0)
	for i := 0; i < len(b) && i < 5; i++ {
		n |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			if n > uint64(len(b)-i-1) {
				return nil, errJSON
			}
			return b[i+1 : i+1+int(n)], nil
		}
	}
	return nil, errJSON
}

const lowerHex = "0123456789abcdef"

// appendJSONString quotes as the server does: short escapes where there are any, everything from U+0020
// on as it is.
func appendJSONString(dst, text []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, b := range text {
		if b >= ' ' && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, text[from:i]...)
		dst = appendJSONEscape(dst, b)
		from = i + 1
	}
	return append(append(dst, text[from:]...), '"')
}

func appendJSONEscape(dst []byte, b byte) []byte {
	switch {
	case b == '"' || b == '\\':
		return append(dst, '\\', b)
	case b >= '\b' && b <= '\r' && b != '\v':
		return append(dst, '\\', "btn_fr"[b-'\b'])
	}
	return append(dst, '\\', 'u', '0', '0', lowerHex[b>>4], lowerHex[b&15])
}

// appendJSONDouble prints the shortest digits that give the same number, and always with a mark that it is no integer. It has
// an exponent where the point would be more than 15 digits away, unless digits follow the point.
func appendJSONDouble(dst []byte, f float64) []byte {
	var buf [32]byte
	short := strconv.AppendFloat(buf[:0], f, 'e', -1, 64) // d.ddde±xx
	mantissa, exponent, ok := bytes.Cut(short, []byte("e"))
	if !ok {
		return append(dst, "null"...) // not a number, which the server doesn't store
	}
	exp, _ := strconv.Atoi(string(exponent))
	_, behind, _ := bytes.Cut(mantissa, []byte("."))
	fraction := len(behind) > exp
	if exp < -15 || exp >= 15 && !fraction {
		return strconv.AppendInt(append(append(dst, mantissa...), 'e'), int64(exp), 10)
	}
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if !fraction {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendJSONOpaque prints a value of a column type that JSON has no word for.
func appendJSONOpaque(dst, b []byte) ([]byte, error) {
	if len(b) == 0 {
		return dst, errJSON
	}
	kind := b[0]
	raw, err := jsonLengthAnd(b[1:])
	if err != nil {
		return dst, err
	}
	switch kind {
	case typeNewDecimal:
		return appendJSONDecimal(dst, raw)
	case typeDate, typeDatetime, typeTimestamp, typeTime:
		if len(raw) != 8 {
			return dst, errJSON
		}
		return appendJSONTemporal(dst, kind, int64(binary.LittleEndian.Uint64(raw))), nil
	}
	return appendJSONBase64(dst, kind, raw), nil
}

func appendJSONDecimal(dst, raw []byte) ([]byte, error) {
	if len(raw) < 2 {
		return dst, errJSON
	}
	precision, scale := int(raw[0]), int(raw[1])
	if scale > precision || precision == 0 || len(raw) != 2+decimalSize(precision-scale)+decimalSize(scale) || len(raw) > 64 {
		return dst, errJSON
	}
	return appendDecimal(dst, raw[2:], precision, scale), nil
}

func appendJSONTemporal(dst []byte, kind byte, packed int64) []byte {
	dst = append(dst, '"')
	if kind == typeTime && packed < 0 {
		dst, packed = append(dst, '-'), -packed
	}
	whole, micros := packed>>24, int(packed&0xffffff)
	switch kind {
	case typeDate:
		month := int(whole >> 22 & 0x1ffff)
		dst = appendDate(dst, month/13, month%13, int(whole>>17&31))
	case typeTime:
		dst = appendFraction(appendPackedTime(dst, whole), micros, 6)
	default:
		dst = appendFraction(appendPackedDatetime(dst, uint64(whole)), micros, 6)
	}
	return append(dst, '"')
}

// appendJSONBase64 breaks the line after 76 characters, as the server does.
func appendJSONBase64(dst []byte, kind byte, raw []byte) []byte {
	dst = append(dst, `"base64:type`...)
	dst = append(strconv.AppendUint(dst, uint64(kind), 10), ':')
	const line = 57
	for len(raw) > line {
		dst = append(base64.StdEncoding.AppendEncode(dst, raw[:line]), `\n`...)
		raw = raw[line:]
	}
	return append(base64.StdEncoding.AppendEncode(dst, raw), '"')
}
