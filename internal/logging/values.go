package logging

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"
)

// pairs returns args with every key in snake_case and every value in a form that hclog writes
// safely. hclog by itself breaks lines at a line break and leaves backslashes alone, so that a value
// could end its own quotes.
func pairs(args []any, json bool) []any {
	out := make([]any, 0, len(args)+1)
	for i := 0; i+1 < len(args); i += 2 {
		out = append(out, key(args[i]), value(args[i+1], json))
	}
	if len(args)%2 == 1 {
		out = append(out, "unpaired", value(args[len(args)-1], json))
	}
	return out
}

// value leaves numbers and truths to hclog, and turns all else into text. A type that hides itself,
// as a secret does, is asked by fmt and stays hidden.
func value(v any, json bool) any {
	switch v := v.(type) {
	case nil:
		return text("none", json)
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return number(v)
	case string:
		return text(v, json)
	case []byte:
		return text(fmt.Sprintf("%d bytes", len(v)), json)
	case time.Time:
		return text(v.UTC().Format(timeFormat), json)
	}
	return text(fmt.Sprint(v), json)
}

// number turns floats into text where JSON has no number for them.
func number(v any) any {
	switch f := v.(type) {
	case float32:
		return number(float64(f))
	case float64:
		if f-f != 0 {
			return strconv.FormatFloat(f, 'g', -1, 64)
		}
	}
	return v
}

func text(s string, json bool) any {
	if json || plain(s) {
		return s
	}
	return hclog.Quote(s)
}

// plain reports whether s needs no quotes in a line of key=value pairs.
func plain(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '=' || c == '\\' || c == '\'' {
			return false
		}
	}
	return true
}

// key returns k in snake_case: nodeID and "node id" are node_id.
func key(k any) string {
	s, ok := k.(string)
	if !ok {
		s = fmt.Sprint(k)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !inKey(r) }) < 0 {
		return s
	}
	return snake(s)
}

func inKey(r rune) bool { return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' }

func snake(s string) string {
	var b strings.Builder
	previous := '_'
	for _, r := range s {
		switch {
		case unicode.IsUpper(r) && r < 0x80:
			if previous != '_' && !unicode.IsUpper(previous) {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		case inKey(r):
			b.WriteRune(r)
		default:
			r = '_'
			if previous != '_' {
				b.WriteByte('_')
			}
		}
		previous = r
	}
	if out := strings.Trim(b.String(), "_"); out != "" {
		return out
	}
	return "unnamed"
}

// unquoted is Go's quoted form of s without the quotes.
func unquoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}
