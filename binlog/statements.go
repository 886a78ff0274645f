package binlog

import (
	"bytes"
	"fmt"
	"strings"
)

// queryPeek is how much of a statement is looked at: enough for its verb and, in all that people write,
// for the name of the table.
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
	if int(h.size) <= len(b)+eventHeader+checksumSize { // read whole, so that it is verified before it counts
		if b, err = e.all(queryPeek); err != nil {
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
	words := firstWords(q.text)
	switch {
	case strings.HasPrefix(words, "SAVEPOINT"), strings.HasPrefix(words, "ROLLBACK TO"), strings.HasPrefix(words, "RELEASE"), strings.HasPrefix(words, "XA END"):
		return nil
	case strings.HasPrefix(words, "XA START"), strings.HasPrefix(words, "XA BEGIN"):
		a.tx.xa, a.tx.began = true, true
		return nil
	case a.tx.began || writes(words):
		return a.statement(q, words)
	}
	return a.definition(q)
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
func (a *assembler) statement(q logged, words string) error {
	for _, harmless := range []string{"CREATE", "DROP", "TRUNCATE", "ALTER", "SET", "#"} {
		if strings.HasPrefix(words, harmless) {
			return nil
		}
	}
	if !a.mayConcern(q) || a.tx.skip {
		return nil
	}
	return environment("mysql.statement_format", "run SET GLOBAL binlog_format=ROW, and let no session set another; to pass this transaction by, accept the gap with outferry offsets set",
		"read transaction %s at %s: a statement in schema %q was logged as text, so its rows are unknown", a.tx.head.gtid, a.tx.start, q.schema)
}

// definition takes a statement that is a transaction of its own. Where it names one of our tables the
// catalog is asked whether the table is still what it must be.
func (a *assembler) definition(q logged) error {
	named := a.names(q.text)
	if bytes.HasSuffix(q.text, []byte("START TRANSACTION")) { // CREATE TABLE ... SELECT: its rows follow
		a.tx.began = true
	} else if a.tx.open {
		if err := a.commit(); err != nil {
			return err
		}
	}
	if !named {
		return nil
	}
	a.forget()
	return a.altered(firstWords(q.text))
}

// mayConcern is true where a statement may have written to our tables, by itself or through a trigger.
func (a *assembler) mayConcern(q logged) bool {
	for name := range a.ours {
		schema, _, _ := strings.Cut(name, ".")
		if strings.EqualFold(string(q.schema), schema) {
			return true
		}
	}
	return a.names(q.text)
}

// names reports whether a statement has the name of one of our tables in it, as a part of another word
// perhaps.
func (a *assembler) names(text []byte) bool {
	lower := bytes.ToLower(text)
	for name := range a.ours {
		_, table, _ := strings.Cut(name, ".")
		if bytes.Contains(lower, []byte(strings.ToLower(table))) {
			return true
		}
	}
	return false
}

// writes reports whether a statement changes data, by its verb.
func writes(words string) bool {
	verb, _, _ := strings.Cut(words, " ")
	switch verb {
	case "INSERT", "REPLACE", "UPDATE", "DELETE", "LOAD", "CALL", "WITH":
		return true
	}
	return false
}

// firstWords returns the beginning of a statement in upper case, without the comments before it.
func firstWords(text []byte) string {
	for {
		text = bytes.TrimLeft(text, " \t\r\n;")
		if !bytes.HasPrefix(text, []byte("/*")) || bytes.HasPrefix(text, []byte("/*!")) {
			break
		}
		_, rest, ok := bytes.Cut(text, []byte("*/"))
		if !ok {
			return ""
		}
		text = rest
	}
	const enough = 24
	return strings.ToUpper(string(bytes.TrimRight(text[:min(len(text), enough)], " \t\r\n;")))
}
