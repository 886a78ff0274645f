package binlog_test

import (
	"strings"
	"testing"

	"outferry/internal/servers"
	"outferry/outbox"
)

// TestErrantTransactionIsNotPassedBy: a replica logged it of its own, under a number before the last one that was published, so that
// the promoted server, asked by number, would never send it.
func TestErrantTransactionIsNotPassedBy(t *testing.T) {
	errant := map[string]string{"rows of the outbox": insert("errant"), "rows of another table": "INSERT INTO other VALUES (1)", "a statement": "ANALYZE TABLE other",
		"rows that are deleted": "DELETE FROM outbox"}
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL's sets tell, and such rows are published
		}
		for name, statement := range errant {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				m, r, d, f := withReplica(t, version)
				there := &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
				for _, s := range []*servers.MySQLDatabase{d, there} {
					s.Exec(t, "SET GLOBAL gtid_strict_mode = 0")
				}
				d.Exec(t, insert("a1"))
				r.CatchUp(t, m)
				there.Exec(t, statement)
				d.Exec(t, insert("a2"))
				d.Exec(t, insert("a3"))
				f.wait(3)
				f.stop()
				r.CatchUp(t, m)
				there.Exec(t, "FLUSH BINARY LOGS")
				r.Promote()
				there.Exec(t, insert("a4"))
				if strings.Contains(statement, "INTO outbox") {
					g := resume(t, there, f.last)
					wantFault(t, g.fault(), "mysql.errant", outbox.PositionLost)
					if len(g.rows) > 0 {
						t.Errorf("%d rows were published first", len(g.rows))
					}
					return
				}
				g, said := startSaying(t, file(t, there, noData), f.last)
				if got := idsOf(g.wait(1)); got != "a4" {
					t.Errorf("got %s", got)
				}
				g.stop()
				if !strings.Contains(said.String(), "transactions that the one before never had") {
					t.Errorf("it does not say that it passes by a transaction: %s", said)
				}
			})
		}
	})
}

// TestFormerSourceIsNotErrant: its own old numbers are in the log of its successor too, or older than the pipeline.
func TestFormerSourceIsNotErrant(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		m, r, d, f := withReplica(t, version)
		d.Exec(t, insert("a1"))
		f.wait(1)
		f.stop()
		r.CatchUp(t, m)
		at, here, there := f.last, d, &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
		for _, id := range []string{"a2", "a3", "a4"} {
			r.Promote()
			m.Follow(r)
			there.Exec(t, insert(id))
			m.CatchUp(t, r)
			g, said := startSaying(t, file(t, there, noData), at)
			if got := idsOf(g.wait(1)); got != id {
				t.Errorf("got %s, want %s", got, id)
			}
			g.stop()
			if strings.Contains(said.String(), "never had") {
				t.Errorf("a false alarm: %s", said)
			}
			at, here, there, m, r = g.last, there, here, r, m
		}
	})
}
