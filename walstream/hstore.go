package walstream

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"outferry/outbox"
)

var errHStore = errors.New("hstore value is not in the form that the server writes")

// isHStore reports whether a column is of the extension's type, which has no number of its own and may be in any schema.
func isHStore(c *outbox.Column) bool {
	return c.Kind == outbox.Text && (c.TypeName == "hstore" || strings.HasSuffix(c.TypeName, ".hstore"))
}

type pair struct {
	key, value []byte // a nil value is NULL
	hash       uint32
}

// hstoreJSON writes "a"=>"1", "b"=>NULL as {"a":"1","b":null}. The pairs are in the order of Java's HashMap, through which
// Debezium takes them, so that the same value makes the same bytes.
func hstoreJSON(v []byte) ([]byte, error) {
	pairs, err := pairsOf(v)
	if err != nil {
		return nil, err
	}
	buckets := uint32(16)
	for 4*len(pairs) > 3*int(buckets) {
		buckets *= 2
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.hash&(buckets-1), b.hash&(buckets-1)) })
	out := append(make([]byte, 0, len(v)+2), '{')
	for i, p := range pairs {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendQuoted(out, p.key), ':')
		if p.value == nil {
			out = append(out, "null"...)
		} else {
			out = appendQuoted(out, p.value)
		}
	}
	return append(out, '}'), nil
}

func pairsOf(v []byte) ([]pair, error) {
	var pairs []pair
	for len(v) > 0 {
		var p pair
		var ok bool
		if len(pairs) > 0 {
			if v, ok = bytes.CutPrefix(v, []byte(", ")); !ok {
				return nil, errHStore
			}
		}
		if p.key, v, ok = quotedText(v); !ok {
			return nil, errHStore
		}
		if v, ok = bytes.CutPrefix(v, []byte("=>")); !ok {
			return nil, errHStore
		}
		if rest, null := bytes.CutPrefix(v, []byte("NULL")); null {
			v = rest
		} else if p.value, v, ok = quotedText(v); !ok {
			return nil, errHStore
		}
		p.hash = javaHash(p.key)
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// quotedText takes off a text in quotes, in which a backslash stands before each quote and backslash. It's never nil.
func quotedText(v []byte) (text, rest []byte, ok bool) {
	if len(v) == 0 || v[0] != '"' {
		return nil, nil, false
	}
	text = []byte{}
	for i := 1; i < len(v); i++ {
		switch {
		case v[i] == '"':
			return text, v[i+1:], true
		case v[i] == '\\':
			if i++; i == len(v) {
				return nil, nil, false
			}
		}
		text = append(text, v[i])
	}
	return nil, nil, false
}

// appendQuoted escapes what Jackson does where it writes characters and not bytes.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, b := range text {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b >= '\b' && b <= '\r' && b != '\v':
			dst = append(dst, '\\', "btn_fr"[b-'\b'])
		case b < ' ':
			dst = fmt.Appendf(dst, `\u%04X`, b)
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}

// javaHash is what HashMap makes of String.hashCode.
func javaHash(text []byte) uint32 {
	var h uint32
	for _, unit := range utf16.Encode([]rune(string(text))) {
		h = 31*h + uint32(unit)
	}
	return h ^ h>>16
}
