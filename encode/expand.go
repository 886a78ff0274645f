package encode

import (
	"bytes"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Expander turns JSON text into JSON: the same members in the same order without blanks, strings in
// Jackson's escapes, numbers digit for digit as they were written. Members that are null or an empty
// array are left out unless they are to be kept; inside arrays both stay. An Expander is for one
// goroutine, and what Typed returns lives until its next use.
type Expander struct {
	keepNulls  bool
	keepEmpty  bool
	source     bytes.Buffer
	dec        jsontext.Decoder
	opts       []jsontext.Options
	schemaText []byte
	valueText  []byte
}

// NewExpander returns an expander that keeps null members and members with empty arrays as told.
func NewExpander(keepNulls, keepEmptyArrays bool) *Expander {
	return &Expander{
		keepNulls: keepNulls,
		keepEmpty: keepEmptyArrays,
		// Duplicate names are text that we keep; surrogates without a partner too, and bytes that
		// aren't UTF-8 are refused where strings are copied.
		opts: []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)},
	}
}

// Append appends text expanded, or reports false where text isn't an object or array of valid JSON
// and nothing else. As for Debezium, a blank in front makes it a text.
func (x *Expander) Append(dst, text []byte) ([]byte, bool) {
	if !looksExpandable(text) {
		return dst, false
	}
	start := len(dst)
	x.reset(text)
	defer x.release(text)
	member := start // where the member began whose value comes next
	for {
		kind := x.dec.PeekKind()
		inObject, wantsName := x.place()
		var ok bool
		switch {
		case inObject && wantsName && kind == '"':
			member = len(dst)
			dst, ok = x.appendName(dst)
		case inObject && kind == 'n' && !x.keepNulls:
			dst, ok = dst[:member], x.dec.SkipValue() == nil
		case kind == '[':
			dst, ok = x.openArray(dst, member, inObject)
		case kind == '{' || kind == '}' || kind == ']':
			dst, ok = x.appendBracket(dst, byte(kind))
		default:
			dst, ok = x.appendScalar(dst)
		}
		if !ok {
			return dst[:start], false
		}
		if x.dec.StackDepth() == 0 {
			return x.finish(dst, start)
		}
	}
}

func looksExpandable(text []byte) bool { return len(text) > 1 && (text[0] == '{' || text[0] == '[') }

func (x *Expander) reset(text []byte) {
	x.source = *bytes.NewBuffer(text)
	x.dec.Reset(&x.source, x.opts...)
}

// release keeps a very large row from outliving its batch inside the decoder.
func (x *Expander) release(text []byte) {
	if len(text) > 1<<20 {
		x.reset(nil)
	}
}

// place tells whether the next token stands in an object, and if so whether it is a name.
func (x *Expander) place() (inObject, wantsName bool) {
	kind, length := x.dec.StackIndex(x.dec.StackDepth())
	return kind == '{', length%2 == 0
}

// finish refuses what follows the document: Debezium drops it in silence.
func (x *Expander) finish(dst []byte, start int) ([]byte, bool) {
	if _, err := x.dec.ReadToken(); err != io.EOF {
		return dst[:start], false
	}
	return dst, true
}

// comma appends the comma that the next item needs. A bracket or colon can only be the last byte
// where the item is the first: strings end in a quote.
func comma(dst []byte) []byte {
	switch dst[len(dst)-1] {
	case '{', '[', ':':
		return dst
	}
	return append(dst, ',')
}

func (x *Expander) appendName(dst []byte) ([]byte, bool) {
	raw, err := x.dec.ReadValue()
	if err != nil {
		return dst, false
	}
	dst, ok := appendRequoted(comma(dst), raw)
	return append(dst, ':'), ok
}

// openArray starts an array, or takes the member back that holds an empty one.
func (x *Expander) openArray(dst []byte, member int, inObject bool) ([]byte, bool) {
	top := x.dec.StackDepth() == 0
	if _, err := x.dec.ReadToken(); err != nil {
		return dst, false
	}
	if inObject && !x.keepEmpty && x.dec.PeekKind() == ']' {
		_, err := x.dec.ReadToken()
		return dst[:member], err == nil
	}
	if !top {
		dst = comma(dst)
	}
	return append(dst, '['), true
}

func (x *Expander) appendBracket(dst []byte, kind byte) ([]byte, bool) {
	top := x.dec.StackDepth() == 0
	if _, err := x.dec.ReadToken(); err != nil {
		return dst, false
	}
	if kind == '{' && !top {
		dst = comma(dst)
	}
	return append(dst, kind), true
}

func (x *Expander) appendScalar(dst []byte) ([]byte, bool) {
	raw, err := x.dec.ReadValue()
	if err != nil {
		return dst, false
	}
	dst = comma(dst)
	if raw[0] == '"' {
		return appendRequoted(dst, raw)
	}
	return append(dst, raw...), true
}

// appendRequoted appends a JSON string in Jackson's escapes. Most need no change.
func appendRequoted(dst, raw []byte) ([]byte, bool) {
	if isVerbatim(raw[1 : len(raw)-1]) {
		return append(dst, raw...), true
	}
	if !utf8.Valid(raw) {
		return dst, false
	}
	dst = append(dst, '"')
	for s := raw[1 : len(raw)-1]; len(s) > 0; {
		r, n := utf8.DecodeRune(s)
		if r != '\\' {
			dst = appendRune(dst, r)
		} else {
			dst, n = appendEscape(dst, s)
		}
		s = s[n:]
	}
	return append(dst, '"'), true
}

// isVerbatim reports whether a string's inside is ASCII without escapes, so that it is copied as it is.
func isVerbatim(s []byte) bool {
	for _, b := range s {
		if b == '\\' || b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// appendEscape appends what the escape at the start of s stands for. A surrogate stays an escape,
// whether it has a partner or not. The decoder has already checked the syntax.
func appendEscape(dst, s []byte) ([]byte, int) {
	switch s[1] {
	case 'u':
		u := hexUnit(s[2:6])
		if u >= 0xD800 && u <= 0xDFFF {
			return appendUnit(dst, u), 6
		}
		return appendRune(dst, u), 6
	case '/':
		return append(dst, '/'), 2
	}
	return append(dst, s[:2]...), 2
}

func hexUnit(digits []byte) (u rune) {
	for _, b := range digits {
		switch {
		case b <= '9':
			b -= '0'
		default:
			b = b&^0x20 - 'A' + 10
		}
		u = u<<4 | rune(b)
	}
	return u
}
