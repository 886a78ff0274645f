package binlog

import (
	"slices"
	"strings"
	"testing"
)

// TestOnlyWhatTheLogLeavesOutIsCompared, and not how a version of the server writes a type.
func TestOnlyWhatTheLogLeavesOutIsCompared(t *testing.T) {
	column := func(name, columnType, charset string) catalogColumn {
		dataType := strings.FieldsFunc(columnType, func(r rune) bool { return r == '(' || r == ' ' })[0]
		return catalogColumn{name: name, dataType: dataType, columnType: columnType, charset: charset}
	}
	for _, c := range []struct {
		then, now            catalogColumn
		noLog, minimal, full bool // differ by what such a log leaves out
	}{
		{column("a", "int(11)", ""), column("a", "int", ""), false, false, false},
		{column("a", "varchar(9)", "utf8"), column("a", "varchar(10)", "utf8mb3"), false, false, false},
		{column("a", "datetime /* mariadb-5.3 */", ""), column("a", "datetime", ""), false, false, false},
		{column("a", "int", ""), column("a", "int unsigned", ""), true, false, false},
		{column("a", "text", "latin1"), column("a", "text", "utf8mb4"), true, false, false},
		{column("a", "int", ""), column("b", "int", ""), true, true, false},
		{column("a", "enum('x','y')", "latin1"), column("a", "enum('y','x')", "latin1"), true, true, false},
		{column("a", "datetime(3)", ""), column("a", "datetime(6)", ""), true, true, false},
		{column("a", "binary(16)", ""), column("a", "uuid", ""), true, true, true},
		{column("a", "bigint", ""), column(hiddenName+"1", "bigint", ""), true, true, false},
	} {
		for metadata, want := range map[string]bool{"NO_LOG": c.noLog, "MINIMAL": c.minimal, "FULL": c.full} {
			s := &server{vars: map[string]string{"binlog_row_metadata": metadata}}
			if got := !slices.Equal(s.untold([]catalogColumn{c.then}), s.untold([]catalogColumn{c.now})); got != want {
				t.Errorf("%s: %v, then %v: got %v", metadata, c.then, c.now, got)
			}
		}
	}
}

// TestSignIsTheLogs where it has one: the catalog's may be younger or older.
func TestSignIsTheLogs(t *testing.T) {
	for _, told := range []bool{true, false} {
		col, err := (&shaper{}).column(&tableMap{sign: told}, wireColumn{kind: typeLong}, catalogColumn{dataType: "int", columnType: "int unsigned"})
		if err != nil || col.unsigned != !told {
			t.Errorf("told %v: unsigned is %v, %v", told, col.unsigned, err)
		}
	}
}
