package binlog

import (
	"maps"
	"slices"
	"strings"
)

// glimpse is a look at the catalog that is judged when the log is read up to where it ended afterwards: what had changed a table
// by then must have been read, unless its statement is not in the log.
type glimpse struct {
	names   map[string][]string // of columns, by table; nil: none to judge
	inForce layouts             // then
	end     place
}

// lookForUnlogged notices a change of an outbox table whose statement the log lacks, where it has no names: rows behind it would
// go on with the names of others. It judges by two looks that are alike.
func (st *stream) lookForUnlogged() error {
	s, was := st.asm.shaper, st.glimpse
	if st.srv.vars["binlog_row_metadata"] == "FULL" || s.layouts == nil || st.asm.tx.open || was.names != nil && !st.asm.reached(was.end) {
		return nil
	}
	now, err := st.columnNames()
	if err != nil {
		return err
	}
	if was.names != nil && was.inForce.equal(s.layouts) && !s.layouts.named(was.names) && maps.EqualFunc(was.names, now, slices.Equal) {
		return st.changedUnlogged()
	}
	end, err := logStatus(st.cat, st.srv)
	st.glimpse = glimpse{now, s.layouts, end.place}
	return err
}

// columnNames asks the catalog alone, which waits for nobody's lock.
func (st *stream) columnNames() (map[string][]string, error) {
	out := map[string][]string{}
	for _, t := range st.tables(st.srv) {
		columns, err := columnsOf(st.cat, t)
		if err != nil {
			return nil, err
		}
		for _, c := range columns {
			out[st.srv.key(t.String())] = append(out[st.srv.key(t.String())], c.name)
		}
	}
	return out, nil
}

// named reports whether tables have these columns. One that the catalog doesn't show has.
func (l layouts) named(names map[string][]string) bool {
	for table, columns := range names {
		shown := slices.DeleteFunc(slices.Clone(l[table]), func(c catalogColumn) bool { return strings.HasPrefix(c.name, hiddenName) })
		if l[table] != nil && !slices.EqualFunc(shown, columns, func(c catalogColumn, name string) bool { return c.name == name }) {
			return false
		}
	}
	return true
}

// changedUnlogged goes on with the columns of now.
func (st *stream) changedUnlogged() error {
	st.log.Error("the columns of an outbox table have changed by a statement that is not in the log: rows since may have been published with the names of other columns", "code", "mysql.change_unlogged",
		"position", st.position(true).String(), "remedy", "compare the table with Kafka, and SET GLOBAL binlog_row_metadata = FULL; let no session change the table with sql_log_bin = 0, or under a filter of the log")
	st.glimpse = glimpse{}
	st.asm.forget()
	st.handed = "" // the same place, with other layouts
	return st.learn(st.asm, st.asm.seen(), nil)
}
