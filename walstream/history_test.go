package walstream_test

import (
	"fmt"
	"testing"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/walstream"
)

// restored is a server whose data directory was put back from a cold copy and written on by the application, beyond the position
// that it returns: of the rows that were published since the copy it has none. Idle moves the position behind the last of them.
func restored(t *testing.T, version int, idle bool) (r *sourcetest.Rig, at outbox.Position) {
	t.Helper()
	s := servers.StartPostgres(t, servers.PostgresOptions{Version: version})
	r = rig(t, s.Database(t))
	at = r.Begun(t)
	write := func(name string) {
		r.Exec(t, fmt.Sprintf("INSERT INTO outbox VALUES ('%s', 'o', 'k', 't', '{}')", name))
	}
	write("before")
	at = r.Rows(t, at, 1).Last()
	s.Stop()
	backup := s.CopyData()
	s.Start()
	if !idle {
		write("forgotten")
		at = r.Rows(t, at, 1).Last()
	}
	r.Exec(t, "INSERT INTO other SELECT generate_series(1, 1000)")
	at = past(t, r, at)
	s.Stop()
	s.Restore(backup)
	s.Start()
	write("lost")
	r.Exec(t, "INSERT INTO other SELECT generate_series(1, 100000)")
	return r, at
}

// past reads on until the position is behind everything that was written.
func past(t *testing.T, r *sourcetest.Rig, from outbox.Position) outbox.Position {
	t.Helper()
	var end walstream.LSN
	if err := r.DB.QueryRowContext(t.Context(), "SELECT pg_current_wal_lsn() - '0/0'").Scan(&end); err != nil {
		t.Fatal(err)
	}
	rd := r.Start(t, from, false, true)
	f := rd.Until("the end of the log", func(f *sourcetest.Feed) bool {
		at, err := walstream.ParsePlace(f.Last())
		return err == nil && at.LSN >= end
	})
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	return f.Last()
}

// TestACopyThatIsPutBackAndWrittenOnStops: the server takes the position, which its log has reached again by then.
func TestACopyThatIsPutBackAndWrittenOnStops(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		for name, idle := range map[string]bool{"behind a row": false, "behind others' transactions": true} {
			t.Run(fmt.Sprint(version, " ", name), func(t *testing.T) {
				r, at := restored(t, version, idle)
				stopsBefore(t, r, at, "pg.other_history")
				stopsBefore(t, r, at, "pg.other_history") // it does not wear off
			})
		}
	}
}
