package binlog

import (
	"fmt"
	"slices"
	"strings"
)

// glimpse is a look at the catalog that is judged when the log is read up to where it ended afterwards: what had changed a table
// by then must have been read, unless its statement is not in the log.
type glimpse struct {
	shown   layouts // what the log leaves out; nil: none to judge
	inForce layouts // then
	end     place
}

// lookForUnlogged notices a change of an outbox table whose statement the log lacks, where it leaves out what rows are read by:
// those behind the change would go on with the names of others, or with the labels, sign and character set of before. It judges
// by two looks that are alike.
func (st *stream) lookForUnlogged() error {
	s, was := st.asm.shaper, st.glimpse
	if st.logTellsAll() || s.layouts == nil || st.asm.tx.open || was.shown != nil && !st.asm.reached(was.end) {
		return nil
	}
	now, err := st.shown()
	if err != nil {
		return err
	}
	if was.shown != nil && was.inForce.equal(s.layouts) && !st.srv.reads(s.layouts, was.shown) && was.shown.equal(now) {
		return st.changedUnlogged()
	}
	end, err := logStatus(st.cat, st.srv)
	st.glimpse = glimpse{now, s.layouts, end.place}
	return err
}

// shown asks the catalog alone, which waits for nobody's lock. A table that it doesn't show is left out.
func (st *stream) shown() (layouts, error) {
	out := layouts{}
	for _, t := range st.tables(st.srv) {
		columns, err := columnsOf(st.cat, t)
		if err != nil {
			return nil, err
		}
		if len(columns) > 0 {
			out[st.srv.key(t.String())] = st.srv.untold(columns)
		}
	}
	return out, nil
}

// reads reports whether layouts read the rows of tables that are shown so.
func (s *server) reads(l, shown layouts) bool {
	for table, columns := range shown {
		if l[table] != nil && !slices.Equal(s.untold(l[table]), columns) {
			return false
		}
	}
	return true
}

// untold is what the log leaves out of columns and their rows are read by. Nothing else is compared: versions of a server write
// one type in several ways, as int(11) and int.
func (s *server) untold(columns []catalogColumn) (out []catalogColumn) {
	metadata := s.vars["binlog_row_metadata"]
	for _, c := range columns {
		u := catalogColumn{name: c.name}
		switch c.dataType {
		case "binary", "uuid", "inet6", "inet4":
			if metadata != "FULL" || c.dataType != "binary" || c.columnType == "binary(16)" || c.columnType == "binary(4)" { // as long as the others
				u.dataType = c.dataType
			}
		case "time", "datetime", "timestamp", "decimal":
			u.columnType, _, _ = strings.Cut(c.columnType, " ")
		case "enum", "set":
			u.columnType, u.charset = fmt.Sprintf("%q", parseLabels(c.columnType)), charsetNow(c.charset)
		}
		if metadata == "NO_LOG" {
			u.charset = charsetNow(c.charset)
			if strings.Contains(c.columnType, "unsigned") {
				u.columnType += " unsigned"
			}
		}
		if !strings.HasPrefix(c.name, hiddenName) && (metadata != "FULL" || u.dataType != "") {
			out = append(out, u)
		}
	}
	return out
}

// charsetNow is a character set's name in newer versions.
func charsetNow(name string) string {
	if name == "utf8" {
		return "utf8mb3"
	}
	return name
}

// changedUnlogged goes on with the columns of now.
func (st *stream) changedUnlogged() error {
	st.log.Error("the columns of an outbox table have changed by a statement that is not in the log: rows since may have been published with the names of other columns, or with the labels, sign or character set of before", "code", "mysql.change_unlogged",
		"position", st.position(true).String(), "remedy", "compare the table with Kafka, and SET GLOBAL binlog_row_metadata = FULL; let no session change the table with sql_log_bin = 0, or under a filter of the log")
	st.glimpse = glimpse{}
	st.asm.forget()
	return st.learn(st.asm, st.asm.seen(), nil)
}
