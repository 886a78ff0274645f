package sourcetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"outferry/outbox"
)

// Run runs the suite. make gives each test a rig of its own.
func Run(t *testing.T, make func(t *testing.T) *Rig) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, r *Rig)
	}{
		{"CommitOrderIsKept", commitOrder},
		{"RolledBackRowsAreAbsent", rollback},
		{"SavepointsRolledBackAreAbsent", savepoints},
		{"InsertAndDeleteInOneTransactionIsDelivered", insertDelete},
		{"UpdateIsNotAnInsert", update},
		{"ForeignTransactionsMoveThePosition", foreign},
		{"EveryCommitIsAPlaceToResume", resumeEverywhere},
		{"InterleavedTransactionSurvivesARestart", interleavedRestart},
		{"LargeTransactionIsBoundedAndResumesInside", large},
		{"BatchesSayWhereTheirLastTransactionBegan", cutBetween},
		{"BulkLoadIsWhole", bulk},
		{"LargeValuesArriveWhole", largeValues},
		{"EndBehindAFullBatchDoesNotWait", endBehindFullBatch},
		{"ShapeChangesWhereItHappened", ddl},
		{"ForeignDDLIsInvisible", foreignDDL},
		{"SnapshotThenStreamHasNoSeam", snapshotSeam},
		{"SnapshotResumesAfterAKill", snapshotResume},
		{"ServerKilledInsideATransaction", serverKilled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, make(t)) })
	}
}

func want(t *testing.T, got []string, ids ...string) {
	t.Helper()
	if !slices.Equal(got, ids) {
		t.Fatalf("got %v, want %v", tailOf(got), tailOf(ids))
	}
}

// wantFrom reads from a position on, and confirms nothing.
func (r *Rig) wantFrom(t *testing.T, from outbox.Position, ids []string) {
	t.Helper()
	rd := r.Start(t, from, false, false)
	f := rd.Until("the rest", func(f *Feed) bool { return len(f.IDs) >= len(ids) })
	want(t, f.IDs, ids...)
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
}

func tailOf(ids []string) string {
	if len(ids) > 30 {
		return fmt.Sprintf("%d rows ending in %v", len(ids), ids[len(ids)-10:])
	}
	return fmt.Sprint(ids)
}

func commitOrder(t *testing.T, r *Rig) {
	at := r.Begun(t)
	a, b := r.Tx(t), r.Tx(t)
	a.Exec(insert("a1"))
	b.Exec(insert("b1"))
	a.Exec(insert("a2"))
	b.Exec("COMMIT")
	a.Exec(insert("a3"))
	a.Exec("COMMIT")
	r.Exec(t, insert("c1", "c2"))
	want(t, r.Rows(t, at, 6).IDs, "b1", "a1", "a2", "a3", "c1", "c2")
}

func rollback(t *testing.T, r *Rig) {
	at := r.Begun(t)
	a := r.Tx(t)
	a.Exec(insert("gone1", "gone2"))
	r.Exec(t, insert("kept1"))
	a.Exec("ROLLBACK")
	r.Exec(t, insert("kept2"))
	want(t, r.Rows(t, at, 2).IDs, "kept1", "kept2")
}

func savepoints(t *testing.T, r *Rig) {
	at := r.Begun(t)
	a := r.Tx(t)
	a.Exec(insert("a1"))
	a.Exec("SAVEPOINT s")
	a.Exec(insert("gone"))
	a.Exec("ROLLBACK TO SAVEPOINT s")
	a.Exec(insert("a2"))
	for i := range 50 {
		a.Exec(fmt.Sprintf("SAVEPOINT s%d", i))
		a.Exec(insert(fmt.Sprintf("gone%d", i)))
		a.Exec(fmt.Sprintf("ROLLBACK TO SAVEPOINT s%d", i))
	}
	a.Exec("COMMIT")
	want(t, r.Rows(t, at, 2).IDs, "a1", "a2")
}

func insertDelete(t *testing.T, r *Rig) {
	at := r.Begun(t)
	a := r.Tx(t)
	a.Exec(insert("a1"))
	a.Exec("DELETE FROM outbox WHERE id = 'a1'")
	a.Exec("COMMIT")
	r.Exec(t, "DELETE FROM outbox")
	r.Exec(t, insert("a2"))
	want(t, r.Rows(t, at, 2).IDs, "a1", "a2")
}

func update(t *testing.T, r *Rig) {
	at := r.Begun(t)
	r.Exec(t, insert("a1"))
	r.Exec(t, "UPDATE outbox SET type = 'changed' WHERE id = 'a1'")
	r.Exec(t, insert("a2"))
	f := r.Rows(t, at, 2)
	want(t, f.IDs, "a1", "a2")
	if f.Updates != 1 {
		t.Errorf("got %d updates, want 1", f.Updates)
	}
}

// foreign: nothing for us happens, and yet the position moves on, so that the log can be let go.
func foreign(t *testing.T, r *Rig) {
	at := r.Begun(t)
	rd := r.Start(t, at, false, true)
	for i := range 200 {
		r.Exec(t, fmt.Sprintf("INSERT INTO other VALUES (%d)", i))
	}
	f := rd.Until("a position past foreign transactions", func(f *Feed) bool {
		return len(f.Positions) > 0 && f.Last().String() != at.String()
	})
	want(t, f.IDs)
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	r.Exec(t, insert("a1"))
	want(t, r.Rows(t, f.Last(), 1).IDs, "a1")
}

func resumeEverywhere(t *testing.T, r *Rig) {
	at := r.Begun(t)
	var ids []string
	for i := range 8 {
		var tx []string
		for j := range i%3 + 1 {
			tx = append(tx, fmt.Sprintf("t%d-%d", i, j))
		}
		r.Exec(t, insert(tx...))
		r.Exec(t, fmt.Sprintf("INSERT INTO other VALUES (%d)", i))
		ids = append(ids, tx...)
	}
	rd := r.Start(t, at, true, false)
	all := *rd.Until("all rows one transaction at a time", func(f *Feed) bool { return len(f.IDs) >= len(ids) })
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	want(t, all.IDs, ids...)
	r.Exec(t, insert("last"))
	ids = append(ids, "last")
	for i, from := range all.Positions {
		r.wantFrom(t, from, ids[all.Rows[i]:])
	}
}

// interleavedRestart: A's first rows are older than B's commit, and A commits after we stood there.
func interleavedRestart(t *testing.T, r *Rig) {
	at := r.Begun(t)
	a := r.Tx(t)
	a.Exec(insert("a1"))
	r.Exec(t, insert("b1"))
	f := r.Rows(t, at, 1)
	want(t, f.IDs, "b1")
	a.Exec(insert("a2"))
	a.Exec("COMMIT")
	r.Exec(t, insert("c1"))
	want(t, r.Rows(t, f.Last(), 3).IDs, "a1", "a2", "c1")
}

func large(t *testing.T, r *Rig) {
	const rows, chunk = 200_000, 1000
	at := r.Begun(t)
	a := r.Tx(t)
	var ids []string
	for i := 0; i < rows; i += chunk {
		var part []string
		for j := range chunk {
			part = append(part, fmt.Sprintf("large-%06d", i+j))
		}
		a.Exec(insert(part...))
		ids = append(ids, part...)
	}
	a.Exec("COMMIT")
	rd := r.Start(t, at, false, false)
	all := *rd.Until("a large transaction", func(f *Feed) bool { return len(f.IDs) >= rows })
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	want(t, all.IDs, ids...)
	parts := 0
	for i := range all.Positions {
		if all.Partial[i] {
			parts++
		}
	}
	if parts < 10 {
		t.Fatalf("got %d parts of a large transaction, want many", parts)
	}
	if all.Largest > outbox.BatchBytes {
		t.Errorf("a batch took %d bytes, want %d at most", all.Largest, outbox.BatchBytes)
	}
	for _, i := range []int{0, parts / 2, parts - 1} {
		r.wantFrom(t, all.Positions[i], ids[all.Rows[i]:])
	}
}

// cutBetween: nearly every batch ends inside a transaction, and has a place to resume before it.
func cutBetween(t *testing.T, r *Rig) {
	const transactions, rows = 60, 40
	at := r.Begun(t)
	pad := strings.Repeat("x", 2<<10)
	var ids []string
	for i := range transactions {
		var tx []string
		for j := range rows {
			tx = append(tx, fmt.Sprintf("tx%02d-%02d", i, j))
		}
		r.Exec(t, insertPayload(pad, tx...))
		ids = append(ids, tx...)
	}
	rd := r.Start(t, at, false, false)
	time.Sleep(time.Second) // much waits at the socket: a source that runs dry hands over at the end of a transaction
	all := *rd.Until("all transactions", func(f *Feed) bool { return len(f.IDs) >= len(ids) })
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	want(t, all.IDs, ids...)
	if len(all.Cuts) < 3 {
		t.Fatalf("%d of %d batches say where their last transaction began", len(all.Cuts), len(all.Positions))
	}
	for _, i := range all.Cuts {
		if all.Rows[i]%rows != 0 || all.Rows[i] == 0 {
			t.Errorf("a cut behind row %d is inside a transaction", all.Rows[i])
		}
	}
	for _, i := range []int{all.Cuts[0], all.Cuts[len(all.Cuts)/2], all.Cuts[len(all.Cuts)-1]} {
		r.wantFrom(t, all.Positions[i], ids[all.Rows[i]:])
	}
}

func bulk(t *testing.T, r *Rig) {
	at := r.Begun(t)
	var ids []string
	for i := range 10_000 {
		ids = append(ids, fmt.Sprintf("bulk-%05d", i))
	}
	r.Bulk(t, ids)
	want(t, r.Rows(t, at, len(ids)).IDs, ids...)
}

func largeValues(t *testing.T, r *Rig) {
	at := r.Begun(t)
	for i, size := range []int{1 << 10, 300 << 10, 5 << 20, 10} {
		r.Exec(t, insertPayload(`{"pad":"`+strings.Repeat("x", size)+`"}`, fmt.Sprintf("size%d", i)))
	}
	f := r.Rows(t, at, 4)
	want(t, f.IDs, "size0", "size1", "size2", "size3")
	if f.Largest < 5<<20 || f.Largest > 12<<20 {
		t.Errorf("the largest batch took %d bytes", f.Largest)
	}
}

// endBehindFullBatch: rows that fill their batch go on their way before their transaction ends, and then the end
// comes alone. It must not wait for more.
func endBehindFullBatch(t *testing.T, r *Rig) {
	at := r.Begun(t)
	r.Config.Source.HeartbeatInterval = time.Hour
	rd := r.Start(t, at, false, true)
	for i, kib := range []int{200, 250, 256, 300, 600} {
		r.Exec(t, insertPayload(strings.Repeat("x", kib<<10), fmt.Sprint("size", i)))
		rd.Until("the row and the end of its transaction", func(f *Feed) bool {
			return len(f.IDs) > i && !f.Partial[len(f.Partial)-1]
		})
	}
}

func ddl(t *testing.T, r *Rig) {
	at := r.Begun(t)
	r.Exec(t, insert("before"))
	r.Exec(t, "ALTER TABLE outbox ADD COLUMN extra varchar(20) DEFAULT 'x' "+r.After)
	r.Exec(t, insert("between"))
	r.Exec(t, "ALTER TABLE outbox DROP COLUMN type")
	r.Exec(t, "INSERT INTO outbox (id, aggregatetype, aggregateid, payload, extra) VALUES ('after', 'o', 'k', '{}', 'y')")
	f := r.Rows(t, at, 3)
	want(t, f.IDs, "before", "between", "after")
	for i, wantColumns := range [][2]bool{{true, false}, {true, true}, {false, true}} {
		table := f.Tables[i]
		got := [2]bool{table.Index("type") >= 0, table.Index("extra") >= 0}
		if got != wantColumns {
			t.Errorf("row %s: has type and extra %v, want %v", f.IDs[i], got, wantColumns)
		}
	}
}

func foreignDDL(t *testing.T, r *Rig) {
	at := r.Begun(t)
	for _, s := range []string{"CREATE TABLE outbox_old (n int)", "ALTER TABLE other ADD COLUMN m int", "INSERT INTO other VALUES (1, 2)",
		"INSERT INTO outbox_old VALUES (1)", "DROP TABLE outbox_old", insert("a1")} {
		r.Exec(t, s)
	}
	want(t, r.Rows(t, at, 1).IDs, "a1")
}

// snapshotSeam: writers commit all through the first start; every row comes once.
func snapshotSeam(t *testing.T, r *Rig) {
	const writers, each = 4, 150
	for i := range 500 {
		r.Exec(t, insert(fmt.Sprintf("old-%d", i)))
	}
	done := make(chan error, writers)
	for w := range writers {
		go func() {
			for i := range each {
				if _, err := r.DB.Exec(insert(fmt.Sprintf("w%d-%d", w, i))); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	rd := r.Start(t, nil, false, true)
	f := rd.Until("old and new rows", func(f *Feed) bool { return len(f.IDs) >= 500+writers*each })
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	r.Exec(t, insert("last"))
	f = rd.Until("the last row", func(f *Feed) bool { return f.IDs[len(f.IDs)-1] == "last" })
	unique(t, f.IDs, 500+writers*each+1)
}

// snapshotResume: the snapshot is cut off again and again, while rows are written; every row comes once.
func snapshotResume(t *testing.T, r *Rig) {
	const old = 5000
	var part []string
	for i := range old {
		if part = append(part, fmt.Sprintf("old-%05d", i)); len(part) == 500 {
			r.Exec(t, insertPayload(strings.Repeat("p", 300), part...))
			part = nil
		}
	}
	var ids []string
	var at outbox.Position
	for cut := range 4 {
		rd := r.Start(t, at, false, true)
		f := rd.Until("a part of the snapshot", func(f *Feed) bool { return len(f.IDs) > 0 })
		ids, at = append(ids, f.IDs...), f.Last()
		if err := rd.Stop(); err != nil {
			t.Fatal(err)
		}
		r.Exec(t, insert(fmt.Sprintf("new-%d", cut), fmt.Sprintf("new-%d-2", cut)))
	}
	if len(ids) >= old {
		t.Fatalf("the snapshot was over after %d rows: no cut inside it", len(ids))
	}
	rd := r.Start(t, at, false, true)
	r.Exec(t, insert("last"))
	f := rd.Until("the last row", func(f *Feed) bool { return len(f.IDs) > 0 && f.IDs[len(f.IDs)-1] == "last" })
	unique(t, append(ids, f.IDs...), old+9)
}

func unique(t *testing.T, ids []string, n int) {
	t.Helper()
	seen := map[string]int{}
	for _, id := range ids {
		seen[id]++
	}
	for id, times := range seen {
		if times > 1 {
			t.Errorf("row %s came %d times", id, times)
		}
	}
	if len(seen) != n {
		t.Errorf("got %d different rows, want %d", len(seen), n)
	}
}

func serverKilled(t *testing.T, r *Rig) {
	if r.Kill == nil {
		t.Fatal("the rig has no server of its own")
	}
	at := r.Begun(t)
	r.Exec(t, insert("a1"))
	open := r.Tx(t)
	open.Exec(insert("gone1"))
	rd := r.Start(t, at, false, true)
	f := *rd.Until("the committed row", func(f *Feed) bool { return len(f.IDs) >= 1 })
	r.Kill()
	if err := rd.Fault(); err == nil {
		t.Fatal("the source survived its server")
	}
	r.Exec(t, insert("a2"))
	want(t, append(f.IDs, r.Rows(t, f.Last(), 1).IDs...), "a1", "a2")
}
