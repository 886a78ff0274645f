package binlog_test

import (
	"testing"

	"outferry/binlog"
	"outferry/internal/servers"
	"outferry/outbox"
)

// TestRowsBeforeAnAlterKeepTheirNames: with the servers' default metadata the names are those of the position.
func TestRowsBeforeAnAlterKeepTheirNames(t *testing.T) {
	changes := map[string]string{
		"move":   "ALTER TABLE outbox MODIFY aggregateid varchar(255) NOT NULL AFTER id",
		"rename": "ALTER TABLE outbox RENAME COLUMN aggregateid TO aggregatetype, RENAME COLUMN aggregatetype TO aggregateid",
		"labels": "ALTER TABLE outbox MODIFY state enum('b','a') DEFAULT 'a'",
		"add":    "ALTER TABLE outbox ADD COLUMN x int AFTER id",
	}
	each(t, func(t *testing.T, version string) {
		for name, change := range changes {
			t.Run(name, func(t *testing.T) {
				d := unnamed(t, version)
				f := start(t, file(t, d, noData), nil, binlog.Options{})
				at := f.begun()
				f.stop()
				d.Exec(t, insert("a1"))
				d.Exec(t, change)
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

// TestTwoAltersBehindStop: the catalog has only the last layout, and the rows between are not guessed.
func TestTwoAltersBehindStop(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := unnamed(t, version)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		d.Exec(t, "ALTER TABLE outbox RENAME COLUMN aggregateid TO aggregatetype, RENAME COLUMN aggregatetype TO aggregateid")
		d.Exec(t, insert("a1"))
		d.Exec(t, "ALTER TABLE outbox MODIFY type varchar(255) AFTER id")
		wantFault(t, resume(t, d, at).fault(), "mysql.names_unknown", outbox.Environment)
	})
}

// unnamed is a database of a server whose log has no names.
func unnamed(t *testing.T, version string) *servers.MySQLDatabase {
	t.Helper()
	d := servers.MySQL(t, version)
	d.Exec(t, "SET GLOBAL binlog_row_metadata = DEFAULT; "+tablesSQL+"; ALTER TABLE outbox ADD COLUMN state enum('a','b') DEFAULT 'a'")
	return d
}
