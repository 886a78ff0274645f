package binlog

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// brings reports whether a statement may put rows under the name of a table of ours that were not inserted into it: those of
// a file, of another table as a partition, or of a table that gets the name. Of a statement that is cut off nobody can tell.
func (a *assembler) brings(q logged, words string) bool {
	switch verb(words) {
	case "ALTER", "RENAME", "SET", unreadable:
	default:
		return false
	}
	if q.cut || a.bringsBy(tokensOf(q.text, false), string(q.schema)) {
		return true
	}
	return bytes.Contains(q.text, []byte(`\`)) && a.bringsBy(tokensOf(q.text, true), string(q.schema)) // where a string ends depends on the session
}

// bringsBy: tools for online changes swap two names in one statement, and have copied the rows.
func (a *assembler) bringsBy(t tokens, schema string) bool {
	if fills.MatchString(t.plain()) {
		return true
	}
	renames, freed := t.renames(schema)
	return slices.ContainsFunc(renames, func(r rename) bool {
		return a.mayBeOurs(r.to) && !a.isOurs([]byte(r.from.schema), []byte(r.from.name)) && !slices.Contains(freed, r.to)
	})
}

var fills = regexp.MustCompile(`\bIMPORT\b.*\bTABLESPACE\b|\bEXCHANGE PARTITION\b|\bCONVERT TABLE\b`)

// mayBeOurs goes by what is alike: the case of names depends on the server, and beyond ASCII they are in the session's character set.
func (a *assembler) mayBeOurs(t tableName) bool {
	alike := func(a, b string) bool { return strings.EqualFold(a, b) || escapes(a) && escapes(b) }
	for name := range a.ours {
		if schema, table, _ := strings.Cut(name, "."); alike(t.schema, schema) && alike(t.name, table) {
			return true
		}
	}
	return false
}

// rename is a table that gets another name.
type rename struct{ from, to tableName }

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

// renames returns which tables get which names, and which names are free after it for sure.
func (t tokens) renames(schema string) (all []rename, freed []tableName) {
	var altered tableName
	alters := false
	for i := range t {
		next := t[i+1:]
		switch {
		case t[i:].begins("ALTER"):
			alters = true
		case t[i:].begins("TABLE") && altered.name == "":
			altered, _ = next.past("IF").past("EXISTS").table(schema)
		case t[i:].begins("RENAME") && next.begins("TABLE", "TABLES"):
			pairs := next[1:].pairs(schema)
			all = append(all, pairs...)
			for _, r := range pairs {
				if !next[1:].begins("IF") {
					freed = append(freed, r.from)
				}
			}
		case t[i:].begins("RENAME") && alters && !next.begins("COLUMN", "INDEX", "KEY"):
			to, _ := next.past("TO", "AS", "=").table(schema)
			all = append(all, rename{altered, to})
		}
	}
	return all, freed
}

// pairs reads what follows RENAME TABLE.
func (t tokens) pairs(schema string) (all []rename) {
	for t = t.past("IF").past("EXISTS"); ; t = t.past(",") {
		var r rename
		r.from, t = t.table(schema)
		for len(t) > 0 && !t.begins("TO", ",") { // WAIT n, NOWAIT
			t = t[1:]
		}
		r.to, t = t.past("TO").table(schema)
		if all = append(all, r); !t.begins(",") {
			return all
		}
	}
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

// table reads a name, with its schema or in the session's.
func (t tokens) table(schema string) (tableName, tokens) {
	t = t.past(".")
	if len(t) == 0 {
		return tableName{}, nil
	}
	if t[1:].begins(".") && len(t) > 2 {
		return tableName{schema: t[0].text, name: t[2].text}, t[3:]
	}
	return tableName{schema: schema, name: t[0].text}, t[1:]
}
