package walstream_test

import (
	"slices"
	"strings"
	"testing"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// TestLargeRowsThatAreNotOursPass: source.max_row is for what is published. Of other tables the publication may bring rows of any
// size, and the slot brings again what was published when max_row was larger.
func TestLargeRowsThatAreNotOursPass(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		r.Exec(t, "CREATE TABLE big (t text); ALTER TABLE big REPLICA IDENTITY FULL; CREATE PUBLICATION "+d.Name+" FOR TABLE outbox, big")
		at := r.Begun(t)
		const row = "INSERT INTO outbox VALUES ('%', 'o', 'k', 't', '{}'); "
		var changes string
		for _, size := range []string{"100000", "1000000", "3000000"} { // in a batch's buffer, and beyond it
			changes += "INSERT INTO big SELECT string_agg(md5(i::text), '') FROM generate_series(1, " + size + " / 32) i; " + strings.Replace(row, "%", size, 1)
		}
		r.Config.Source.MaxRow = 8 << 20
		rd := r.Start(t, at, false, false)
		r.Exec(t, "INSERT INTO outbox VALUES ('published', 'o', 'k', 't', repeat('x', 2000000))")
		at = rd.Until("a large row", func(f *sourcetest.Feed) bool { return slices.Contains(f.IDs, "published") }).Last()
		if err := rd.Stop(); err != nil {
			t.Fatal(err)
		}
		r.Config.Source.MaxRow = 64 << 10
		r.Exec(t, strings.Replace(row, "%", "first", 1)+changes+"UPDATE big SET t = t || 'x'; "+"DELETE FROM big; "+strings.Replace(row, "%", "last", 1))
		r.Exec(t, strings.Replace(row, "%", "next", 1))
		f := r.Rows(t, at, 6)
		if want := []string{"first", "100000", "1000000", "3000000", "last", "next"}; !slices.Equal(f.IDs, want) {
			t.Errorf("got %v, want %v", f.IDs, want)
		}
		rd = r.Start(t, f.Last(), false, true)
		r.Exec(t, "INSERT INTO outbox VALUES ('ours', 'o', 'k', 't', repeat('x', 1000000))")
		wantFault(t, rd.Fault(), "row.too_large", outbox.Internal)
	})
}
