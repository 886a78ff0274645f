package main

import (
	"testing"

	"outferry/internal/servers"
)

// TestAPassedByRowHidesNothingElse: the command of a fault says what else it goes past.
func TestAPassedByRowHidesNothingElse(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	r.db.Exec(t, "INSERT INTO outbox VALUES ('bad', 'no such/topic', 'k', 't', '{}')")
	f := r.failure(1)
	r.db.Exec(t, "ALTER PUBLICATION "+r.slot()+" DROP TABLE outbox")
	r.insert(1)
	r.db.Exec(t, "ALTER PUBLICATION "+r.slot()+" ADD TABLE outbox")
	r.moves(r.commandOf(f), "what stands in the way of the present position")
}

// TestAPassedByRowOfARenamedTableIsOneOfOurs, and so are those that follow.
func TestAPassedByRowOfARenamedTableIsOneOfOurs(t *testing.T) {
	db := servers.Postgres(t, 15)
	db.Exec(t, "CREATE PUBLICATION everything FOR ALL TABLES")
	r := newRig(t, db, "  postgres: {publication: everything}\n")
	r.insert(1)
	r.runUntil(1)
	db.Exec(t, "ALTER TABLE outbox RENAME TO old; CREATE TABLE outbox (LIKE old INCLUDING ALL); ALTER TABLE outbox OWNER TO outferry")
	for range 2 {
		r.insert(1)
		db.Exec(t, "INSERT INTO old SELECT 'old' || count(*), 'x', 'k', 't', '{}' FROM old")
	}
	for n := range 2 {
		f := r.failure(4)
		if f.Code != "pg.table_renamed" {
			t.Fatalf("row %d of the old table: %v", n, f)
		}
		r.moves(r.commandOf(f), "holds 1 outbox rows in 1 transactions")
	}
	r.runUntil(3)
	r.wantEvents("1-3")
}
