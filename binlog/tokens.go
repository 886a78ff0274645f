package binlog

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// token is a word, a name or text in quotes, or a sign.
type token struct {
	text   string
	quoted bool
}

// tokens are those of a statement, without comments. What is in /*! and /*M! is code for some servers.
type tokens []token

func tokensOf(text []byte, backslashes bool) (t tokens) {
	for len(text) > 0 {
		rest := skipBlank(text)
		if len(rest) < len(text) {
			text = rest
			continue
		}
		n := 0
		for n < len(text) && (partOfName(text[n]) || 'A' <= text[n] && text[n] <= 'Z' || text[n] > '~') {
			n++
		}
		switch c := text[0]; {
		case n > 0:
			t = append(t, token{text: string(text[:n])})
		case c == '`', c == '\'', c == '"':
			var s string
			s, n = unquote(text, backslashes && c != '`')
			t = append(t, token{s, true})
		default:
			n = 1
			t = append(t, token{text: string(c)})
		}
		text = text[n:]
	}
	return t
}

var codeMark = regexp.MustCompile(`^(?:/\*M?!\d*|\*/)`)

// skipBlank drops blanks and comments from the beginning of a text.
func skipBlank(text []byte) []byte {
	text = bytes.TrimLeft(text, blanks)
	if end := commentEnd(text); end != "" {
		_, text, _ = bytes.Cut(text, []byte(end))
	}
	return text[len(codeMark.Find(text)):]
}

// unquote returns what is in the quotes at the beginning of a text, and how long it is with them.
func unquote(text []byte, backslashes bool) (s string, size int) {
	var out []byte
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && backslashes && i+1 < len(text), c == text[0] && i+1 < len(text) && text[i+1] == c:
			i++
			out = append(out, text[i])
		case c == text[0]:
			return string(out), i + 1
		default:
			out = append(out, c)
		}
	}
	return string(out), len(text)
}

// readings are a statement's tokens, in each way that it may be meant where the log doesn't tell.
func (q *logged) readings() []tokens {
	if !bytes.Contains(q.text, []byte(`\`)) {
		return []tokens{tokensOf(q.text, false)}
	}
	if escapes, known := backslashEscapes(q.vars); known && !maybeLetter.Match(q.text) {
		return []tokens{tokensOf(q.text, escapes)}
	}
	return []tokens{tokensOf(q.text, false), tokensOf(q.text, true)}
}

// maybeLetter is a backslash that may be the second byte of a letter, as in GBK.
var maybeLetter = regexp.MustCompile(`[^\x00-\x7f]\\`)

// backslashEscapes reports whether a backslash in a string takes what is behind it, which the session's sql_mode says. It
// stands before all other variables but one.
func backslashEscapes(vars []byte) (escapes, known bool) {
	const (
		flags, sqlMode     = 0, 1
		noBackslashEscapes = 1 << 20
	)
	c := cursor{data: vars}
	code := c.byte()
	if code == flags {
		c.take(4)
		code = c.byte()
	}
	mode := c.uint(8)
	return mode&noBackslashEscapes == 0, code == sqlMode && !c.bad
}

// plain is the statement in capitals, with nothing of what is in quotes.
func (t tokens) plain() string {
	var words []string
	for _, k := range t {
		if k.quoted {
			k.text = "?"
		}
		words = append(words, strings.ToUpper(k.text))
	}
	return strings.Join(words, " ")
}

func (t tokens) begins(words ...string) bool {
	return len(t) > 0 && !t[0].quoted && slices.Contains(words, strings.ToUpper(t[0].text))
}

// past is behind one of the words, if it begins so.
func (t tokens) past(words ...string) tokens {
	if t.begins(words...) {
		return t[1:]
	}
	return t
}
