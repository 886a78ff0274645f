package binlog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// layouts is what the catalog adds to the log, by table: as it was at a position, since rows before an ALTER
// can't be read by what the catalog says after it. A map that was handed on is never changed.
type layouts map[string][]catalogColumn

// MarshalJSON keeps a position short: it is written with every batch.
func (c catalogColumn) MarshalJSON() ([]byte, error) {
	return json.Marshal([]string{c.name, c.dataType, c.columnType, c.charset})
}

// UnmarshalJSON reads what MarshalJSON wrote. Whether a column is nullable the log says.
func (c *catalogColumn) UnmarshalJSON(text []byte) error {
	var parts [4]string
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	*c = catalogColumn{name: parts[0], dataType: parts[1], columnType: parts[2], charset: parts[3]}
	return nil
}

func (l layouts) equal(other layouts) bool {
	if len(l) != len(other) {
		return false
	}
	for name, columns := range l {
		if !slices.Equal(columns, other[name]) {
			return false
		}
	}
	return true
}

// of are the layouts of these tables. Older versions stored them under names in lower case, so that of two which differ in
// nothing else one had the other's.
func (l layouts) of(tables []string) layouts {
	out := layouts{}
	for _, t := range tables {
		alike := func(other string) bool { return other != t && strings.EqualFold(other, t) }
		switch found, twin := l[t], slices.IndexFunc(tables, alike); {
		case twin >= 0 && l[tables[twin]] == nil:
		case found != nil:
			out[t] = found
		case twin < 0 && l[strings.ToLower(t)] != nil:
			out[t] = l[strings.ToLower(t)]
		}
	}
	return out
}

// storedLayouts are those of a position, of the tables that the file still names.
func (h *session) storedLayouts(pos *position, ours map[string]bool) layouts {
	tables := pos.Tables
	if tables == nil {
		tables = h.tableNames()
	}
	var then []string
	for _, t := range tables {
		then = append(then, h.srv.key(t))
	}
	out := pos.Layout.of(then)
	maps.DeleteFunc(out, func(t string, _ []catalogColumn) bool { return !ours[t] })
	if len(out) == 0 {
		return nil
	}
	return out
}

// awaitChange waits for a change of a table that is under way: the log may have the statement some time before the catalog shows
// what it did. Only an answer, or that there is no such table, ends the wait. It asks for all columns, since the catalog shows an
// account no others than it may read.
func (h *session) awaitChange(t tableName) error {
	_, err := query(h.cat, "SELECT * FROM "+t.sql()+" LIMIT 0")
	switch code := errorCode(err); {
	case err == nil, code == 1146, code == 1049:
		return nil
	case isDenied(err):
		return environment("mysql.permission", fmt.Sprintf("run as an administrator: GRANT SELECT ON %s TO %s", t.sql(), h.srv.account),
			"account %s may not read all columns of %s: %w", h.srv.account, t, err)
	}
	return transient("mysql.connection", "look at %s, which may be changed at this moment: %w", t, err)
}

// layouts reads the layouts of the file's tables.
func (h *session) layouts() (layouts, error) {
	out := layouts{}
	for _, t := range h.tables(h.srv) {
		if err := h.awaitChange(t); err != nil {
			return nil, err
		}
		columns, err := columnsOf(h.cat, t)
		if err == nil && h.srv.kind == mariaKind {
			columns, err = h.withHidden(t, columns)
		}
		if err != nil {
			return nil, err
		}
		for i := range columns {
			columns[i].nullable = false // so that it equals one that was read from a position
		}
		out[h.srv.key(t.String())] = columns
	}
	return out, nil
}

// withHidden adds the columns that MariaDB makes for unique keys too long for an index, one for each, and puts behind all
// others, in the log too. Its catalog has the keys only.
func (h *session) withHidden(t tableName, columns []catalogColumn) ([]catalogColumn, error) {
	r, err := queryOne(h.cat, fmt.Sprintf(`SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS
		WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND INDEX_TYPE = 'HASH' AND NON_UNIQUE = 0`, quoteText(t.schema), quoteText(t.name)))
	if err != nil {
		return nil, transient("mysql.connection", "read the keys of %s: %w", t, err)
	}
	for i := range r.int(0) {
		columns = append(columns, catalogColumn{name: fmt.Sprintf(hiddenName+"%d", i+1), dataType: "bigint", columnType: "bigint unsigned"})
	}
	return columns, nil
}

const hiddenName = "DB_ROW_HASH_"

// hidesOthers reports whether rows without names have other hidden columns than a layout, and else its own. An index may come and go
// without a word of columns.
func hidesOthers(t *tableMap, found []catalogColumn) bool {
	shown := len(found)
	for shown > 0 && strings.HasPrefix(found[shown-1].name, hiddenName) {
		shown--
	}
	if t.kind != mariaKind || shown > len(t.columns) {
		return false
	}
	of := *t
	of.columns = t.columns[:shown]
	return differs(&of, found[:shown]) == "" && !slices.ContainsFunc(t.columns[shown:], func(w wireColumn) bool { return w.kind != typeLongLong })
}

// logTellsAll reports whether the log needs no layouts. MariaDB's never tells a BINARY(16) from a UUID.
func (h *session) logTellsAll() bool {
	return h.srv.kind == mysqlKind && h.srv.vars["binlog_row_metadata"] == "FULL"
}

// learnAt puts the layouts into a first position, which was taken after the first look at them.
func (h *session) learnAt(pos *position, before layouts) (err error) {
	if h.logTellsAll() {
		return nil
	}
	if pos.Layout, err = h.layouts(); err != nil {
		return err
	}
	if !pos.Layout.equal(before) {
		return transient("mysql.connection", "settle the first position: an outbox table was changed at that moment")
	}
	return nil
}

// reaches reports whether a statement may speak of one of our schemas: it is its session's, or named.
func (a *assembler) reaches(q logged) bool {
	lower := strings.ToLower(string(q.text))
	for name := range a.ours {
		schema, _, _ := strings.Cut(strings.ToLower(name), ".")
		if escapes(schema) || strings.EqualFold(string(q.schema), schema) || strings.Contains(lower, schema) {
			return true
		}
	}
	return false
}

const namesRemedy = "run SET GLOBAL binlog_row_metadata=FULL before the table changes; for rows that are in the log without names, start over with outferry offsets reset NAME, whose snapshot has them and publishes the whole table again"

const typesRemedy = "let the pipeline catch up between changes of columns that are BINARY, UUID or an address, which MariaDB's log doesn't tell apart; for rows that are in the log already, start over with outferry offsets reset NAME, whose snapshot has them and publishes the whole table again"
