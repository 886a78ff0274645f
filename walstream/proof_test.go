package walstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/walstream"
)

// edited is a position with some of its members replaced.
func edited(t *testing.T, p outbox.Position, change map[string]any) outbox.Position {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(p, &m); err != nil {
		t.Fatal(err)
	}
	for k, v := range change {
		m[k] = v
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wantFault(t *testing.T, err error, code string, class outbox.Class) {
	t.Helper()
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code != code || f.Class != class {
		t.Fatalf("got %v, want fault %s of class %d", err, code, class)
	}
	if class != outbox.Transient && f.Remedy == "" && class != outbox.Busy {
		t.Errorf("fault %s has no remedy", code)
	}
}

// TestStartProvesThatTheLogGoesOn is the decision table at start: whatever breaks continuity stops with its
// own code and hands nothing over.
func TestStartProvesThatTheLogGoesOn(t *testing.T) {
	const insertRow = `INSERT INTO outbox VALUES (gen_random_uuid(), 'o', 'k', 't', '{}')`
	for _, test := range []struct {
		name string
		do   func(t *testing.T, d *servers.Database)
		from func(t *testing.T, at outbox.Position) outbox.Position
		code string
	}{
		{name: "slot dropped while down (G5)", code: "pg.slot_missing",
			do: func(t *testing.T, d *servers.Database) { d.Exec(t, "SELECT pg_drop_replication_slot('"+d.Name+"')") }},
		{name: "slot dropped and made again (G6)", code: "pg.slot_ahead",
			do: func(t *testing.T, d *servers.Database) {
				d.Exec(t, "SELECT pg_drop_replication_slot('"+d.Name+"')")
				d.Exec(t, insertRow)
				d.Exec(t, "SELECT pg_create_logical_replication_slot('"+d.Name+"', 'pgoutput')")
			}},
		{name: "slot advanced by somebody (G7)", code: "pg.slot_ahead",
			do: func(t *testing.T, d *servers.Database) {
				d.Exec(t, insertRow)
				d.Exec(t, "SELECT pg_replication_slot_advance('"+d.Name+"', pg_current_wal_lsn())")
			}},
		{name: "offset older than the slot (G8)", code: "pg.slot_ahead",
			from: func(t *testing.T, at outbox.Position) outbox.Position {
				return edited(t, at, map[string]any{"lsn": "0/1"})
			}},
		{name: "server behind the offset (F3)", code: "pg.server_behind",
			from: func(t *testing.T, at outbox.Position) outbox.Position {
				return edited(t, at, map[string]any{"lsn": "FF/0"})
			}},
		{name: "another server", code: "pg.wrong_source",
			from: func(t *testing.T, at outbox.Position) outbox.Position {
				return edited(t, at, map[string]any{"system_id": "1"})
			}},
		{name: "another database", code: "pg.wrong_source",
			from: func(t *testing.T, at outbox.Position) outbox.Position {
				return edited(t, at, map[string]any{"database": "elsewhere"})
			}},
		{name: "old primary (G16)", code: "pg.timeline_behind",
			from: func(t *testing.T, at outbox.Position) outbox.Position {
				return edited(t, at, map[string]any{"timeline": 7})
			}},
		{name: "offset lost, slot there", code: "pg.slot_without_offset",
			from: func(*testing.T, outbox.Position) outbox.Position { return nil }},
		{name: "garbage", code: "kafka.offset_invalid",
			from: func(*testing.T, outbox.Position) outbox.Position { return outbox.Position(`{"kind":"mysql"}`) }},
		{name: "publication dropped (G24)", code: "pg.publication_missing",
			do: func(t *testing.T, d *servers.Database) { d.Exec(t, "DROP PUBLICATION "+d.Name) }},
		{name: "publication without inserts (G24)", code: "pg.publication_changed",
			do: func(t *testing.T, d *servers.Database) {
				d.Exec(t, "ALTER PUBLICATION "+d.Name+" SET (publish = 'delete')")
			}},
		{name: "publication with a row filter (G24)", code: "pg.publication_changed",
			do: func(t *testing.T, d *servers.Database) {
				d.Exec(t, "ALTER PUBLICATION "+d.Name+" SET TABLE outbox WHERE (id <> 'x')")
			}},
		{name: "table left the publication and came back", code: "pg.publication_changed",
			do: func(t *testing.T, d *servers.Database) {
				d.Exec(t, "ALTER PUBLICATION "+d.Name+" DROP TABLE outbox")
				d.Exec(t, "ALTER PUBLICATION "+d.Name+" ADD TABLE outbox")
			}},
		{name: "table left the publication, and we could add it", code: "pg.publication_changed",
			do: func(t *testing.T, d *servers.Database) { d.Exec(t, "ALTER PUBLICATION "+d.Name+" DROP TABLE outbox") }},
		{name: "inserts were off for a while", code: "pg.publication_changed",
			do: func(t *testing.T, d *servers.Database) {
				d.Exec(t, "ALTER PUBLICATION "+d.Name+" SET (publish = 'delete')")
				d.Exec(t, "ALTER PUBLICATION "+d.Name+" SET (publish = 'insert')")
			}},
		{name: "table dropped and made again", code: "pg.publication_changed",
			do: func(t *testing.T, d *servers.Database) {
				d.Exec(t, "DROP TABLE outbox; DROP TABLE other;"+tablesSQL)
			}},
		{name: "publication with a list of columns", code: "pg.publication_changed",
			do: func(t *testing.T, d *servers.Database) {
				d.Exec(t, "ALTER PUBLICATION "+d.Name+" SET TABLE outbox (id, payload)")
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := servers.Postgres(t, 15)
			r := rig(t, d)
			at := r.Begun(t)
			if test.do != nil {
				test.do(t, d)
			}
			if test.from != nil {
				at = test.from(t, at)
			}
			r.Exec(t, insertRow)
			rd := r.Start(t, at, false, true)
			err := rd.Fault()
			wantFault(t, err, test.code, outbox.PositionLost)
			if len(rd.Feed.Positions) > 0 {
				t.Errorf("it handed over %d batches first", len(rd.Feed.Positions))
			}
		})
	}
}

// TestSlotOfTwoPhasesIsRefused: it would bring prepared transactions in messages of their own. The remedy works.
func TestSlotOfTwoPhasesIsRefused(t *testing.T) {
	onEach(t, 14, func(t *testing.T, d *servers.Database) {
		r := rig(t, d, ", create: false")
		r.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR TABLE outbox WITH (publish = 'insert', publish_via_partition_root = true)")
		d.Exec(t, "SELECT pg_create_logical_replication_slot('"+d.Name+"', 'pgoutput', false, true)")
		err := r.Start(t, nil, false, true).Fault()
		wantFault(t, err, "pg.slot_foreign", outbox.Environment)
		var f *outbox.Fault
		_ = errors.As(err, &f)
		_, sql, _ := strings.Cut(f.Remedy, ": ")
		d.Exec(t, sql)
		r.Begun(t)
	})
}

// TestPublicationYoungerThanTheSlotHasAWayOn: until PostgreSQL 17 the slot fails for ever, also behind offsets set --accept-gap,
// which sees no gap while there is a slot.
func TestPublicationYoungerThanTheSlotHasAWayOn(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		from := edited(t, r.Begun(t), map[string]any{"published": nil})
		hide(t, r, d, hiding[3].sql)
		r.Exec(t, somebodysRow)
		if strings.HasPrefix(d.Text(t, "SELECT current_setting('server_version')"), "18") {
			r.Rows(t, from, 1) // it passes over what it has no publication for, with a warning of its own
			return
		}
		err := r.Start(t, from, false, true).Fault()
		wantFault(t, err, "pg.slot_missing", outbox.PositionLost)
		_, sql, _ := strings.Cut(err.(*outbox.Fault).Remedy, "drop it: ")
		sql, _, _ = strings.Cut(sql, ";")
		servers.Eventually(t, sourcetest.Deadline, "the slot to be let go", func() bool {
			return d.Text(t, "SELECT active FROM pg_replication_slots WHERE slot_name = '"+d.Name+"'") == "false"
		})
		d.Exec(t, sql)
		admin, err := walstream.OpenAdmin(t.Context(), r.Config, testLog(t))
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		if _, err = admin.Continue(t.Context(), from); err == nil {
			t.Error("there is no gap to accept")
		}
		at, err := admin.CreateSlot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.Exec(t, somebodysRow)
		r.Rows(t, admin.At(at), 1)
	})
}

// TestTableNamedLaterIsStreamedFromThenOn: it joins the publication, and the position of the others goes on.
func TestTableNamedLaterIsStreamedFromThenOn(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	at := r.Begun(t)
	d.Exec(t, "CREATE TABLE outbox_b (LIKE outbox INCLUDING ALL)")
	cfg := file(t, d.URL("postgres"), "  postgres: {slot: "+d.Name+", publication: "+d.Name+"}")
	cfg.Source.Tables = append(cfg.Source.Tables, "public.outbox_b")
	r.Source = func(bool) pipeline.Source { return walstream.New(cfg, testLog(t), walstream.Options{}) }
	for _, id := range []string{"1", "2"} { // the second start proves the membership that the first one made
		rd := r.Start(t, at, false, true)
		servers.Eventually(t, sourcetest.Deadline, "the table to join the publication", func() bool {
			return d.Text(t, "SELECT count(*) FROM pg_publication_tables WHERE pubname = '"+d.Name+"'") == "2" &&
				d.Text(t, "SELECT active FROM pg_replication_slots WHERE slot_name = '"+d.Name+"'") == "true"
		})
		r.Exec(t, `INSERT INTO outbox VALUES ('a`+id+`', 'o', 'k', 't', '{}'); INSERT INTO outbox_b VALUES ('b`+id+`', 'o', 'k', 't', '{}')`)
		f := rd.Until("a row of each", func(f *sourcetest.Feed) bool { return len(f.IDs) >= 2 })
		if fmt.Sprint(f.IDs) != "[a"+id+" b"+id+"]" {
			t.Fatalf("got %v", f.IDs)
		}
		if at = f.Last(); rd.Stop() != nil {
			t.Fatal("stop failed")
		}
	}
}

// TestPartOfAnotherTransactionStops: the rest of a large transaction is skipped row by row, so it must be that one.
func TestPartOfAnotherTransactionStops(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	at := r.Begun(t)
	r.Exec(t, `INSERT INTO outbox SELECT n, 'o', 'k', 't', '{}' FROM generate_series(1, 10) n`)
	from := edited(t, at, map[string]any{"part": map[string]any{"xid": 1, "final_lsn": "0/1", "rows": 3}})
	wantFault(t, r.Start(t, from, false, true).Fault(), "pg.part_mismatch", outbox.PositionLost)
}

// TestFirstStartThatWasCutOffGoesOn: a crash after the intent, before and after the slot was made (G32).
func TestFirstStartThatWasCutOffGoesOn(t *testing.T) {
	for _, slot := range []bool{false, true} {
		t.Run(fmt.Sprint("slot ", slot), func(t *testing.T) {
			d := servers.Postgres(t, 15)
			r := rig(t, d)
			r.Exec(t, `INSERT INTO outbox SELECT 'old-' || n, 'o', 'k', 't', '{}' FROM generate_series(1, 10) n`)
			rd := r.Start(t, nil, false, false)
			intent := rd.Until("the intent", func(f *sourcetest.Feed) bool { return len(f.Positions) > 0 }).Positions[0]
			if err := rd.Stop(); err != nil {
				t.Fatal(err)
			}
			d.Exec(t, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '"+d.Name+"'")
			if slot {
				d.Exec(t, "SELECT pg_create_logical_replication_slot('"+d.Name+"', 'pgoutput')")
			}
			r.Exec(t, `INSERT INTO outbox SELECT 'new-' || n, 'o', 'k', 't', '{}' FROM generate_series(1, 10) n`)
			f := r.Rows(t, intent, 20)
			seen := map[string]bool{}
			for _, id := range f.IDs {
				seen[id] = true
			}
			if len(f.IDs) != 20 || len(seen) != 20 {
				t.Errorf("got %d rows, %d different, want 20: %v", len(f.IDs), len(seen), f.IDs)
			}
		})
	}
}

// TestLostSlotStops: the server gave the slot's WAL up (G10).
func TestLostSlotStops(t *testing.T) {
	p := servers.StartPostgres(t, servers.PostgresOptions{Version: 15, Settings: []string{"max_slot_wal_keep_size = '1MB'", "min_wal_size = '32MB'", "wal_keep_size = 0"}})
	d := p.Database(t)
	r := rig(t, d)
	at := r.Begun(t)
	servers.Eventually(t, sourcetest.Deadline, "the slot to be lost", func() bool {
		d.Exec(t, "CREATE TABLE IF NOT EXISTS fill (t text); INSERT INTO fill SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
		d.Exec(t, "SELECT pg_switch_wal()")
		d.Exec(t, "CHECKPOINT")
		return d.Text(t, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = '"+d.Name+"'") == "lost"
	})
	wantFault(t, r.Start(t, at, false, true).Fault(), "pg.slot_lost", outbox.PositionLost)
}

// TestRestoredBackupStops: WAL and Kafka went different ways (G9).
func TestRestoredBackupStops(t *testing.T) {
	p := servers.StartPostgres(t, servers.PostgresOptions{Version: 15, Fsync: true})
	d := p.Database(t)
	r := rig(t, d)
	at := r.Begun(t)
	p.Stop()
	backup := p.CopyData()
	p.Start()
	r.Exec(t, `INSERT INTO outbox SELECT 'later-' || n, 'o', 'k', 't', repeat('x', 1000) FROM generate_series(1, 1000) n`)
	at = r.Rows(t, at, 1000).Last()
	p.Stop()
	p.Restore(backup)
	p.Start()
	wantFault(t, r.Start(t, at, false, true).Fault(), "pg.server_behind", outbox.PositionLost)
}

// TestPromotedStandbyGoesOnFromTheFork: a standby with the synced slot is promoted without the last WAL. What it
// never had is a ghost that is reported; what it has and gets is delivered (G13).
func TestPromotedStandbyGoesOnFromTheFork(t *testing.T) {
	p := servers.StartPostgres(t, servers.PostgresOptions{Version: 17})
	d := p.Database(t)
	r := rig(t, d, ", failover: true")
	standby := p.Standby()
	synced := &servers.Database{Name: d.Name, Port: standby.Port}
	rd := r.Start(t, nil, false, true)
	servers.Eventually(t, sourcetest.Deadline, "the slot to be synced", func() bool {
		r.Exec(t, `INSERT INTO outbox SELECT gen_random_uuid(), 'o', 'k', 't', '{}'`)
		d.Exec(t, "SELECT pg_log_standby_snapshot()")
		n := len(rd.Feed.IDs)
		rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > n })
		return synced.Text(t, "SELECT synced AND NOT temporary FROM pg_replication_slots WHERE slot_name = '"+d.Name+"'") == "true"
	})
	standby.CatchUp(t, p)
	standby.Reload("primary_conninfo = ''") // from here on it misses what follows
	servers.Eventually(t, sourcetest.Deadline, "the standby to be cut off", func() bool {
		return synced.Text(t, "SELECT count(*) FROM pg_stat_wal_receiver") == "0"
	})
	n := len(rd.Feed.IDs)
	r.Exec(t, `INSERT INTO outbox SELECT 'ghost-' || n, 'o', 'k', 't', '{}' FROM generate_series(1, 39) n`)
	at := rd.Until("the ghosts", func(f *sourcetest.Feed) bool { return len(f.IDs) >= n+39 }).Last()
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	p.StopImmediate()
	standby.Promote()
	cfg := file(t, standby.DSN("postgres", d.Name), "  postgres: {slot: "+d.Name+", publication: "+d.Name+"}")
	var ghosts int64
	r.Source = func(bool) pipeline.Source {
		return walstream.New(cfg, testLog(t), walstream.Options{Ghosts: func(_ string, bytes int64) { ghosts = bytes }})
	}
	synced.Exec(t, `INSERT INTO outbox VALUES ('new-1', 'o', 'k', 't', '{}'), ('new-2', 'o', 'k', 't', '{}')`)
	f := r.Rows(t, at, 2)
	if fmt.Sprint(f.IDs) != "[new-1 new-2]" {
		t.Errorf("got %v of the new history", f.IDs)
	}
	if ghosts <= 0 {
		t.Error("no ghosts were reported")
	}
}
