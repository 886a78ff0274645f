package walstream_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// onEach runs a test on every PostgreSQL version of this run from the given one on.
func onEach(t *testing.T, from int, test func(t *testing.T, d *servers.Database)) {
	t.Helper()
	for _, version := range servers.PostgresVersions(t) {
		if version >= from {
			t.Run(fmt.Sprint(version), func(t *testing.T) { test(t, servers.Postgres(t, version)) })
		}
	}
}

// stopsBefore reads from a position, wants the fault, and no row of the ids before it.
func stopsBefore(t *testing.T, r *sourcetest.Rig, from outbox.Position, code string) {
	t.Helper()
	rd := r.Start(t, from, false, true)
	wantFault(t, rd.Fault(), code, outbox.PositionLost)
	if len(rd.Feed.IDs) > 0 {
		t.Errorf("it published %v first", rd.Feed.IDs)
	}
}

// TestRenameAwayAndBackStops: the rows of the other name come before any row of the table's own in this session.
func TestRenameAwayAndBackStops(t *testing.T) {
	away := func(r *sourcetest.Rig) {
		r.Exec(t, "ALTER TABLE outbox RENAME TO outbox_2")
		r.Exec(t, strings.Replace(somebodysRow, "outbox", "outbox_2", 1))
		r.Exec(t, "ALTER TABLE outbox_2 RENAME TO outbox")
		r.Exec(t, somebodysRow)
	}
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		at := r.Begun(t)
		away(r)
		stopsBefore(t, r, at, "pg.table_renamed")
	})
	t.Run("in a first session, before the first row", func(t *testing.T) {
		r := rig(t, servers.Postgres(t, 15))
		rd := r.Start(t, nil, false, true)
		rd.Until("the stream", func(f *sourcetest.Feed) bool { return strings.Contains(f.Last().String(), `"phase":"stream"`) })
		away(r)
		wantFault(t, rd.Fault(), "pg.table_renamed", outbox.PositionLost)
	})
	t.Run("while a snapshot is cut off", func(t *testing.T) {
		r := rig(t, servers.Postgres(t, 15))
		at := cutSnapshot(t, r, 50)
		away(r)
		stopsBefore(t, r, at, "pg.table_renamed")
	})
	t.Run("and is passed by as the fault says", func(t *testing.T) {
		r := rig(t, servers.Postgres(t, 15))
		at := r.Begun(t)
		away(r)
		var f *outbox.Fault
		if !errors.As(r.Start(t, at, false, true).Fault(), &f) {
			t.Fatal("no fault")
		}
		_, lsn, _ := strings.Cut(f.Remedy, "--lsn ")
		lsn, _, _ = strings.Cut(lsn, " ")
		r.Rows(t, edited(t, at, map[string]any{"lsn": lsn, "published": nil, "tables": nil}), 1)
	})
}

// TestTableThatTakesTheNameIsNoRename: rows that a table got before it took the name over are nobody's concern, whether
// the log is read as it grows or later.
func TestTableThatTakesTheNameIsNoRename(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	d.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR ALL TABLES WITH (publish = 'insert', publish_via_partition_root = true)")
	at := r.Begun(t)
	r.Exec(t, "CREATE TABLE outbox_2 (LIKE outbox INCLUDING ALL)")
	r.Exec(t, strings.Replace(somebodysRow, "outbox", "outbox_2", 1))
	r.Exec(t, "ALTER TABLE outbox RENAME TO outbox_1; ALTER TABLE outbox_2 RENAME TO outbox")
	r.Exec(t, `INSERT INTO outbox VALUES ('a1', 'o', 'k', 't', '{}')`)
	at2 := r.Rows(t, at, 1).Last()
	r.Exec(t, "ALTER TABLE outbox RENAME TO outbox_2")
	r.Exec(t, strings.Replace(somebodysRow, "outbox", "outbox_2", 1))
	r.Exec(t, "ALTER TABLE outbox_2 RENAME TO outbox")
	stopsBefore(t, r, at2, "pg.table_renamed")
}

// TestTheFormerTableMayBeEmptied: that is nothing to publish, whatever it was called.
func TestTheFormerTableMayBeEmptied(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	d.Exec(t, "CREATE PUBLICATION "+d.Name+" FOR ALL TABLES WITH (publish_via_partition_root = true)")
	at := r.Begun(t)
	r.Exec(t, somebodysRow)
	r.Exec(t, "ALTER TABLE outbox RENAME TO outbox_1; CREATE TABLE outbox (LIKE outbox_1 INCLUDING ALL)")
	r.Exec(t, "DELETE FROM outbox_1")
	r.Exec(t, "TRUNCATE outbox_1")
	r.Exec(t, `INSERT INTO outbox VALUES ('a1', 'o', 'k', 't', '{}')`)
	at = r.Rows(t, at, 2).Last()
	r.Exec(t, strings.Replace(somebodysRow, "outbox", "outbox_1", 1))
	stopsBefore(t, r, at, "pg.table_renamed")
}
