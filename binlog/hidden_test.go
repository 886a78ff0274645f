package binlog_test

import (
	"strconv"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/internal/servers"
)

// TestColumnsThatTheServerHides: MariaDB has one for each unique key that is too long for an index, in its log and not in
// its catalog.
func TestColumnsThatTheServerHides(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		for _, metadata := range []string{"DEFAULT", "FULL"} {
			d := servers.MySQL(t, version)
			d.Exec(t, "SET GLOBAL binlog_row_metadata = "+metadata+"; DROP TABLE IF EXISTS outbox, other; "+tablesSQL+"; ALTER TABLE outbox ADD COLUMN doc json, ADD UNIQUE KEY long_one (doc)")
			f := start(t, file(t, d, noData), nil, binlog.Options{})
			f.begun()
			check := func(id string) {
				t.Helper()
				n := len(f.rows) + 1
				d.Exec(t, insert(id))
				r := f.wait(n)[n-1]
				if r.get("id") != id || r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" || r.get("payload") != "{}" {
					t.Errorf("%s: got %v", id, r.values)
				}
				for column, want := range map[string]string{"n": "7", "m": "8", "k": "9"} {
					if r.table.Index(column) >= 0 && r.get(column) != want {
						t.Errorf("%s: %s is %s", id, column, r.get(column))
					}
				}
			}
			check("a1")
			for _, change := range []string{"ADD COLUMN n bigint DEFAULT 7", "ADD COLUMN b blob, ADD UNIQUE KEY long_two (b, payload)", "DROP KEY long_one", "ADD COLUMN v bigint AS (n + 1) VIRTUAL",
				"ADD UNIQUE KEY long_three (doc, n)", "ADD UNIQUE KEY short_one (n, id)", "ADD UNIQUE KEY hash_one USING HASH (id, type)", "DROP KEY long_two, DROP KEY long_three", "DROP KEY hash_one",
				"ADD COLUMN m bigint DEFAULT 8, ALGORITHM=INSTANT", "ADD COLUMN k bigint DEFAULT 9 FIRST, ADD UNIQUE KEY long_four (payload, id), ALGORITHM=COPY", "MODIFY n bigint DEFAULT 7 AFTER m", "DROP COLUMN k", "PARTITION BY KEY (id) PARTITIONS 2"} {
				d.Exec(t, "ALTER TABLE outbox "+change)
				check("a" + change[4:min(len(change), 60)])
			}
			d.Exec(t, "CREATE TABLE o2 LIKE outbox; RENAME TABLE outbox TO o1, o2 TO outbox")
			check("liked")
			d.Exec(t, "DROP TABLE o1; CREATE UNIQUE INDEX long_five ON outbox (doc)")
			check("created")
			d.Exec(t, "DROP INDEX long_five ON outbox")
			check("dropped")
			f.stop()
			d.Exec(t, insert("behind")+"; CREATE UNIQUE INDEX long_six ON outbox (doc, n); "+insert("behind2"))
			f = resume(t, d, f.last)
			if got := idsOf(f.wait(2)); got != "behind behind2" {
				t.Errorf("got %s", got)
			}
			check("last")
			f.stop()
		}
	})
}

// TestKeyThatTheCatalogHides: MySQL makes one for a table without, and may be told not to show it.
func TestKeyThatTheCatalogHides(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return
		}
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Settings: []string{"sql_generate_invisible_primary_key = ON", "show_gipk_in_create_table_and_information_schema = OFF"}})
		for _, metadata := range []string{"MINIMAL", "FULL"} {
			d := m.Database(t)
			d.Exec(t, "SET GLOBAL binlog_row_metadata = "+metadata+"; "+strings.Replace(tablesSQL, " PRIMARY KEY", "", 1)+"; "+insert("a1"))
			f := start(t, file(t, d), nil, binlog.Options{})
			f.until("the end of the snapshot", func() bool { return strings.Contains(string(f.last), `"phase":"stream"`) })
			d.Exec(t, insert("a2"))
			for i, r := range f.wait(2) {
				if r.get("my_row_id") != strconv.Itoa(i+1) || r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
					t.Errorf("%s: got %v", metadata, r.values)
				}
			}
		}
	})
}
