package binlog

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// queryPeek is how much of a statement is looked at: enough for its verb and, in all that people write,
// for the name of the table. Of a longer one nothing is taken for granted.
const queryPeek = 64 << 10

// queryEvent takes a statement, or one of the words that begin and end a transaction.
func (a *assembler) queryEvent(h header, e body) error {
	q, err := a.readQuery(h, e)
	if err != nil {
		return err
	}
	return a.query(q)
}

func (a *assembler) readQuery(h header, e body) (logged, error) {
	b, err := e.peek(queryPeek)
	if err != nil {
		return logged{}, err
	}
	whole := int(h.size) <= len(b)+eventHeader+checksumSize
	if whole || h.kind == evMariaQueryZ { // so that it is verified before it counts; and of a packed one no piece can be read
		if b, err = e.all(a.maxEvent); err != nil {
			return logged{}, err
		}
	}
	extra := 0
	if h.kind == evExecLoadQuery {
		extra = 13
	}
	q, err := decodeQuery(b, extra)
	if err != nil {
		return q, fmt.Errorf("read QUERY event: %w", err)
	}
	if h.kind == evMariaQueryZ {
		if q.text, err = a.inflater.inflate(q.text, false, queryPeek<<10); err != nil {
			return q, fmt.Errorf("read compressed QUERY event: %w", err)
		}
	}
	q.cut = !whole && h.kind != evMariaQueryZ
	return q, nil
}

// query never parses a statement: it looks at the first words, and for the names of our tables.
func (a *assembler) query(q logged) error {
	switch string(q.text) {
	case "BEGIN":
		return a.beginStatement()
	case "COMMIT":
		return a.commit()
	case "ROLLBACK":
		return a.rollback()
	}
	words := firstWords(q)
	switch {
	case words == "": // some servers put a comment in place of an event that they keep from us
		return nil
	case strings.HasPrefix(words, "XA START"), strings.HasPrefix(words, "XA BEGIN"):
		a.tx.xa, a.tx.began = true, true
		return nil
	case verb(words) == "SAVEPOINT":
		return a.savepoint(q)
	case verb(words) == "ROLLBACK":
		return a.rollbackTo(q)
	case a.tx.began && !harmless(words), writes(words), a.tx.head.gtid.maria && selects(q, words):
		return a.statement(words)
	}
	if a.tx.began { // MariaDB's CREATE TABLE ... SELECT
		return a.changed(q, words)
	}
	return a.definition(q, words)
}

// beginStatement: servers that number nothing may log no GTID event at all.
func (a *assembler) beginStatement() error {
	if !a.tx.open {
		if err := a.open(group{}, a.done); err != nil {
			return err
		}
	}
	a.tx.began = true
	return nil
}

// statement takes a statement inside a transaction: data was changed, and the log doesn't say which rows.
// Nor which tables: a trigger, a function or a foreign key writes to others than the text names, in any
// schema, and an account with the least rights can't see them.
func (a *assembler) statement(words string) error {
	if a.tx.skip {
		return nil
	}
	return lost("mysql.statement_format", "run SET GLOBAL binlog_format=ROW, and let no session set another",
		"read transaction %s at %s: a statement (%s) was logged as text, so the rows that it changed, itself or through triggers and functions, are unknown", a.tx.head.gtid, a.tx.start, verb(words))
}

// harmless reports whether a statement writes no rows by itself: marks inside a transaction, and
// definitions, which run no triggers. What isn't known to be harmless is not: SET STATEMENT ... FOR INSERT
// begins with SET.
func harmless(words string) bool {
	switch verb(words) {
	case "CREATE", "DROP", "TRUNCATE", "ALTER", "RELEASE", "XA":
		return true
	}
	return false
}

// definition takes a statement that is a transaction of its own.
func (a *assembler) definition(q logged, words string) error {
	if err := a.changed(q, words); err != nil {
		return err
	}
	if bytes.HasSuffix(q.text, []byte("START TRANSACTION")) { // CREATE TABLE ... SELECT: its rows follow
		a.tx.began = true
		return nil
	}
	if a.tx.open {
		return a.commit()
	}
	return nil
}

// changed asks the catalog, where a statement may name one of our tables, whether the table is still what it must be,
// and what its columns are. The statement is processed only then: a position behind it has the layout behind it.
func (a *assembler) changed(q logged, words string) error {
	if a.tx.skip || !a.concerns(q) {
		return nil
	}
	a.forget()
	statement := fmt.Sprintf("%s at %s", verb(words), a.here)
	if a.brought != nil && a.brings(q, words) {
		a.brought(statement)
	}
	if err := a.altered(statement); err != nil {
		return err
	}
	s := a.shaper
	if s.layouts == nil || s.certain.file != "" && !s.certain.before(a.here) || !a.mayReshape(q) {
		return nil
	}
	return a.reshaped()
}

// concerns reports whether a statement may be about one of our tables, or all of their schema.
func (a *assembler) concerns(q logged) bool {
	return !a.tx.head.idle && (q.cut || (dropsSchema.Match(q.text) || a.names(q.text)) && a.reaches(q))
}

// dropsSchema is for MariaDB's CREATE OR REPLACE DATABASE too.
var dropsSchema = regexp.MustCompile(`(?is)\b(?:DROP|REPLACE)\b.*\b(?:DATABASE|SCHEMA)\b`)

// names reports whether a statement has the name of one of our tables in it, whatever it means there. Letters before
// or behind would make it another name; digits before it may be those of a comment that is code.
func (a *assembler) names(text []byte) bool {
	lower := bytes.ToLower(text)
	for name := range a.ours {
		if _, table, _ := strings.Cut(name, "."); mentions(lower, table) {
			return true
		}
	}
	return false
}

// mentions reports whether a name stands in a text in lower case, or may.
func mentions(lower []byte, name string) bool {
	name = strings.ToLower(name)
	if escapes(name) {
		return true
	}
	for rest := lower; ; {
		i := bytes.Index(rest, []byte(name))
		if i < 0 {
			return false
		}
		end := i + len(name)
		if (i == 0 || !partOfName(rest[i-1]) || isDigit(rest[i-1])) && (end == len(rest) || !partOfName(rest[end])) {
			return true
		}
		rest = rest[i+1:]
	}
}

// escapes reports whether a name may stand in a statement in another form: in who knows what character set, or with the
// quote in it doubled.
func escapes(name string) bool {
	return strings.ContainsFunc(name, func(r rune) bool { return r > '~' || r == '`' || r == '"' })
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

func partOfName(b byte) bool { return b == '_' || b == '$' || 'a' <= b && b <= 'z' || isDigit(b) }

// writes reports whether a statement changes data, by its verb.
func writes(words string) bool {
	switch verb(words) {
	case "INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "CALL", "WITH", "SELECT", "DO":
		return true
	}
	return false
}

// selects reports whether a CREATE TABLE has a query in it, whose functions may write where they like on
// MariaDB. In row format it has none: the table stands there as it became, and its rows follow.
func selects(q logged, words string) bool {
	switch verb(words) {
	case "CREATE", "SET", unreadable:
		return slices.ContainsFunc(q.readings(), func(t tokens) bool { return t.makesByQuery(q.cut) })
	}
	return false
}

// makesByQuery: a view, a procedure and the like only hold their queries. Of a statement that is cut off nobody can tell.
func (t tokens) makesByQuery(cut bool) bool {
	if t.begins("SET") {
		i := t.setFor(cut)
		if i < 0 {
			return cut
		}
		t = t[i:]
	}
	return t.makesTable(cut) && (cut || hasQuery.MatchString(t.plain()))
}

// setFor is where the statement of a SET STATEMENT may begin, if it makes a table: a value before it may have a FOR too.
func (t tokens) setFor(cut bool) int {
	for i := 1; i < len(t); i++ {
		if t[i-1:].begins("FOR") && t[i:].makesTable(cut) {
			return i
		}
	}
	return -1
}

func (t tokens) makesTable(cut bool) bool {
	if len(t) == 0 {
		return cut
	}
	if !t.begins("CREATE") {
		return false
	}
	t = t[1:].past("OR").past("REPLACE").past("TEMPORARY")
	return t.begins("TABLE") || len(t) == 0 && cut
}

// hasQuery: a number may stand right before a word.
var hasQuery = regexp.MustCompile(`\b(?:[0-9]\w*)?SELECT\b|\bVALUES \(`)

// definesCode is a statement that holds a query, or statements, for later.
var definesCode = regexp.MustCompile(`(?i)^[\s;]*CREATE\s+(OR\s+REPLACE\s+)?(VIEW|TRIGGER|PROCEDURE|FUNCTION|AGGREGATE|EVENT|PACKAGE|DEFINER|ALGORITHM|SQL)\b`)

// unreadable stands for the verb of a statement where nobody can tell it: comments that don't end, code in
// comments.
const unreadable = "?"

// verb is the kind of a statement. It has letters only: names and values of people are in what follows.
func verb(words string) string {
	end := strings.IndexFunc(words, func(r rune) bool { return r < 'A' || r > 'Z' })
	switch {
	case end == 0:
		return unreadable
	case end > 0:
		return words[:end]
	}
	return words
}

// firstWords returns the beginning of a statement in upper case, without the comments before it. Nothing
// is left of a statement that is all comment.
func firstWords(q logged) string {
	text := bytes.TrimLeft(q.text, blanks)
	for end := commentEnd(text); end != ""; end = commentEnd(text) {
		_, rest, ended := bytes.Cut(text, []byte(end))
		if !ended && (q.cut || end == "*/") {
			return unreadable
		}
		text = bytes.TrimLeft(rest, blanks)
	}
	const enough = 24
	return strings.ToUpper(string(bytes.TrimRight(text[:min(len(text), enough)], blanks)))
}

const blanks = " \t\r\n\f\v;"

// commentEnd returns what ends the comment that text begins with, if it does. What is in /*! and /*M! is
// code for some servers.
func commentEnd(text []byte) string {
	switch {
	case bytes.HasPrefix(text, []byte("#")), bytes.Equal(text, []byte("--")):
		return "\n"
	case bytes.HasPrefix(text, []byte("--")) && text[2] <= ' ':
		return "\n"
	case bytes.HasPrefix(text, []byte("/*!")), bytes.HasPrefix(text, []byte("/*M!")):
		return ""
	case bytes.HasPrefix(text, []byte("/*")):
		return "*/"
	}
	return ""
}
