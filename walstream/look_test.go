package walstream_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/router"
	"outferry/walstream"
)

const partitioned = "CREATE TABLE outbox (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF outbox FOR VALUES FROM (0) TO (10); "

// onePartition makes the outbox of a rig a partitioned table.
const onePartition = "DROP TABLE outbox; CREATE TABLE outbox (id varchar(64) PRIMARY KEY, aggregatetype text, aggregateid text, type text, payload text) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF outbox DEFAULT"

// foreign is a server that nobody reaches: its wrapper has no handler.
const foreign = "CREATE FOREIGN DATA WRAPPER none; CREATE SERVER elsewhere FOREIGN DATA WRAPPER none; "

func look(t *testing.T, d *servers.Database, user string, more ...string) ([]*outbox.Table, error) {
	t.Helper()
	return walstream.New(file(t, d.URL(user), more...), testLog(t), walstream.Options{}).Look(t.Context())
}

// TestLookNamesWhatIsMissing: each thing that stands in the way has its code, and leaves no trace.
func TestLookNamesWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		name, sql, user string
		code            string
		class           outbox.Class
		remedy          string
	}{
		{name: "no table", sql: "CREATE TABLE my_outbox (id int)", code: "pg.table_missing", class: outbox.Transient, remedy: "public.my_outbox"},
		{name: "unlogged", sql: "CREATE UNLOGGED TABLE outbox (id int)", code: "pg.table_unlogged", class: outbox.Environment, remedy: "SET LOGGED"},
		{name: "unlogged partition", sql: partitioned + "CREATE UNLOGGED TABLE p2 PARTITION OF outbox FOR VALUES FROM (10) TO (20)", code: "pg.table_unlogged", class: outbox.Environment, remedy: `ALTER TABLE "public"."p2" SET LOGGED`},
		{name: "unlogged partition of a partition", sql: partitioned + "CREATE TABLE p2 PARTITION OF outbox FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id); CREATE UNLOGGED TABLE p3 PARTITION OF p2 FOR VALUES FROM (10) TO (20)",
			code: "pg.table_unlogged", class: outbox.Environment, remedy: "p3"},
		{name: "foreign partition", sql: partitioned + foreign + "CREATE FOREIGN TABLE p2 PARTITION OF outbox FOR VALUES FROM (10) TO (20) SERVER elsewhere", code: "pg.table_kind", class: outbox.Environment,
			remedy: `ALTER TABLE "public"."outbox" DETACH PARTITION "public"."p2"`},
		{name: "foreign partition of a partition", sql: partitioned + foreign + "CREATE TABLE p2 PARTITION OF outbox FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id); CREATE FOREIGN TABLE p3 PARTITION OF p2 FOR VALUES FROM (10) TO (20) SERVER elsewhere",
			code: "pg.table_kind", class: outbox.Environment, remedy: `ALTER TABLE "public"."p2" DETACH PARTITION "public"."p3"`},
		{name: "inheritance", sql: tablesSQL + "; CREATE TABLE outbox_2026 () INHERITS (outbox)", code: "pg.table_inherited", class: outbox.Environment, remedy: `ALTER TABLE "public"."outbox_2026" NO INHERIT "public"."outbox"`},
		{name: "a view", sql: "CREATE VIEW outbox AS SELECT 1", code: "pg.table_kind", class: outbox.Environment, remedy: "source.tables"},
		{name: "role may not replicate", sql: tablesSQL, user: "app", code: "pg.permission", class: outbox.Environment, remedy: "ALTER ROLE"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := servers.Postgres(t, 15)
			d.Exec(t, test.sql)
			user := "postgres"
			if test.user != "" {
				user = test.user
			}
			_, err := look(t, d, user)
			wantFault(t, err, test.code, test.class)
			if !strings.Contains(err.Error(), test.remedy) {
				t.Errorf("%v does not say %q", err, test.remedy)
			}
			if strings.HasPrefix(test.remedy, "ALTER TABLE") && strings.HasSuffix(err.(*outbox.Fault).Remedy, test.remedy) { // it works when pasted
				d.Exec(t, test.remedy)
				if _, err := look(t, d, user); err != nil {
					t.Errorf("after the remedy: %v", err)
				}
			}
		})
	}
}

// TestRoleThatTheServerChangesIsNamed: who logs in may replicate, and a default makes another role of it. The remedy works.
func TestRoleThatTheServerChangesIsNamed(t *testing.T) {
	for _, of := range []string{"DATABASE %[1]s", "ROLE %[1]s_in", "ROLE %[1]s_in IN DATABASE %[1]s"} {
		t.Run(of, func(t *testing.T) {
			d := servers.Postgres(t, 15)
			d.Exec(t, tablesSQL)
			who := fmt.Sprintf(of, d.Name)
			d.Exec(t, fmt.Sprintf("CREATE ROLE %[1]s_in SUPERUSER LOGIN PASSWORD '%[1]s_in'; CREATE ROLE %[1]s_weak; ALTER %[2]s SET role = '%[1]s_weak'", d.Name, who))
			t.Cleanup(func() {
				d.Exec(t, fmt.Sprintf("SET ROLE NONE; ALTER %[2]s RESET role; DROP ROLE %[1]s_in, %[1]s_weak", d.Name, who))
			})
			_, err := look(t, d, d.Name+"_in")
			wantFault(t, err, "pg.permission", outbox.Environment)
			command, ok := strings.CutPrefix(err.(*outbox.Fault).Remedy, "run as a superuser: ")
			if !ok || !strings.HasSuffix(command, "RESET role") || !strings.Contains(err.Error(), d.Name+"_weak may not replicate") {
				t.Fatal(err)
			}
			d.Exec(t, "SET ROLE NONE; "+command)
			if _, err := look(t, d, d.Name+"_in"); err != nil {
				t.Errorf("after the remedy: %v", err)
			}
		})
	}
}

// TestPartitionIsNoTableOfItsOwn: what names it beside its table is told how to write that.
func TestPartitionIsNoTableOfItsOwn(t *testing.T) {
	onEach(t, 15, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, onePartition)
		r.Config.Source.Tables = []string{"public.outbox", "public.p1"}
		_, err := r.Source(false).Look(t.Context())
		wantFault(t, err, "pg.table_kind", outbox.Environment)
		if !strings.Contains(err.Error(), "take public.p1 out of source.tables") {
			t.Error(err)
		}
		r.Config.Source.Tables = r.Config.Source.Tables[:1]
		r.Begun(t)
	})
}

func TestLookNeedsLogicalWAL(t *testing.T) {
	p := servers.StartPostgres(t, servers.PostgresOptions{Version: 15, Settings: []string{"wal_level = replica"}})
	d := p.Database(t)
	d.Exec(t, tablesSQL)
	_, err := look(t, d, "postgres")
	wantFault(t, err, "pg.wal_level", outbox.Environment)
}

// TestLookSeesWhoWorks: a slot that is read makes a standby, not a second reader (G17).
func TestLookSeesWhoWorks(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	rd := r.Start(t, r.Begun(t), false, true)
	r.Exec(t, `INSERT INTO outbox VALUES ('a1', 'o', 'k', 't', '{}')`)
	rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
	_, err := look(t, d, "postgres", "  postgres: {slot: "+d.Name+", publication: "+d.Name+"}")
	wantFault(t, err, "pg.slot_busy", outbox.Busy)
}

// TestPublicationThatChangesStopsTheStream: on PostgreSQL 18 rows would be missing without an error (G24).
func TestPublicationThatChangesStopsTheStream(t *testing.T) {
	walstream.CheckPublicationEvery(t, 100*time.Millisecond)
	for _, version := range servers.PostgresVersions(t) {
		d := servers.Postgres(t, version)
		r := rig(t, d)
		rd := r.Start(t, r.Begun(t), false, true)
		r.Exec(t, `INSERT INTO outbox VALUES ('a1', 'o', 'k', 't', '{}')`)
		rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
		d.Exec(t, "ALTER PUBLICATION "+d.Name+" DROP TABLE outbox")
		err := rd.Fault()
		wantFault(t, err, "pg.publication_changed", outbox.PositionLost)
		if r := err.(*outbox.Fault).Remedy; !strings.Contains(r, "before the stored position") { // the watch is slower than the position
			t.Errorf("the remedy leaves out where rows may be missing: %s", r)
		}
	}
}

// TestSchemaThatLeftThePublicationStops: the rows in between are in no slot.
func TestSchemaThatLeftThePublicationStops(t *testing.T) {
	walstream.CheckPublicationEvery(t, 100*time.Millisecond)
	for _, test := range []struct{ name, sql string }{
		{"dropped and added", "ALTER PUBLICATION %[1]s DROP TABLES IN SCHEMA public; INSERT INTO outbox VALUES ('gone', 'o', 'k', 't', '{}'); ALTER PUBLICATION %[1]s ADD TABLES IN SCHEMA public"},
		{"set away and back", "CREATE SCHEMA s2; ALTER PUBLICATION %[1]s SET TABLES IN SCHEMA s2; INSERT INTO outbox VALUES ('gone', 'o', 'k', 't', '{}'); ALTER PUBLICATION %[1]s SET TABLES IN SCHEMA public"},
		{"table moved away and back", "CREATE SCHEMA s2; ALTER TABLE outbox SET SCHEMA s2; INSERT INTO s2.outbox VALUES ('gone', 'o', 'k', 't', '{}'); ALTER TABLE s2.outbox SET SCHEMA public; COMMENT ON PUBLICATION %[1]s IS ''"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, 15, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				d.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR TABLES IN SCHEMA public WITH (publish = 'insert', publish_via_partition_root = true)")
				at := r.Begun(t)
				r.Exec(t, somebodysRow)
				rd := r.Start(t, at, false, true)
				rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
				for _, statement := range strings.Split(fmt.Sprintf(test.sql, d.Name), "; ") {
					r.Exec(t, statement)
				}
				wantFault(t, rd.Fault(), "pg.publication_changed", outbox.PositionLost)
				stopsBefore(t, r, rd.Feed.Last(), "pg.publication_changed")
			})
		})
	}
}

// TestPublicationOfTablesThatTheRoleMayNotSee: it has no right to their schemas, and needs none.
func TestPublicationOfTablesThatTheRoleMayNotSee(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Source = func(single bool) pipeline.Source {
			return walstream.New(file(t, d.URL("outferry"), "  postgres: {create: false, slot: "+d.Name+", publication: "+d.Name+"}"), testLog(t), walstream.Options{Single: single})
		}
		r.Exec(t, "GRANT SELECT ON outbox TO outferry; CREATE SCHEMA secret; CREATE TABLE secret.other (n int PRIMARY KEY); CREATE PUBLICATION "+d.Name+" FOR ALL TABLES WITH (publish = 'insert')")
		r.Exec(t, "SELECT pg_create_logical_replication_slot('"+d.Name+"', 'pgoutput')")
		r.Begun(t)
	})
}

// TestPublicationOfAnyName: the commands of replication have a grammar of their own, in which a backslash is a character.
func TestPublicationOfAnyName(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Config.Source.Postgres.Publication = `P\b'l "ic" \\ 50%, é`
		r.Begun(t)
	})
}

// TestRemedyOfARowFilterLeavesOthersTables in the publication.
func TestRemedyOfARowFilterLeavesOthersTables(t *testing.T) {
	onEach(t, 15, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR TABLE outbox WHERE (id <> 'x'), other WITH (publish = 'insert')")
		err := r.Start(t, nil, false, true).Fault()
		wantFault(t, err, "pg.publication_changed", outbox.Environment)
		r.Exec(t, err.(*outbox.Fault).Remedy)
		r.Begun(t)
		if got := d.Text(t, "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_publication_tables"); got != "other outbox" {
			t.Errorf("the publication is of %s", got)
		}
	})
}

// TestColumnListIsComparedByName: a generated column in it does not make up for another (PostgreSQL 18).
func TestColumnListIsComparedByName(t *testing.T) {
	onEach(t, 18, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, "ALTER TABLE outbox ADD COLUMN g text GENERATED ALWAYS AS (id || 'x') STORED")
		r.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR TABLE outbox (id, g, aggregatetype, aggregateid, payload)")
		wantFault(t, r.Start(t, nil, false, true).Fault(), "pg.publication_changed", outbox.Environment)
		r.Exec(t, "ALTER PUBLICATION "+d.Name+" SET TABLE outbox (id, g, aggregatetype, aggregateid, type, payload)")
		r.Begun(t)
	})
}

// TestPublicationOfPartitionsIsNamed: the table is in it, and its rows have the names of the partitions. The remedy works.
func TestPublicationOfPartitionsIsNamed(t *testing.T) {
	for _, members := range []string{"TABLE outbox", "ALL TABLES", "TABLE other"} {
		t.Run(members, func(t *testing.T) {
			onEach(t, 13, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				r.Exec(t, onePartition)
				r.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR "+members)
				err := r.Start(t, nil, false, true).Fault()
				wantFault(t, err, "pg.publication_changed", outbox.Environment)
				var f *outbox.Fault
				if !errors.As(err, &f) || !strings.Contains(f.Remedy, "publish_via_partition_root = true") {
					t.Fatalf("%v has the wrong remedy", err)
				}
				r.Exec(t, f.Remedy)
				r.Begun(t)
			})
		})
	}
}

// TestTableThatCameToTheOutboxStopsTheStream: its rows would be missing.
func TestTableThatCameToTheOutboxStopsTheStream(t *testing.T) {
	walstream.CheckPublicationEvery(t, 100*time.Millisecond)
	for _, test := range []struct{ name, before, sql, code string }{
		{"child", "", "CREATE TABLE outbox_2026 () INHERITS (outbox)", "pg.table_inherited"},
		{"unlogged partition", onePartition, "CREATE UNLOGGED TABLE p2 PARTITION OF outbox FOR VALUES IN ('z')", "pg.table_unlogged"},
		{"foreign partition", onePartition, "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey; " + foreign + "CREATE FOREIGN TABLE p2 PARTITION OF outbox FOR VALUES IN ('z') SERVER elsewhere", "pg.table_kind"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, 13, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				r.Exec(t, test.before)
				rd := r.Start(t, r.Begun(t), false, true)
				r.Exec(t, somebodysRow)
				rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
				r.Exec(t, test.sql)
				wantFault(t, rd.Fault(), test.code, outbox.Environment)
			})
		})
	}
}

// TestRenamedTableStops: rows of the table under its new name are not to be passed over.
func TestRenamedTableStops(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	rd := r.Start(t, r.Begun(t), false, true)
	r.Exec(t, `INSERT INTO outbox VALUES ('a1', 'o', 'k', 't', '{}')`)
	rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
	r.Exec(t, "ALTER TABLE outbox RENAME TO outbox_2")
	r.Exec(t, `INSERT INTO outbox_2 VALUES ('a2', 'o', 'k', 't', '{}')`)
	wantFault(t, rd.Fault(), "pg.table_renamed", outbox.PositionLost)
}

// TestPublicationMadeByUsLeavesTheApplicationAlone: an UPDATE of a table without replica identity must go on
// working (G35).
func TestPublicationMadeByUsLeavesTheApplicationAlone(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	d.Exec(t, "ALTER TABLE outbox REPLICA IDENTITY NOTHING")
	r.Begun(t)
	r.Exec(t, "UPDATE outbox SET type = 'x'")
	r.Exec(t, "DELETE FROM outbox")
}

// TestLostReplicaIdentityIsNoticed: the publication publishes updates, and then the primary key goes. The
// application's UPDATE works again soon, and the change of the publication, our own, stops no start.
func TestLostReplicaIdentityIsNoticed(t *testing.T) {
	walstream.CheckPublicationEvery(t, 100*time.Millisecond)
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	rd := r.Start(t, r.Begun(t), false, true)
	r.Exec(t, `INSERT INTO outbox VALUES ('a1', 'o', 'k', 't', '{}')`)
	rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
	d.Exec(t, "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey")
	rd.Until("an UPDATE to work again", func(*sourcetest.Feed) bool {
		_, err := r.DB.Exec("UPDATE outbox SET type = 'x'")
		return err == nil
	})
	r.Exec(t, `INSERT INTO outbox VALUES ('a2', 'o', 'k', 't', '{}')`)
	at := rd.Until("the row after it", func(f *sourcetest.Feed) bool { return len(f.IDs) > 1 }).Last()
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	r.Exec(t, `INSERT INTO outbox VALUES ('a3', 'o', 'k', 't', '{}')`)
	r.Rows(t, at, 1)
}

// TestKillAfterOurOwnChangeOfThePublication: the change is in the database, and in no position yet.
func TestKillAfterOurOwnChangeOfThePublication(t *testing.T) {
	walstream.CheckPublicationEvery(t, 100*time.Millisecond)
	for _, test := range []struct{ name, before, after, comment, code string }{
		{name: "ours alone"},
		{name: "beside a comment", before: "COMMENT ON PUBLICATION %s IS 'it''s theirs'", comment: "it's theirs\n"},
		{name: "then somebody's", after: "ALTER PUBLICATION %s SET (publish = 'delete')", code: "pg.publication_changed"},
		{name: "then somebody's, and back", after: "ALTER PUBLICATION %[1]s SET (publish = 'delete'); ALTER PUBLICATION %[1]s SET (publish = 'insert')", code: "pg.publication_changed"},
		{name: "somebody's before", before: "ALTER PUBLICATION %[1]s SET (publish = 'delete'); ALTER PUBLICATION %[1]s SET (publish = 'insert, update')", code: "pg.publication_changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := servers.Postgres(t, 15)
			r := rig(t, d)
			r.Config.Source.HeartbeatInterval = time.Hour
			from := r.Begun(t)
			if test.before != "" {
				r.Exec(t, fmt.Sprintf(test.before, d.Name))
			}
			rd := r.Start(t, edited(t, from, map[string]any{"published": nil}), false, false) // takes what was before for good
			d.Exec(t, "ALTER TABLE outbox DROP CONSTRAINT outbox_pkey")
			servers.Eventually(t, sourcetest.Deadline, "an UPDATE to work again", func() bool {
				_, err := r.DB.Exec("UPDATE outbox SET type = 'x'")
				return err == nil
			})
			if err := rd.Stop(); err != nil {
				t.Fatal(err)
			}
			if test.after != "" {
				r.Exec(t, fmt.Sprintf(test.after, d.Name))
			}
			if test.code != "" {
				wantFault(t, r.Start(t, from, false, true).Fault(), test.code, outbox.PositionLost)
				return
			}
			r.Exec(t, `INSERT INTO outbox VALUES ('a1', 'o', 'k', 't', '{}')`)
			r.Rows(t, from, 1)
			if got := d.Text(t, "SELECT obj_description(oid, 'pg_publication') FROM pg_publication WHERE pubname = '"+d.Name+"'"); !strings.HasPrefix(got, test.comment) {
				t.Errorf("the publication's comment is %q, want it to begin with %q", got, test.comment)
			}
		})
	}
}

// TestIdlePipelineLetsTheWALGo: the outbox is quiet, a neighbour is busy, and the slot moves (G30).
func TestIdlePipelineLetsTheWALGo(t *testing.T) {
	d := servers.Postgres(t, 15)
	neighbour := servers.Postgres(t, 15)
	neighbour.Exec(t, "CREATE TABLE busy (t text)")
	r := rig(t, d)
	rd := r.Start(t, r.Begun(t), false, true)
	behind := func() int64 {
		rd.Until("", func(*sourcetest.Feed) bool { return true })
		var n int64
		if err := r.DB.QueryRow("SELECT pg_current_wal_lsn() - confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1", d.Name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 5 {
		neighbour.Exec(t, "INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
	}
	seen := 0
	servers.Eventually(t, sourcetest.Deadline, "the slot to follow the neighbour", func() bool {
		rd.Until("an idle position", func(f *sourcetest.Feed) bool { return len(f.Positions) > seen })
		seen = len(rd.Feed.Positions)
		return behind() < 1<<20
	})
}

// TestGeneratedColumnIsNamedAsSuch: it is in the table, and not in the log.
func TestGeneratedColumnIsNamedAsSuch(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		d.Exec(t, tablesSQL+"; ALTER TABLE outbox DROP COLUMN payload, ADD COLUMN payload text GENERATED ALWAYS AS (id || 'x') STORED")
		tables, err := look(t, d, "postgres")
		if err != nil {
			t.Fatal(err)
		}
		cfg := file(t, d.URL("postgres"))
		rt, err := router.New(cfg.Router, cfg.Encoding)
		if err != nil {
			t.Fatal(err)
		}
		_, err = rt.Plan(tables[0])
		wantFault(t, err, "router.column_missing", outbox.Config)
		if !strings.Contains(err.Error(), "generated columns are not in the log") {
			t.Error(err)
		}
	})
}
