package walstream_test

import (
	"testing"
	"time"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/walstream"
)

// unidentified: after each of these the server refuses an UPDATE of the outbox while updates are published. Whether later
// says that the table had a usable identity before.
var unidentified = []struct {
	name, before, sql string
	from              int
	later             bool
}{
	{name: "identity nothing", sql: "ALTER TABLE outbox REPLICA IDENTITY NOTHING", later: true},
	{name: "deferrable key", sql: "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD PRIMARY KEY (id) DEFERRABLE", later: true},
	{name: "index is gone", before: "CREATE UNIQUE INDEX byid ON outbox (id); ALTER TABLE outbox REPLICA IDENTITY USING INDEX byid", sql: "DROP INDEX byid", later: true},
	{name: "partition with nothing", before: onePartition, sql: "ALTER TABLE p1 REPLICA IDENTITY NOTHING", later: true},
	{name: "partition whose index is gone", before: onePartition + "; CREATE UNIQUE INDEX byid ON p1 (id); ALTER TABLE p1 REPLICA IDENTITY USING INDEX byid", sql: "DROP INDEX byid", later: true},
	{name: "partition that comes with nothing", before: onePartition + "; CREATE TABLE p2 (LIKE outbox INCLUDING ALL); ALTER TABLE p2 REPLICA IDENTITY NOTHING",
		sql: "ALTER TABLE outbox ATTACH PARTITION p2 FOR VALUES IN ('two')", later: true},
	{name: "partition of a partition", before: onePartition + "; CREATE TABLE p2 PARTITION OF outbox FOR VALUES IN ('two') PARTITION BY LIST (id); CREATE TABLE p3 PARTITION OF p2 DEFAULT",
		sql: "ALTER TABLE p3 REPLICA IDENTITY NOTHING", later: true},
	{name: "full, which partitions don't inherit", sql: "DROP TABLE outbox; CREATE TABLE outbox (id text, aggregatetype text, aggregateid text, type text, payload text) PARTITION BY LIST (id);" +
		"CREATE TABLE p1 PARTITION OF outbox DEFAULT; ALTER TABLE outbox REPLICA IDENTITY FULL"},
	{name: "generated column in full", sql: "ALTER TABLE outbox ADD g text GENERATED ALWAYS AS (id || 'g') STORED, REPLICA IDENTITY FULL", from: 18, later: true},
	{name: "generated key", before: "ALTER TABLE outbox REPLICA IDENTITY FULL; ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD g text GENERATED ALWAYS AS (id || 'g') STORED PRIMARY KEY",
		sql: "ALTER TABLE outbox REPLICA IDENTITY DEFAULT", from: 18},
}

// TestPublicationOfATableWithoutIdentityIsOfInserts: the application's UPDATEs go on working (G35).
func TestPublicationOfATableWithoutIdentityIsOfInserts(t *testing.T) {
	for _, test := range unidentified {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, test.from, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				d.Exec(t, test.before)
				d.Exec(t, test.sql)
				rd := r.Start(t, nil, false, true)
				rd.Until("a position", func(f *sourcetest.Feed) bool { return f.Last() != nil })
				if err := rd.Stop(); err != nil {
					t.Fatal(err)
				}
				r.Exec(t, somebodysRow)
				r.Exec(t, "UPDATE outbox SET type = 'x'")
				d.Exec(t, "ALTER PUBLICATION "+d.Name+" SET (publish = 'insert, update')")
				if _, err := r.DB.Exec("UPDATE outbox SET type = 'x'"); err == nil {
					t.Error("the server lets it pass in any case")
				}
			})
		})
	}
}

// TestIdentityThatOnlyIncludesAGeneratedColumnIsOne: the server lets the UPDATE pass, so it is published (PostgreSQL 18).
func TestIdentityThatOnlyIncludesAGeneratedColumnIsOne(t *testing.T) {
	onEach(t, 18, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD g text GENERATED ALWAYS AS (id || 'g') STORED, ADD PRIMARY KEY (id) INCLUDE (g)")
		r.Begun(t)
		if got := d.Text(t, "SELECT pubupdate FROM pg_publication"); got != "true" {
			t.Errorf("updates are published: %s", got)
		}
		r.Exec(t, "UPDATE outbox SET type = 'x'")
	})
}

// TestIdentityThatBecomesUselessIsNoticed while the publication publishes updates.
func TestIdentityThatBecomesUselessIsNoticed(t *testing.T) {
	walstream.CheckPublicationEvery(t, 100*time.Millisecond)
	for _, test := range unidentified {
		if !test.later {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			onEach(t, test.from, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				d.Exec(t, test.before)
				rd := r.Start(t, r.Begun(t), false, true)
				r.Exec(t, somebodysRow)
				rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
				if got := d.Text(t, "SELECT pubupdate FROM pg_publication"); got != "true" {
					t.Fatalf("updates are published: %s", got)
				}
				d.Exec(t, test.sql)
				rd.Until("an UPDATE to work", func(*sourcetest.Feed) bool {
					_, err := r.DB.Exec("UPDATE outbox SET type = 'x'")
					return err == nil
				})
				if err := rd.Stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
