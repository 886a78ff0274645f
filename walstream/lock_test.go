package walstream_test

import (
	"testing"
	"time"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/walstream"
)

// TestLockOfATableHoldsNothingUp: while somebody has a table of the publication for himself (VACUUM FULL, a migration) what was
// written before comes, from a start too, and the looks at the publication see what they must.
func TestLockOfATableHoldsNothingUp(t *testing.T) {
	walstream.CheckPublicationEvery(t, 50*time.Millisecond)
	for _, test := range []struct{ name, members, locked string }{
		{"the outbox", "TABLE outbox", "outbox"},
		{"the outbox, among all tables", "ALL TABLES", "outbox"},
		{"another table", "ALL TABLES", "other"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, 13, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				r.Config.Source.ConnectTimeout = 2 * time.Second
				r.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR "+test.members+" WITH (publish = 'insert')")
				at := r.Begun(t)
				r.Exec(t, somebodysRow)
				lock := r.Tx(t)
				lock.Exec("LOCK TABLE " + test.locked + " IN ACCESS EXCLUSIVE MODE")
				rd := r.Start(t, at, false, true)
				rd.Until("the row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
				r.Exec(t, "ALTER PUBLICATION "+d.Name+" SET (publish = 'update')")
				wantFault(t, rd.Fault(), "pg.publication_changed", outbox.PositionLost)
				lock.Exec("ROLLBACK")
			})
		})
	}
}

// TestTablesOfAPublicationAreThoseOfTheServer: pg_publication_tables has the same, and locks tables.
func TestTablesOfAPublicationAreThoseOfTheServer(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		d := servers.Postgres(t, version)
		d.Exec(t, `CREATE SCHEMA s2; CREATE TABLE plain (a int, b int); CREATE UNLOGGED TABLE unlogged (a int); CREATE TABLE s2.other (a int); CREATE VIEW seen AS SELECT 1;
			CREATE TABLE root (a int, b int) PARTITION BY RANGE (a); CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (9);
			CREATE TABLE s2.branch PARTITION OF root FOR VALUES FROM (10) TO (19) PARTITION BY RANGE (a); CREATE TABLE twig PARTITION OF s2.branch DEFAULT`)
		cfg := file(t, d.URL("postgres"), "  postgres: {slot: "+d.Name+", publication: "+d.Name+"}")
		cfg.Source.Tables = []string{"plain", "unlogged", "s2.other", "seen", "root", "leaf", "s2.branch", "twig", "none"}
		publication, members := walstream.PublicationSQL(cfg, version)
		all := []string{"FOR ALL TABLES", "", "FOR TABLE plain", "FOR TABLE root", "FOR TABLE root, leaf, twig", "FOR TABLE leaf, s2.branch"}
		if version >= 15 {
			all = append(all, "FOR TABLES IN SCHEMA public", "FOR TABLES IN SCHEMA s2", "FOR TABLES IN SCHEMA s2, public", "FOR TABLE root, TABLES IN SCHEMA s2", "FOR TABLE twig, TABLES IN SCHEMA s2",
				"FOR TABLE plain (a)", "FOR TABLE plain WHERE (a > 0), leaf (a, b)", "FOR TABLE plain WHERE (a > 0), TABLES IN SCHEMA public")
		}
		c := d.Connect(t, "postgres")
		for _, of := range all {
			for _, root := range []string{"true", "false"} {
				d.Exec(t, "DROP PUBLICATION IF EXISTS "+d.Name+"; CREATE PUBLICATION "+d.Name+" "+of+" WITH (publish_via_partition_root = "+root+")")
				theirs := "SELECT schemaname::text, tablename::text, ''"
				if version >= 15 {
					theirs = `SELECT schemaname, tablename, CASE WHEN rowfilter <> '' THEN 'a row filter' WHEN attnames <> ALL (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute
						WHERE attrelid = format('%I.%I', schemaname, tablename)::regclass AND attnum > 0) THEN 'a list of columns' ELSE '' END`
				}
				text := func(sql string) (got string) {
					t.Helper()
					if err := c.QueryRow(t.Context(), "SELECT coalesce(string_agg(concat_ws('.', a, b, c), ' ' ORDER BY a, b), '') FROM (SELECT DISTINCT * FROM ("+sql+") v) v(a, b, c)").Scan(&got); err != nil {
						t.Fatal(err)
					}
					return got
				}
				if got, want := text(members), text(theirs+" FROM pg_publication_tables"); got != want {
					t.Errorf("%d: %s, by the root %s: got %s, want %s", version, of, root, got, want)
				}
			}
		}
		for _, sql := range []string{"BEGIN", publication, members} {
			if _, err := c.Exec(t.Context(), sql); err != nil {
				t.Fatal(err)
			}
		}
		var locked string
		if err := c.QueryRow(t.Context(), "SELECT coalesce(string_agg(relation::regclass::text, ' '), '') FROM pg_locks WHERE pid = pg_backend_pid() AND relation >= 16384").Scan(&locked); err != nil || locked != "" {
			t.Errorf("%d: %s locked, %v", version, locked, err)
		}
	}
}
