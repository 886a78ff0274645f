package encode

import (
	"bytes"
	"cmp"
	"encoding/hex"

	"outferry/outbox"
)

// listStyle is how a converter writes a list.
type listStyle uint8

const (
	listText   listStyle = iota // java.util.List.toString
	headerText                  // SimpleHeaderConverter
	listJSON                    // JsonConverter
)

// arrayReader goes through the server's array text: {a,"b c",NULL,{nested}}.
type arrayReader struct {
	text  []byte
	comma byte // what stands between elements; nothing else is quoted for holding it
	elem  outbox.Column
	style listStyle
	room  []byte // for elements without their quotes and escapes; never nil, as an empty one is no NULL
}

// maxArrayDepth is PostgreSQL's own limit for dimensions, with some room.
const maxArrayDepth = 16

func appendArray(dst []byte, c *outbox.Column, v []byte, style listStyle) ([]byte, error) {
	r := arrayReader{text: skipBounds(v), comma: cmp.Or(c.Delimiter, ','), style: style, room: []byte{}, elem: outbox.Column{
		Kind: c.Elem, Length: c.Length, Precision: c.Precision, Scale: c.Scale, Labels: c.Labels,
	}}
	dst, err := r.list(dst, 0)
	if err == nil && len(r.text) != 0 {
		err = ErrInvalid
	}
	return dst, err
}

// skipBounds drops the [2:4]= in front of an array that doesn't start at one.
func skipBounds(v []byte) []byte {
	if len(v) > 0 && v[0] == '[' {
		if i := bytes.IndexByte(v, '='); i > 0 {
			return v[i+1:]
		}
	}
	return v
}

// isNested reports whether an array has more than one dimension.
func isNested(v []byte) bool {
	v = skipBounds(v)
	return len(v) > 1 && v[0] == '{' && v[1] == '{'
}

// list reads one brace pair.
func (r *arrayReader) list(dst []byte, depth int) ([]byte, error) {
	if !r.take('{') || depth > maxArrayDepth {
		return dst, ErrInvalid
	}
	dst = append(dst, '[')
	for first := true; !r.take('}'); first = false {
		if !first {
			if !r.take(r.comma) {
				return dst, ErrInvalid
			}
			dst = r.appendComma(dst)
		}
		var err error
		if dst, err = r.item(dst, depth); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (r *arrayReader) appendComma(dst []byte) []byte {
	if r.style == listText {
		return append(dst, ", "...)
	}
	return append(dst, ',')
}

func (r *arrayReader) take(b byte) bool {
	if len(r.text) == 0 || r.text[0] != b {
		return false
	}
	r.text = r.text[1:]
	return true
}

func (r *arrayReader) item(dst []byte, depth int) ([]byte, error) {
	if len(r.text) > 0 && r.text[0] == '{' {
		return r.list(dst, depth+1)
	}
	value, quoted, ok := r.scan()
	switch {
	case !ok:
		return dst, ErrInvalid
	case !quoted && string(value) == "NULL":
		return append(dst, "null"...), nil
	}
	return r.appendElement(dst, value)
}

// scan takes the next element's text off, without its quotes and escapes.
func (r *arrayReader) scan() (value []byte, quoted, ok bool) {
	quoted = r.take('"')
	r.room = r.room[:0]
	for i := 0; i < len(r.text); i++ {
		switch b := r.text[i]; {
		case b == '\\' && i+1 < len(r.text):
			i++
			r.room = append(r.room, r.text[i])
		case quoted && b == '"':
			r.text = r.text[i+1:]
			return r.room, true, true
		case !quoted && (b == r.comma || b == '}'):
			r.text = r.text[i:]
			return r.room, false, i > 0
		default:
			r.room = append(r.room, b)
		}
	}
	return nil, quoted, false
}

// appendElement writes one element, whose text inside an array is the server's and not yet a kind's.
func (r *arrayReader) appendElement(dst, v []byte) ([]byte, error) {
	v, err := r.normal(v)
	if err != nil {
		return dst, err
	}
	switch {
	case r.style == listJSON:
		return AppendJSON(dst, &r.elem, v)
	case r.style == headerText && r.isQuoted():
		return r.appendQuoted(dst, v)
	}
	return AppendText(dst, &r.elem, v)
}

// normal turns PostgreSQL's t and \x00ff into the text of their kinds.
func (r *arrayReader) normal(v []byte) ([]byte, error) {
	switch {
	case r.elem.Kind == outbox.Bool && string(v) == "t":
		return []byte("true"), nil
	case r.elem.Kind == outbox.Bool && string(v) == "f":
		return []byte("false"), nil
	case r.elem.Kind == outbox.Bytes:
		digits, ok := bytes.CutPrefix(v, []byte(`\x`))
		raw, err := hex.AppendDecode([]byte{}, digits)
		return raw, valid(ok && err == nil)
	}
	return v, nil
}

// isQuoted says which elements SimpleHeaderConverter quotes inside a list: texts and bytes.
func (r *arrayReader) isQuoted() bool {
	switch r.elem.Kind {
	case outbox.Bool, outbox.Int16, outbox.Int32, outbox.Int64, outbox.Uint64, outbox.Float32, outbox.Float64,
		outbox.Decimal, outbox.Date, outbox.Time, outbox.Timestamp, outbox.Interval:
		return false
	case outbox.Bits:
		return !isFlag(&r.elem)
	}
	return true
}

// appendQuoted escapes nothing but quotes and backslashes, as that converter does.
func (r *arrayReader) appendQuoted(dst, v []byte) ([]byte, error) {
	text, err := AppendText(nil, &r.elem, v)
	dst = append(dst, '"')
	for _, b := range text {
		if b == '"' || b == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, b)
	}
	return append(dst, '"'), err
}
