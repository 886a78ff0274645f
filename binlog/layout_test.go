package binlog_test

import (
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/link"
	"outferry/internal/servers"
	"outferry/outbox"
)

// TestRowsBeforeAnAlterKeepTheirNames: with the servers' default metadata the names are those of the position.
func TestRowsBeforeAnAlterKeepTheirNames(t *testing.T) {
	const otherOrder = "; USE DB; CREATE TABLE outbox (id varchar(64) PRIMARY KEY, aggregateid varchar(255) NOT NULL, aggregatetype varchar(255) NOT NULL, type varchar(255), payload longtext, state enum('a','b') DEFAULT 'a') CHARACTER SET utf8mb4"
	changes := map[string]string{
		"schema": "USE mysql; DROP SCHEMA DB; CREATE DATABASE DB" + otherOrder,
		"move":   "ALTER TABLE outbox MODIFY aggregateid varchar(255) NOT NULL AFTER id",
		"rename": swapNames,
		"labels": "ALTER TABLE outbox MODIFY state enum('b','a') DEFAULT 'a'",
		"add":    "ALTER TABLE outbox ADD COLUMN x int AFTER id",
	}
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			changes["replaced schema"] = "USE mysql; CREATE OR REPLACE DATABASE DB" + otherOrder
		}
		for name, change := range changes {
			t.Run(name, func(t *testing.T) {
				d := unnamed(t, version)
				f := start(t, file(t, d, noData), nil, binlog.Options{})
				at := f.begun()
				f.stop()
				d.Exec(t, insert("a1"))
				d.Exec(t, strings.ReplaceAll(change, "DB", d.Name))
				d.Exec(t, insert("a2"))
				for i, r := range resume(t, d, at).wait(2) {
					if r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" || r.get("state") != "a" {
						t.Errorf("row %d: type %s, id %s, state %s", i, r.get("aggregatetype"), r.get("aggregateid"), r.get("state"))
					}
				}
			})
		}
	})
}

// TestTablesThatDifferInCaseHaveTheirOwnLayouts: the servers of this run tell them apart.
func TestTablesThatDifferInCaseHaveTheirOwnLayouts(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		d.Exec(t, "CREATE TABLE Outbox LIKE outbox; "+strings.ReplaceAll(swapNames, "outbox", "Outbox"))
		insertBoth := func(id string) { d.Exec(t, insert(id)+"; "+strings.Replace(insert(id), "outbox", "Outbox", 1)) }
		both := func(c *configs.Pipeline) { noData(c); c.Source.Tables = []string{"outbox", "Outbox"} }
		f := start(t, file(t, d, both), nil, binlog.Options{})
		at := f.begun()
		insertBoth("a1")
		f.wait(2)
		f.stop()
		insertBoth("a2")
		d.Exec(t, "ALTER TABLE outbox ADD COLUMN x int FIRST")
		insertBoth("a3")
		f = start(t, file(t, d, both), at, binlog.Options{})
		for _, r := range f.wait(6) {
			if r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
				t.Errorf("%s of %s has type %s, id %s", r.get("id"), r.table.Name, r.get("aggregatetype"), r.get("aggregateid"))
			}
		}
	})
}

// TestLayoutsOfOlderVersionsAreFound, which stored names in lower case.
func TestLayoutsOfOlderVersionsAreFound(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		d.Exec(t, "RENAME TABLE outbox TO OutBox")
		mixed := func(c *configs.Pipeline) { noData(c); c.Source.Tables = []string{"OutBox"} }
		f := start(t, file(t, d, mixed), nil, binlog.Options{})
		at := edited(t, f.begun(), func(m map[string]any) {
			of := m["layout"].(map[string]any)
			m["layout"] = map[string]any{d.Name + ".outbox": of[d.Name+".OutBox"]}
		})
		f.stop()
		d.Exec(t, strings.Replace(insert("a1"), "outbox", "OutBox", 1)+"; "+strings.ReplaceAll(swapNames, "outbox", "OutBox"))
		if r := start(t, file(t, d, mixed), at, binlog.Options{}).wait(1)[0]; r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
			t.Errorf("type %s, id %s", r.get("aggregatetype"), r.get("aggregateid"))
		}
	})
}

// TestAlterOfASchemaInAnotherCharacterSet: the log has a statement as the session sent it.
func TestAlterOfASchemaInAnotherCharacterSet(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		schema := "größe_" + d.Name
		d.Exec(t, "CREATE DATABASE "+schema+"; GRANT SELECT ON "+schema+".* TO outferry; CREATE TABLE "+schema+".outbox LIKE outbox")
		t.Cleanup(func() {
			d.Exec(t, "SET GLOBAL binlog_row_metadata = FULL; DROP DATABASE "+schema+"; REVOKE ALL ON "+schema+".* FROM outferry")
		})
		theirs := func(c *configs.Pipeline) { c.Source.Tables = []string{schema + ".outbox"} }
		f := start(t, file(t, d, noData, theirs), nil, binlog.Options{})
		f.begun()
		d.Exec(t, "USE "+schema+"; "+insert("a1"))
		f.wait(1)
		d.Exec(t, "SET NAMES latin1; ALTER TABLE gr\xf6\xdfe_"+d.Name+".outbox MODIFY aggregateid varchar(255) NOT NULL AFTER id")
		d.Exec(t, "USE "+schema+"; "+insert("a2"))
		if r := f.wait(2)[1]; r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
			t.Errorf("type %s, id %s", r.get("aggregatetype"), r.get("aggregateid"))
		}
	})
}

// TestAlterWhileCaughtUp: rows before and after it come, whatever of them was read when it came.
func TestAlterWhileCaughtUp(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		d.Exec(t, insert("a1"))
		d.Exec(t, "ALTER TABLE outbox ADD COLUMN x int AFTER id")
		d.Exec(t, insert("a2"))
		if got := idsOf(f.wait(2)); got != "a1 a2" {
			t.Errorf("got %s", got)
		}
	})
}

const swapNames = "ALTER TABLE outbox RENAME COLUMN aggregateid TO aggregatetype, RENAME COLUMN aggregatetype TO aggregateid"

// TestRowsBetweenAltersAreNotGuessed: the catalog has only the last layout, so the first change stops, and so does
// every start after it; not one row is handed over by a name that it may not have had.
func TestRowsBetweenAltersAreNotGuessed(t *testing.T) {
	behind := map[string][]string{
		"two":        {swapNames, insert("a1"), "ALTER TABLE outbox MODIFY type varchar(255) AFTER id"},
		"cancelled":  {swapNames, insert("a1"), swapNames},
		"in between": {"RENAME TABLE outbox TO o2", "CREATE TABLE outbox LIKE o2; " + swapNames, insert("a1"), "DROP TABLE outbox; RENAME TABLE o2 TO outbox"},
	}
	each(t, func(t *testing.T, version string) {
		for name, statements := range behind {
			t.Run(name, func(t *testing.T) {
				d := unnamed(t, version)
				f := start(t, file(t, d, noData), nil, binlog.Options{})
				at := f.begun()
				f.stop()
				d.Exec(t, insert("a0"))
				for _, sql := range statements {
					d.Exec(t, sql)
				}
				d.Exec(t, "DELETE FROM outbox WHERE id = 'a1'; "+insert("a2"))
				for i := range 2 {
					f := resume(t, d, at)
					wantFault(t, f.fault(), "mysql.names_unknown", outbox.PositionLost)
					if got := idsOf(f.rows); i == 0 && got != "a0" || i > 0 && got != "" {
						t.Errorf("start %d: got %q", i+1, got)
					}
					at = f.last
				}
			})
		}
	})
}

// TestAltersOfOneTableLeaveTheOtherAlone: rows of one may come between changes of the other.
func TestAltersOfOneTableLeaveTheOtherAlone(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		d.Exec(t, "CREATE TABLE second LIKE outbox")
		both := func(c *configs.Pipeline) { noData(c); c.Source.Tables = []string{"outbox", "second"} }
		f := start(t, file(t, d, both), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		into := func(id string) string { return strings.Replace(insert(id), "outbox", "second", 1) }
		d.Exec(t, into("s1"))
		d.Exec(t, "ALTER TABLE second ADD COLUMN x int AFTER id")
		d.Exec(t, insert("a1"))
		d.Exec(t, strings.ReplaceAll(swapNames, "outbox", "second"))
		d.Exec(t, insert("a2"))
		g := start(t, file(t, d, both), at, binlog.Options{})
		if got := idsOf(g.wait(3)); got != "s1 a1 a2" {
			t.Errorf("got %s", got)
		}
		g.stop()
		d.Exec(t, into("s2")+"; ALTER TABLE second DROP COLUMN x")
		wantFault(t, start(t, file(t, d, both), at, binlog.Options{}).fault(), "mysql.names_unknown", outbox.PositionLost)
	})
}

// TestAlterInTwoPhasesIsOneChange: it is in MariaDB's log where it begins and where it is done, with rows between.
func TestAlterInTwoPhasesIsOneChange(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		d := unnamed(t, version)
		d.Exec(t, "INSERT INTO outbox (id, aggregatetype, aggregateid, payload) SELECT CONCAT('s', seq), 'order', 'k', REPEAT('x', 1000) FROM seq_1_to_20000")
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		altered := make(chan bool)
		go func() {
			defer close(altered)
			d.Exec(t, "SET binlog_alter_two_phase = 1; ALTER TABLE outbox MODIFY aggregateid varchar(255) NOT NULL AFTER id, FORCE, ALGORITHM = INPLACE, LOCK = NONE")
		}()
		n := 0
		for done := false; !done; n++ {
			d.Exec(t, insert("a"+strconv.Itoa(n)))
			select {
			case <-altered:
				done = true
			default:
			}
		}
		t.Logf("%d rows", n)
		for _, r := range resume(t, d, at).wait(n) {
			if r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
				t.Errorf("%s has type %s, id %s", r.get("id"), r.get("aggregatetype"), r.get("aggregateid"))
			}
		}
	})
}

// TestRowsOfAnUnknownLayoutAreNotGuessed: a position that was set by hand has no layout.
func TestRowsOfAnUnknownLayoutAreNotGuessed(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := edited(t, f.begun(), func(m map[string]any) { delete(m, "layout") })
		f.stop()
		d.Exec(t, insert("a1"))
		g := resume(t, d, at)
		g.wait(1)
		g.stop()
		d.Exec(t, swapNames)
		f = resume(t, d, at)
		wantFault(t, f.fault(), "mysql.names_unknown", outbox.PositionLost)
		if len(f.rows) > 0 {
			t.Errorf("got %+v", f.rows)
		}
	})
}

// TestLayoutIsLearntAtTheEndOfTheLog: a position without one gets it as soon as nothing is left to read, rows or not.
func TestLayoutIsLearntAtTheEndOfTheLog(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := edited(t, f.begun(), func(m map[string]any) { delete(m, "layout") })
		f.stop()
		g := resume(t, d, at)
		g.until("a position with a layout", func() bool { return strings.Contains(string(g.last), `"layout"`) })
		g.stop()
		d.Exec(t, insert("a1"))
		d.Exec(t, swapNames)
		d.Exec(t, insert("a2"))
		for _, r := range resume(t, d, g.last).wait(2) {
			if r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
				t.Errorf("%s has type %s, id %s", r.get("id"), r.get("aggregatetype"), r.get("aggregateid"))
			}
		}
	})
}

// TestChangesBehindThatLeaveNoDoubtPass: several without a row between, and what leaves the columns alone.
func TestChangesBehindThatLeaveNoDoubtPass(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		d.Exec(t, "ALTER TABLE outbox PARTITION BY KEY (id) PARTITIONS 3")
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		d.Exec(t, insert("a1"))
		d.Exec(t, "ALTER TABLE outbox TRUNCATE PARTITION ALL; "+insert("a2")+"; TRUNCATE TABLE outbox; CREATE INDEX i ON outbox (type); "+insert("a3")+
			"; CREATE TABLE my_outbox_copy (n int); "+insert("a4")+"; DROP TABLE my_outbox_copy; CREATE TABLE IF NOT EXISTS outbox (n int); "+insert("a4b")+"; CREATE TABLE _outbox_gho LIKE outbox; DROP TABLE _outbox_gho; CREATE TEMPORARY TABLE outbox (n int); DROP TEMPORARY TABLE outbox; "+insert("a4c")+"; ALTER TABLE outbox COALESCE PARTITION 1; DROP INDEX i ON outbox")
		d.Exec(t, insert("a5")+"; "+swapNames+"; INSERT INTO other VALUES (1); ALTER TABLE outbox ADD COLUMN x int AFTER id; "+insert("a6"))
		d.Exec(t, "ANALYZE TABLE outbox; TRUNCATE outbox; "+insert("a7"))
		rows := resume(t, d, at).wait(9)
		if got := idsOf(rows); got != "a1 a2 a3 a4 a4b a4c a5 a6 a7" {
			t.Errorf("got %s", got)
		}
		for _, r := range rows {
			if r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
				t.Errorf("%s has type %s, id %s", r.get("id"), r.get("aggregatetype"), r.get("aggregateid"))
			}
		}
	})
}

// TestTableMadeOfASelectHasItsOwnLayout: rows are in the same transaction as the statement.
func TestTableMadeOfASelectHasItsOwnLayout(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		d.Exec(t, insert("a1")+"; RENAME TABLE outbox TO old; CREATE TABLE outbox AS SELECT id, aggregateid, aggregatetype, type, payload, state FROM old; "+insert("a2"))
		for _, r := range resume(t, d, at).wait(3) {
			if r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
				t.Errorf("%s has type %s, id %s", r.get("id"), r.get("aggregatetype"), r.get("aggregateid"))
			}
		}
	})
}

// TestTypeThatNobodyTellsIsNotGuessed: MariaDB's log has names, but not which binary string is a UUID.
func TestTypeThatNobodyTellsIsNotGuessed(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		d := fullNames(t, version)
		d.Exec(t, tablesSQL+"; ALTER TABLE outbox ADD COLUMN u uuid DEFAULT '01020304-0506-1708-890a-0b0c0d0e0f10'")
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		d.Exec(t, insert("a1"))
		if got := f.wait(1)[0].get("u"); got != "01020304-0506-1708-890a-0b0c0d0e0f10" {
			t.Errorf("got %q", got)
		}
		f.stop()
		d.Exec(t, "ALTER TABLE outbox RENAME COLUMN u TO v")
		f = resume(t, d, edited(t, at, func(m map[string]any) { delete(m, "layout") }))
		fault := f.fault()
		wantFault(t, fault, "mysql.names_unknown", outbox.PositionLost)
		if len(f.rows) > 0 {
			t.Errorf("got %+v", f.rows)
		}
		if strings.Contains(fault.Remedy, "SET GLOBAL") {
			t.Errorf("the metadata is full already: %s", fault.Remedy)
		}
	})
}

// TestRowsKeepTheSignOfTheirTime: MariaDB's log has it, and the catalog that is asked for other columns has the one of now.
func TestRowsKeepTheSignOfTheirTime(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := fullNames(t, version)
		d.Exec(t, tablesSQL+"; ALTER TABLE outbox ADD COLUMN n int, ADD COLUMN amount decimal(10,2), ADD COLUMN code char(3)")
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		d.Exec(t, "INSERT INTO outbox (id, aggregatetype, aggregateid, n) VALUES ('a1', 'o', 'k', -1); DELETE FROM outbox; ALTER TABLE outbox MODIFY n int unsigned, MODIFY amount decimal(20,2)")
		r := resume(t, d, at).wait(1)[0]
		if got := r.get("n"); got != "-1" {
			t.Errorf("got %s, want -1", got)
		}
		if got := r.table.Columns[r.table.Index("amount")].TypeName; got != "decimal(10,2)" {
			t.Errorf("got %s, want decimal(10,2)", got)
		}
	})
}

// unnamed is a database of a server whose log has no names.
func unnamed(t *testing.T, version string) *servers.MySQLDatabase {
	t.Helper()
	d := servers.MySQL(t, version)
	d.Exec(t, "SET GLOBAL binlog_row_metadata = DEFAULT; "+tablesSQL+"; ALTER TABLE outbox ADD COLUMN state enum('a','b') DEFAULT 'a'")
	return d
}

// TestChangesBehindOfOtherColumnsPass: only a statement that names a column can make another type of it, so several may wait in
// the log, with rows between. Rows between two that name it stop.
func TestChangesBehindOfOtherColumnsPass(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		d := fullNames(t, version)
		d.Exec(t, tablesSQL+"; ALTER TABLE outbox ADD COLUMN trace uuid DEFAULT "+traceID)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		d.Exec(t, insert("a1"))
		for i, change := range []string{"MODIFY trace binary(16) DEFAULT " + traceID, "ADD COLUMN tracer int", "DROP COLUMN tracer", "ADD COLUMN token inet4 FIRST", "FORCE"} {
			d.Exec(t, "ALTER TABLE outbox "+change)
			d.Exec(t, insert("b"+strconv.Itoa(i)))
		}
		f = resume(t, d, at)
		rows := f.wait(6)
		f.stop()
		if got := idsOf(rows); got != "a1 b0 b1 b2 b3 b4" {
			t.Errorf("got %s", got)
		}
		for i, r := range rows {
			if got := r.get("trace"); i < 1 != (got == "20010db8-0000-0000-0000-000000000001") || i >= 1 && len(got) != 16 {
				t.Errorf("%s: trace is %q", r.get("id"), got)
			}
		}
		d.Exec(t, "ALTER TABLE outbox MODIFY trace uuid; "+insert("c"))
		f = resume(t, d, at)
		fault := f.fault()
		wantFault(t, fault, "mysql.names_unknown", outbox.PositionLost)
		if got := idsOf(f.rows); got != "a1" || strings.Contains(fault.Remedy, "SET GLOBAL") {
			t.Errorf("got %s, then %s", got, fault.Remedy)
		}
	})
}

const traceID = "X'20010DB8000000000000000000000001'"

// TestBinaryStringsKeepTheTypeOfTheirTime: MariaDB's log has names, but not whether a binary string is a UUID or an address,
// and the catalog has only the type of now.
func TestBinaryStringsKeepTheTypeOfTheirTime(t *testing.T) {
	raw := "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	changes := []struct{ before, value, change, column, then, now string }{
		{"trace binary(16)", traceID, "MODIFY trace uuid", "trace", raw, "20010db8-0000-0000-0000-000000000001"},
		{"trace binary(16)", traceID, "MODIFY trace inet6", "trace", raw, "2001:db8::1"},
		{"trace uuid", traceID, "MODIFY trace binary(16)", "trace", "20010db8-0000-0000-0000-000000000001", raw},
		{"trace binary(4)", "X'7F000001'", "MODIFY trace inet4", "trace", "\x7f\x00\x00\x01", "127.0.0.1"},
		{"trace uuid", traceID, "DROP COLUMN trace", "", "20010db8-0000-0000-0000-000000000001", ""},
		{"trace binary(16)", traceID, "DROP COLUMN trace", "", raw, ""},
		{"trace binary(16)", traceID, "RENAME COLUMN trace TO other", "other", raw, raw},
		{"trace uuid, ADD COLUMN other binary(16) DEFAULT " + traceID, traceID, "RENAME COLUMN trace TO other, RENAME COLUMN other TO trace", "other", "20010db8-0000-0000-0000-000000000001", "20010db8-0000-0000-0000-000000000001"},
	}
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		for _, c := range changes {
			d := fullNames(t, version)
			d.Exec(t, "DROP TABLE IF EXISTS outbox, other; "+tablesSQL+"; ALTER TABLE outbox ADD COLUMN "+c.before)
			add := func(id, column string) {
				if d.Exec(t, insert(id)); column == "" {
					return
				}
				d.Exec(t, "INSERT INTO outbox (id, aggregatetype, aggregateid, "+column+") VALUES ('"+id+"v', 'order', 'k', "+c.value+")")
			}
			f := start(t, file(t, d, noData), nil, binlog.Options{})
			at := f.begun()
			f.stop()
			add("a1", "trace")
			d.Exec(t, "ALTER TABLE outbox "+c.change)
			add("a2", c.column)
			want := 4
			if c.column == "" {
				want = 3
			}
			f = resume(t, d, at)
			rows := f.wait(want)
			if got := rows[1].get("trace"); got != c.then {
				t.Errorf("%s, %s: got %q before it, want %q", c.before, c.change, got, c.then)
			}
			if c.column == "" {
				continue
			}
			if got := rows[3].get(c.column); got != c.now {
				t.Errorf("%s, %s: got %q after it, want %q", c.before, c.change, got, c.now)
			}
		}
	})
}

// TestChangeUnderWayIsAwaited, however short the server lets sessions wait: the log may have it long before the catalog shows it.
func TestChangeUnderWayIsAwaited(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Settings: []string{"lock_wait_timeout = 1"}}).Database(t)
		d.Exec(t, tablesSQL)
		f := start(t, file(t, d, noData, func(c *configs.Pipeline) { c.Source.MySQL.ReadTimeout = 2 * time.Second }), nil, binlog.Options{})
		f.begun()
		locked, err := d.Connect(t, "root").Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := locked.ExecContext(t.Context(), "LOCK TABLES outbox WRITE; "+swapNames); err != nil {
			t.Fatal(err)
		}
		wantFault(t, f.fault(), "mysql.connection", outbox.Transient)
		if strings.LastIndex(string(f.last), `"aggregatetype"`) > strings.LastIndex(string(f.last), `"aggregateid"`) {
			t.Errorf("it has not waited: %s", f.last)
		}
		if _, err := locked.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
			t.Fatal(err)
		}
		d.Exec(t, insert("a1"))
		if r := resume(t, d, f.last).wait(1)[0]; r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
			t.Errorf("type %s, id %s", r.get("aggregatetype"), r.get("aggregateid"))
		}
	})
}

// TestWhatWasLearntIsKept where nobody reads the dump while the rest of the log is looked through, and the server ends it: else the
// next session would do the same, and each one after it.
func TestWhatWasLearntIsKept(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		d.Exec(t, swapNames+"; CREATE TABLE large (b longblob)")
		for range 10 { // more than what lies between server and reader holds
			d.Exec(t, "INSERT INTO large VALUES (REPEAT('x', 4000000))")
		}
		d.Exec(t, insert("a1"))
		through := cutBehindLooks(t, d)
		f = through(at)
		wantFault(t, f.fault(), "mysql.connection", outbox.Transient)
		if f.last.IsZero() {
			t.Fatal("nothing was handed over")
		}
		if r := through(f.last).wait(1)[0]; r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
			t.Errorf("type %s, id %s", r.get("aggregatetype"), r.get("aggregateid"))
		}
	})
}

// cutBehindLooks starts sources whose dump is cut at the end of a look at the log in which it is not read.
func cutBehindLooks(t *testing.T, d *servers.MySQLDatabase) func(at outbox.Position) *feed {
	t.Helper()
	l, lead := link.New(t)
	var dump atomic.Pointer[net.Conn] // from when it registers as a replica
	registers := []byte("outferry-" + d.Name + "\x00\x00\x00\x00")
	across := l.Across
	l.Across = func(client, server net.Conn) {
		unread := dump.Load()
		across(&ear{client, registers, func() { dump.Store(&client) }}, server)
		if unread != nil {
			link.Reset(*unread)
		}
	}
	lead(net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port)))
	there := &servers.MySQLDatabase{Version: d.Version, Port: l.Port, Name: d.Name}
	return func(at outbox.Position) *feed {
		dump.Store(nil)
		return start(t, file(t, there, noData, func(c *configs.Pipeline) { c.Source.TLS.Mode = "disable" }), at, binlog.Options{})
	}
}
