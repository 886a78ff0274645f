package walstream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/walstream"
)

const somebodysRow = `INSERT INTO outbox VALUES (gen_random_uuid(), 'o', 'k', 't', '{}')`

// cutSnapshot begins a snapshot of n rows, stops behind its first one, and returns the position there.
func cutSnapshot(t *testing.T, r *sourcetest.Rig, n int) outbox.Position {
	t.Helper()
	r.Exec(t, fmt.Sprintf(`INSERT INTO outbox SELECT 'old-' || n, 'o', 'k', 't', '{}' FROM generate_series(1, %d) n`, n))
	rd := r.Start(t, nil, true, true)
	at := rd.Until("a row of the snapshot", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 }).Last()
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	return at
}

// TestSnapshotWaitsForTheLastBatches: where Kafka is the slower side, all batches are out when the snapshot ends.
func TestSnapshotWaitsForTheLastBatches(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	r.Config.Kafka.MaxBuffered = 2 * outbox.BatchBytes
	r.Exec(t, `INSERT INTO outbox SELECT n, 'o', 'k', 't', repeat('x', 1000) FROM generate_series(1, 400) n`)
	src := walstream.New(r.Config, testLog(t), walstream.Options{})
	sourcetest.LastBatchesAreHeld(t, src, 400, func() bool {
		return d.Text(t, "SELECT count(*) FROM pg_stat_activity WHERE datname = '"+d.Name+"' AND application_name = 'outferry-posts' AND xact_start IS NOT NULL") == "0"
	})
}

// TestRenameInACutOffSnapshotStops: what the log holds of the table's other name must not be tried again for ever.
func TestRenameInACutOffSnapshotStops(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	at := cutSnapshot(t, r, 50)
	r.Exec(t, somebodysRow)
	r.Exec(t, "ALTER TABLE outbox RENAME TO outbox_2")
	r.Exec(t, strings.Replace(somebodysRow, "outbox", "outbox_2", 1))
	r.Exec(t, "ALTER TABLE outbox_2 RENAME TO outbox")
	wantFault(t, r.Start(t, at, false, true).Fault(), "pg.table_renamed", outbox.PositionLost)
}

// TestSnapshotGoesOnInAnyShape: columns that come and go while a snapshot is cut off move the key's place in the log's rows.
func TestSnapshotGoesOnInAnyShape(t *testing.T) {
	r := rig(t, servers.Postgres(t, 15))
	r.Exec(t, "DROP TABLE outbox; CREATE TABLE outbox (gone int, id varchar(64) PRIMARY KEY, aggregatetype text, aggregateid text, type text, payload text)")
	insert := func(id string) string {
		return "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ('" + id + "', 'o', 'k', 't', '{}')"
	}
	for n := range 50 {
		r.Exec(t, insert(fmt.Sprintf("old-%02d", n)))
	}
	rd := r.Start(t, nil, true, true)
	f := rd.Until("a row of the snapshot", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	r.Exec(t, insert("new-1"))
	r.Exec(t, "ALTER TABLE outbox DROP COLUMN gone")
	r.Exec(t, insert("new-2"))
	rest := r.Rows(t, f.Last(), 52-len(f.IDs))
	seen := map[string]bool{}
	for _, id := range append(f.IDs, rest.IDs...) {
		seen[id] = true
	}
	if len(seen) != 52 {
		t.Errorf("got %d different rows, want 52: %v", len(seen), rest.IDs)
	}
}

// TestRowsOfAnyKeyComeOnceAroundACut: those that are committed while a snapshot is cut off are in the log too, and
// known by their key, whatever it is made of.
func TestRowsOfAnyKeyComeOnceAroundACut(t *testing.T) {
	keys := []string{"bytea", "boolean", "raw", "yes", "numeric", "double precision", "char(5)", "timestamptz", "timetz", "interval", "jsonb", "text[]", "mood"}
	value := map[string]string{"bytea": `'\xaa'`, "boolean": "true", "raw": `'\x'`, "yes": "false", "numeric": "1.50", "double precision": "0.1", "char(5)": "'ab'",
		"timestamptz": "'2024-02-29 10:11:12+02'", "timetz": "'10:00:00+02'", "interval": "'1 day 2 hours'", "jsonb": `'{"b": 1, "a": 2}'`, "text[]": `'{a,"b c"}'`, "mood": "'ok'"}
	for _, version := range servers.PostgresVersions(t) {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			d := servers.Postgres(t, version)
			r := rig(t, d)
			r.Exec(t, "CREATE DOMAIN raw AS bytea; CREATE DOMAIN yes AS boolean; CREATE TYPE mood AS ENUM ('sad', 'ok')")
			write := func(id string) {
				for i, kind := range keys {
					r.Exec(t, fmt.Sprintf("INSERT INTO outbox%d VALUES (%s, '%s-%s', 'o', 'k', 't', '{}')", i, value[kind], id, kind))
				}
			}
			r.Config.Source.Tables = nil
			for i, kind := range keys {
				name := fmt.Sprintf("outbox%d", i)
				r.Exec(t, "CREATE TABLE "+name+" (k "+kind+", id varchar(64), aggregatetype text, aggregateid text, type text, payload text, PRIMARY KEY (k, id))")
				r.Config.Source.Tables = append(r.Config.Source.Tables, "public."+name)
			}
			write("old")
			write("old2")
			rd := r.Start(t, nil, true, true)
			f := rd.Until("a row of the snapshot", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
			ids, at := f.IDs, f.Last()
			if err := rd.Stop(); err != nil {
				t.Fatal(err)
			}
			write("young")
			rd = r.Start(t, at, false, true)
			f = rd.Until("the end of the snapshot", func(f *sourcetest.Feed) bool { return strings.Contains(f.Last().String(), `"phase":"stream"`) })
			write("last")
			f = rd.Until("the last rows", func(f *sourcetest.Feed) bool { return slices.Contains(f.IDs, "last-mood") })
			seen := map[string]int{}
			for _, id := range append(ids, f.IDs...) {
				seen[id]++
			}
			for id, n := range seen {
				if n != 1 {
					t.Errorf("%s came %d times", id, n)
				}
			}
			if len(seen) != 4*len(keys) {
				t.Errorf("got %d different rows, want %d", len(seen), 4*len(keys))
			}
		})
	}
}

// TestKeysOfOneMomentAreTwo: a timetz is published in UTC, and the zone is part of the key.
func TestKeysOfOneMomentAreTwo(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD COLUMN at timetz PRIMARY KEY")
		const insert = "INSERT INTO outbox VALUES ('%s', 'o', 'k', 't', '{}', '%s')"
		for _, at := range []string{"10:00+02", "09:00+02", "08:00+02"} {
			r.Exec(t, fmt.Sprintf(insert, "old "+at, at))
		}
		rd := r.Start(t, nil, true, true)
		f := rd.Until("a row of the snapshot", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
		ids, at := f.IDs, f.Last()
		if err := rd.Stop(); err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{"08:00+00", "07:00+00", "06:00+00"} {
			r.Exec(t, fmt.Sprintf(insert, "new "+at, at))
		}
		ids = append(ids, r.Rows(t, at, 6-len(ids)).IDs...)
		slices.Sort(ids)
		if n := len(slices.Compact(ids)); n != 6 {
			t.Errorf("got %d of 6 rows: %v", n, ids)
		}
	})
}

// TestColumnsThatAKeyOnlyIncludesAreNoKey: they may be NULL, and change while a snapshot is cut off.
func TestColumnsThatAKeyOnlyIncludesAreNoKey(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD n int, ADD twice text GENERATED ALWAYS AS (id || id) STORED, ADD PRIMARY KEY (aggregateid, id) INCLUDE (type, n, twice)")
		at := cutSnapshot(t, r, 50)
		r.Exec(t, "INSERT INTO outbox VALUES ('new', 'o', 'a', 't', '{}')") // before the place where the snapshot goes on
		r.Exec(t, "INSERT INTO outbox VALUES ('young', 'o', 'z', 't', '{}')")
		r.Exec(t, "UPDATE outbox SET type = 'done', n = 1 WHERE id = 'young'")
		rd := r.Start(t, at, false, true)
		rd.Until("the stream", streams)
		f := rd.Until("the row before", func(f *sourcetest.Feed) bool { return slices.Contains(f.IDs, "new") })
		r.Exec(t, "INSERT INTO outbox VALUES ('last', 'o', 'z', 't', '{}')")
		rd.Until("the last row", func(f *sourcetest.Feed) bool { return slices.Contains(f.IDs, "last") })
		if len(f.IDs) != 52 {
			t.Errorf("got %d rows behind the first, want 52: %v", len(f.IDs), f.IDs)
		}
	})
}

// TestSnapshotGoesOnUnderOthersTaste: the key of the last row is read by the server as it was written.
func TestSnapshotGoesOnUnderOthersTaste(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, "CREATE TYPE mood AS ENUM ('ok'); ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD m mood DEFAULT 'ok', ADD k text[] DEFAULT ARRAY[NULL, gen_random_uuid()::text], ADD PRIMARY KEY (m, k)")
		at := cutSnapshot(t, r, 50)
		setOthersTaste(t, d)
		if f := r.Start(t, at, false, true).Until("the stream", streams); len(f.IDs) != 49 {
			t.Errorf("got %d rows behind the first, want 49: %v", len(f.IDs), f.IDs)
		}
	})
}

// TestSnapshotGoesOnByTheOrderOfItsKey, whose type is in a schema that no search_path leads to. Compared as text the others of
// these are not greater than the first.
func TestSnapshotGoesOnByTheOrderOfItsKey(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, `CREATE SCHEMA "Ext"; CREATE EXTENSION citext SCHEMA "Ext"; CREATE DOMAIN word AS "Ext".citext COLLATE "C"; ALTER TABLE outbox ALTER id TYPE word`)
		r.Exec(t, "INSERT INTO outbox VALUES ('a', 'o', 'k', 't', '{}'), ('B', 'o', 'k', 't', '{}'), ('C', 'o', 'k', 't', '{}')")
		rd := r.Start(t, nil, true, true)
		f := rd.Until("a row of the snapshot", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
		if err := rd.Stop(); err != nil {
			t.Fatal(err)
		}
		rest := r.Start(t, f.Last(), false, true).Until("the stream", streams)
		if got := strings.Join(append(f.IDs, rest.IDs...), ""); got != "aBC" {
			t.Errorf("got %s", got)
		}
	})
}

// TestOrderOfAKeyMayNeedARight: without it the server would take another order, in silence. The remedy works.
func TestOrderOfAKeyMayNeedARight(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	r.Exec(t, `CREATE SCHEMA "Ext"; CREATE EXTENSION citext SCHEMA "Ext"; ALTER TABLE outbox ALTER id TYPE "Ext".citext; GRANT SELECT ON outbox TO outferry; GRANT CREATE ON DATABASE `+d.Name+" TO outferry")
	r.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR TABLE outbox")
	r.Source = func(single bool) pipeline.Source {
		return walstream.New(file(t, d.URL("outferry"), "  postgres: {slot: "+d.Name+", publication: "+d.Name+"}"), testLog(t), walstream.Options{Single: single})
	}
	err := r.Start(t, nil, false, true).Fault()
	wantFault(t, err, "pg.permission", outbox.Environment)
	grant, _, _ := strings.Cut(strings.TrimPrefix(err.(*outbox.Fault).Remedy, "run as the table's owner: "), "; or")
	r.Exec(t, grant)
	r.Begun(t)
}

// TestNullsBehindANotNullComeOnceAroundACut: the catalog says NOT NULL, and the rows by whose time a snapshot is read have
// NULLs all the same.
func TestNullsBehindANotNullComeOnceAroundACut(t *testing.T) {
	for _, test := range []struct {
		name, add string
		from      int
		nullable  bool // for readers of the event's schema; Debezium believes a domain
	}{
		{"of a domain", "CREATE DOMAIN moment AS timestamp NOT NULL CHECK (value > '2000-01-01'); ALTER TABLE outbox ADD at moment DEFAULT now(); " +
			"INSERT INTO outbox SELECT n, 'o', 'k', 't', '{}', o.at FROM generate_series(1, 20) n LEFT JOIN outbox o ON false", 13, false},
		{"not valid", "ALTER TABLE outbox ADD at timestamp; INSERT INTO outbox SELECT n, 'o', 'k', 't', '{}' FROM generate_series(1, 20) n; ALTER TABLE outbox ADD NOT NULL at NOT VALID", 18, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, test.from, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				r.Config.Router.Columns.Timestamp = "at"
				r.Exec(t, test.add)
				r.Exec(t, "INSERT INTO outbox SELECT 'timed-' || n, 'o', 'k', 't', '{}', '2026-01-01' FROM generate_series(1, 20) n")
				rd := r.Start(t, nil, true, true)
				f := rd.Until("a row of the snapshot", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
				if err := rd.Stop(); err != nil {
					t.Fatal(err)
				}
				rd = r.Start(t, f.Last(), false, true)
				rd.Until("the stream", streams)
				r.Exec(t, "INSERT INTO outbox VALUES ('last', 'o', 'k', 't', '{}', now())")
				rest := rd.Until("the last row", func(f *sourcetest.Feed) bool { return slices.Contains(f.IDs, "last") })
				ids := slices.Sorted(slices.Values(append(f.IDs, rest.IDs...)))
				if n := len(slices.Compact(ids)); n != 41 || len(ids) != 41 {
					t.Errorf("got %d rows, %d of them different, want 41: %v", len(ids), n, ids)
				}
				for _, table := range []*outbox.Table{f.Tables[0], rest.Tables[len(rest.Tables)-1]} {
					if c := table.Columns[table.Index("at")]; c.Nullable != test.nullable {
						t.Errorf("the column is nullable: %v", c.Nullable)
					}
				}
			})
		})
	}
}

func streams(f *sourcetest.Feed) bool { return strings.Contains(f.Last().String(), `"phase":"stream"`) }

// TestSnapshotGoesOnByTheSameKeyOnly: by another one it would leave rows out or repeat them.
func TestSnapshotGoesOnByTheSameKeyOnly(t *testing.T) {
	for _, test := range []struct {
		name, alter string
		timestamp   string
	}{
		{name: "another key", alter: "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD PRIMARY KEY (id, aggregateid)"},
		{name: "a key of the same size", alter: "UPDATE outbox SET aggregateid = id; ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD PRIMARY KEY (aggregateid)"},
		{name: "another name of its column", alter: "ALTER TABLE outbox RENAME COLUMN id TO event_id"},
		{name: "another type", alter: "ALTER TABLE outbox ALTER COLUMN id TYPE char(64)"},
		{name: "another collation", alter: `ALTER TABLE outbox ALTER COLUMN id TYPE varchar(64) COLLATE "C"`},
		{name: "another time of the row", alter: "ALTER TABLE outbox ADD COLUMN at timestamptz DEFAULT now()", timestamp: "at"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rig(t, servers.Postgres(t, 15))
			at := cutSnapshot(t, r, 50)
			r.Exec(t, somebodysRow)
			r.Exec(t, test.alter)
			r.Config.Router.Columns.Timestamp = test.timestamp
			rd := r.Start(t, at, false, true)
			wantFault(t, rd.Fault(), "pg.key_changed", outbox.PositionLost)
			if len(rd.Feed.IDs) > 0 {
				t.Errorf("it published %d rows first", len(rd.Feed.IDs))
			}
		})
	}
}

// TestSnapshotGoesOnWithTheSameTablesOnly: in another order it would go on in one behind the key of the other.
func TestSnapshotGoesOnWithTheSameTablesOnly(t *testing.T) {
	for _, test := range []struct {
		name, mode string
		tables     []string
	}{
		{"another order", "initial", []string{"second", "outbox"}},
		{"one less", "initial", []string{"second"}},
		{"no log follows", "initial_only", []string{"outbox", "second"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := rig(t, servers.Postgres(t, 15))
			r.Exec(t, "CREATE TABLE second (LIKE outbox INCLUDING ALL)")
			r.Exec(t, "INSERT INTO second SELECT 'a' || n, 'o', 'k', 't', '{}' FROM generate_series(1, 20) n")
			r.Config.Source.Tables = []string{"outbox", "second"}
			at := cutSnapshot(t, r, 50)
			r.Config.Source.Tables, r.Config.Source.Snapshot = test.tables, test.mode
			rd := r.Start(t, at, false, true)
			wantFault(t, rd.Fault(), "config.changed_inside_snapshot", outbox.Config)
			if len(rd.Feed.IDs) > 0 {
				t.Errorf("it published %d rows first", len(rd.Feed.IDs))
			}
		})
	}
}

// TestPublicationThatChangesInACutOffSnapshotStops: rows that it hid from the log may stand before the place where the
// snapshot goes on.
func TestPublicationThatChangesInACutOffSnapshotStops(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		for _, change := range []string{"DROP TABLE outbox; %s; ALTER PUBLICATION %s ADD TABLE outbox", "SET (publish = 'update'); %s; ALTER PUBLICATION %s SET (publish = 'insert')"} {
			t.Run(fmt.Sprint(version, " ", change[:4]), func(t *testing.T) {
				d := servers.Postgres(t, version)
				r := rig(t, d)
				at := cutSnapshot(t, r, 50)
				r.Exec(t, "ALTER PUBLICATION "+d.Name+" "+fmt.Sprintf(change, "INSERT INTO outbox VALUES ('early', 'o', 'k', 't', '{}')", d.Name))
				rd := r.Start(t, at, false, true)
				wantFault(t, rd.Fault(), "pg.publication_changed", outbox.PositionLost)
				if len(rd.Feed.IDs) > 0 {
					t.Errorf("it published %d rows first", len(rd.Feed.IDs))
				}
			})
		}
	}
}

// cutFirstStart begins a first start without a snapshot, stops it when there is a slot, and returns the position by then.
func cutFirstStart(t *testing.T, r *sourcetest.Rig, d *servers.Database, from outbox.Position) outbox.Position {
	t.Helper()
	r.Config.Source.Snapshot = "no_data"
	slotIs := func(what, condition string) {
		servers.Eventually(t, sourcetest.Deadline, what, func() bool {
			return d.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '"+d.Name+"' AND "+condition) == "1"
		})
	}
	rd := r.Start(t, from, false, false)
	intent := rd.Until("the intent", func(f *sourcetest.Feed) bool { return len(f.Positions) > 0 }).Positions[0]
	slotIs("the slot to be read: one that is being made goes with the connection", "active_pid IN (SELECT pid FROM pg_stat_replication WHERE state = 'streaming')")
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	slotIs("the slot to be let go", "NOT active")
	return intent
}

// hiding are changes of a publication that hide a row from the slot, and are undone.
var hiding = []struct {
	name, sql string
	from      int
}{
	{"table away and back", "ALTER PUBLICATION %[1]s DROP TABLE outbox; %[2]s; ALTER PUBLICATION %[1]s ADD TABLE outbox", 13},
	{"inserts off and on", "ALTER PUBLICATION %[1]s SET (publish = 'update'); %[2]s; ALTER PUBLICATION %[1]s SET (publish = 'insert')", 13},
	{"row filter", "ALTER PUBLICATION %[1]s SET TABLE outbox WHERE (id = ''); %[2]s; ALTER PUBLICATION %[1]s SET TABLE outbox", 15},
	{"made anew", "DROP PUBLICATION %[1]s; %[2]s; CREATE PUBLICATION %[1]s FOR TABLE outbox", 13},
}

// hide changes a publication and changes it back. A statement each, since a transaction hides nothing from itself.
func hide(t *testing.T, r *sourcetest.Rig, d *servers.Database, sql string) {
	t.Helper()
	for _, statement := range strings.Split(fmt.Sprintf(sql, d.Name, somebodysRow), "; ") {
		r.Exec(t, statement)
	}
}

// TestPublicationThatChangesInACutOffFirstStartStops: without a snapshot nothing else brings the rows that it hid from the slot.
func TestPublicationThatChangesInACutOffFirstStartStops(t *testing.T) {
	for _, change := range hiding {
		t.Run(change.name, func(t *testing.T) {
			onEach(t, change.from, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				intent := cutFirstStart(t, r, d, nil)
				hide(t, r, d, change.sql)
				r.Exec(t, somebodysRow)
				stopsBefore(t, r, intent, "pg.publication_changed")
				admin, err := walstream.OpenAdmin(t.Context(), r.Config, testLog(t))
				if err != nil {
					t.Fatal(err)
				}
				defer admin.Close()
				_, err = admin.Continue(t.Context(), intent) // else there is no gap for --accept-gap to accept
				wantFault(t, err, "pg.publication_changed", outbox.PositionLost)
			})
		})
	}
}

// TestPublicationThatChangesBeforeTheSlotIsNoMatter: the first start goes on, also when it is cut off once more.
func TestPublicationThatChangesBeforeTheSlotIsNoMatter(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		intent := cutFirstStart(t, r, d, nil)
		d.Exec(t, "SELECT pg_drop_replication_slot('"+d.Name+"')")
		hide(t, r, d, hiding[0].sql)
		intent = cutFirstStart(t, r, d, intent)
		r.Exec(t, somebodysRow)
		r.Rows(t, intent, 1)
	})
}

// TestSnapshotBringsWhatThePublicationHid: it has yet to come, so the change is no matter.
func TestSnapshotBringsWhatThePublicationHid(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		intent := cutFirstStart(t, r, d, nil)
		hide(t, r, d, hiding[0].sql)
		r.Exec(t, somebodysRow)
		r.Config.Source.Snapshot = "initial"
		r.Rows(t, intent, 2)
	})
}

const rewrite = "ALTER TABLE outbox_b ALTER COLUMN payload TYPE bytea USING payload::bytea"

// twoTables is a rig whose second table has three rows and, on request, partitions.
func twoTables(t *testing.T, version int, partitioned bool) *sourcetest.Rig {
	t.Helper()
	r := rig(t, servers.Postgres(t, version))
	r.Config.Source.Tables = append(r.Config.Source.Tables, "public.outbox_b")
	by := ""
	if partitioned {
		by = " PARTITION BY RANGE (id); CREATE TABLE outbox_b1 PARTITION OF outbox_b FOR VALUES FROM (MINVALUE) TO (MAXVALUE)"
	}
	r.Exec(t, "CREATE TABLE outbox_b (LIKE outbox INCLUDING ALL)"+by)
	r.Exec(t, `INSERT INTO outbox SELECT 'a' || n, 'o', 'k', 't', '{}' FROM generate_series(1, 50) n; INSERT INTO outbox_b SELECT 'b' || n, 'o', 'k', 't', '{}' FROM generate_series(1, 3) n`)
	return r
}

// TestRewriteInASnapshotLosesNoRow: rows that an ALTER TABLE has written anew are newer than the snapshot, which would not see them.
func TestRewriteInASnapshotLosesNoRow(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		for _, partitioned := range []bool{false, true} {
			t.Run(fmt.Sprint(version, " partitioned ", partitioned), func(t *testing.T) {
				r := twoTables(t, version, partitioned)
				rd := r.Start(t, nil, true, true)
				rd.Until("a row of the first table", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
				altered := make(chan error, 1)
				go func() {
					_, err := r.DB.ExecContext(t.Context(), rewrite)
					altered <- err
				}()
				time.Sleep(300 * time.Millisecond) // else it comes after the snapshot, which proves nothing
				f := rd.Until("both tables", func(f *sourcetest.Feed) bool {
					return strings.Contains(f.Last().String(), `"phase":"stream"`)
				})
				if err := <-altered; err != nil {
					t.Fatal(err)
				}
				if len(f.IDs) != 53 {
					t.Errorf("got %d rows, want 53", len(f.IDs))
				}
			})
		}
	}
}

// TestRewriteBeforeASnapshotIsTriedAgain: the slot is there, and the tables are not held yet.
func TestRewriteBeforeASnapshotIsTriedAgain(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		for _, partitioned := range []bool{false, true} {
			t.Run(fmt.Sprint(version, " partitioned ", partitioned), func(t *testing.T) {
				r := twoTables(t, version, partitioned)
				untouched := r.Source
				r.Source = func(bool) pipeline.Source {
					return walstream.New(r.Config, testLog(t), walstream.Options{Phase: func(phase string) {
						if phase == "snapshot" {
							r.Exec(t, rewrite)
						}
					}})
				}
				rd := r.Start(t, nil, false, true)
				wantFault(t, rd.Fault(), "pg.table_rewritten", outbox.Transient)
				r.Source = untouched
				f := r.Rows(t, rd.Feed.Last(), 53-len(rd.Feed.IDs))
				if n := len(f.IDs) + len(rd.Feed.IDs); n != 53 {
					t.Errorf("got %d rows, want 53", n)
				}
			})
		}
	}
}

// TestSnapshotNeedsAPrimaryKey: rows without one have no order by which a snapshot that was cut off could go on.
func TestSnapshotNeedsAPrimaryKey(t *testing.T) {
	for _, test := range []struct{ name, alter string }{
		{"none", "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey"},
		{"of a column that the log leaves out", "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD COLUMN made text GENERATED ALWAYS AS (id || 'x') STORED, ADD PRIMARY KEY (made)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := servers.Postgres(t, 15)
			r := rig(t, d)
			r.Exec(t, test.alter)
			r.Exec(t, somebodysRow)
			rd := r.Start(t, nil, false, true)
			wantFault(t, rd.Fault(), "pg.no_primary_key", outbox.Environment)
			if n := d.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '"+d.Name+"'"); n != "0" || len(rd.Feed.IDs) > 0 {
				t.Errorf("it made %s slots and published %d rows first", n, len(rd.Feed.IDs))
			}
		})
	}
}

// TestSnapshotThatLostItsPrimaryKeyStops: the key goes while the snapshot is cut off.
func TestSnapshotThatLostItsPrimaryKeyStops(t *testing.T) {
	r := rig(t, servers.Postgres(t, 15))
	at := cutSnapshot(t, r, 50)
	r.Exec(t, "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey")
	r.Exec(t, somebodysRow)
	rd := r.Start(t, at, false, true)
	wantFault(t, rd.Fault(), "pg.no_primary_key", outbox.Environment)
	if len(rd.Feed.IDs) > 0 {
		t.Errorf("it published %d rows first", len(rd.Feed.IDs))
	}
}

// TestEmptyTableNeedsNoPrimaryKey: nothing is to be put in order.
func TestEmptyTableNeedsNoPrimaryKey(t *testing.T) {
	r := rig(t, servers.Postgres(t, 15))
	r.Exec(t, "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey")
	rd := r.Start(t, nil, false, true)
	rd.Until("the stream", func(f *sourcetest.Feed) bool {
		return strings.Contains(f.Last().String(), `"phase":"stream"`)
	})
	r.Exec(t, somebodysRow)
	rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) == 1 })
}

// TestNoSlotIsFree: somebody must make room, and a retry does not.
func TestNoSlotIsFree(t *testing.T) {
	for _, slots := range []int{0, 1} {
		t.Run(fmt.Sprintf("max_replication_slots = %d", slots), func(t *testing.T) {
			p := servers.StartPostgres(t, servers.PostgresOptions{Version: 15, Settings: []string{fmt.Sprintf("max_replication_slots = %d", slots)}})
			d := p.Database(t)
			r := rig(t, d)
			if slots > 0 {
				d.Exec(t, "SELECT pg_create_physical_replication_slot('theirs')")
			}
			wantFault(t, r.Start(t, nil, false, true).Fault(), "pg.slots_exhausted", outbox.Environment)
		})
	}
}

// TestKeyOfAnotherTypeBehindTheSlotStops: a row that the log has with another text of its key would come twice. The remedy works.
func TestKeyOfAnotherTypeBehindTheSlotStops(t *testing.T) {
	for _, test := range []struct{ before, id, alter, later string }{
		{"varchar(36)", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "uuid USING id::uuid", "b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"numeric(20)", "1", "numeric(20, 2)", "2"},
	} {
		t.Run(test.alter, func(t *testing.T) {
			onEach(t, 13, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				r.Config.Source.Postgres.Create = false
				r.Exec(t, "DROP TABLE outbox; CREATE TABLE outbox (id "+test.before+" PRIMARY KEY, aggregatetype text, aggregateid text, type text, payload text)")
				r.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR TABLE outbox WITH (publish = 'insert, update')")
				r.Exec(t, "SELECT pg_create_logical_replication_slot('"+d.Name+"', 'pgoutput')")
				r.Exec(t, "INSERT INTO outbox VALUES ('"+test.id+"', 'o', 'k', 't', '{}')")
				r.Exec(t, "ALTER TABLE outbox ALTER COLUMN id TYPE "+test.alter)
				rd := r.Start(t, nil, false, true)
				err := rd.Fault()
				wantFault(t, err, "pg.key_changed", outbox.PositionLost)
				if len(rd.Feed.IDs) > 0 {
					t.Errorf("it published %v first", rd.Feed.IDs)
				}
				_, statements, _ := strings.Cut(err.(*outbox.Fault).Remedy, "make it anew: ")
				for _, statement := range strings.Split(statements, "; ") {
					r.Exec(t, statement)
				}
				rd = r.Start(t, nil, false, true)
				rd.Until("the stream", streams)
				r.Exec(t, "INSERT INTO outbox VALUES ('"+test.later+"', 'o', 'k', 't', '{}')")
				if f := rd.Until("a later row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 1 }); len(f.IDs) != 2 {
					t.Errorf("got %v", f.IDs)
				}
			})
		})
	}
}
