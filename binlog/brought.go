package binlog

import (
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
	return q.cut || slices.ContainsFunc(q.readings(), func(t tokens) bool { return a.bringsBy(t, string(q.schema)) })
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
		case t[i:].begins("CONVERT") && next.begins("PARTITION") && len(next) > 2: // MariaDB makes a table of it
			to, _ := next[2:].past("TO").past("TABLE").table(schema)
			all = append(all, rename{altered, to})
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
