package binlog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"outferry/binlog"
	"outferry/internal/servers"
	"outferry/outbox"
)

// TestGhostsStayPublished: the way on that a fault names after a failover has them, is taken, and keeps them from coming
// again with the old source.
func TestGhostsStayPublished(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return // a server that lacks what was published is no successor
		}
		m, r, d, f := withReplica(t, version)
		d.Exec(t, insert("a1"))
		r.CatchUp(t, m)
		r.Promote()
		d.Exec(t, insert("ghost"))
		f.wait(2)
		f.stop()
		m.Stop()
		there := &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
		there.Exec(t, insert("a2"))
		there.Exec(t, "SET SESSION binlog_format = STATEMENT; "+insert("bad"))
		there.Exec(t, insert("a3"))
		g := resume(t, there, f.last)
		fault := g.fault()
		wantFault(t, fault, "mysql.statement_format", outbox.PositionLost)
		_, command, _ := strings.Cut(fault.Remedy, " --gtid ")
		set, _, _ := strings.Cut(command, " ")

		admin, err := binlog.OpenAdmin(t.Context(), file(t, there), testLog(t))
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		at, err := binlog.ParsePlace(g.last)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin.AtGTID(nil, at.GTID); err == nil {
			t.Error("nothing shows that the ghosts were published")
		} else {
			wantFault(t, asFault(t, err), "offsets.ahead_of_server", outbox.Environment)
		}
		if _, err := admin.AtGTID(g.last, set+",11111111-1111-1111-1111-111111111111:1"); err == nil || !strings.Contains(err.Error(), "has not executed 11111111-1111-1111-1111-111111111111:1") {
			t.Errorf("a transaction of nobody: %v", err)
		}
		to, err := admin.AtGTID(g.last, set)
		if err == nil {
			err = admin.Continue(to)
		}
		if err != nil {
			t.Fatal(err)
		}
		if d, err := admin.Compare(g.last, to); err != nil || !strings.HasPrefix(d.Skipped, "1 transaction,") || d.Repeated != "" {
			t.Errorf("%+v, %v", d, err)
		}
		h := resume(t, there, to)
		h.wait(1)
		m.Start()
		r.Follow(m)
		d.Exec(t, insert("a4"))
		h.wait(2)
		if got := idsOf(append(g.rows, h.rows...)); got != "a2 a3 a4" {
			t.Errorf("got %s", got)
		}
	})
}

// TestNumbersOfGhostsAreGivenAgain by an old source that was rebuilt as a copy of its successor and promoted: what they stand
// for then was never published. A pipeline that was away meanwhile sees no ghost, but another transaction.
func TestNumbersOfGhostsAreGivenAgain(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return // a server that lacks what was published is no successor
		}
		for _, away := range []bool{false, true} {
			t.Run(fmt.Sprintf("away=%v", away), func(t *testing.T) {
				m, r, d, f := withReplica(t, version)
				d.Exec(t, insert("a1"))
				r.CatchUp(t, m)
				r.Promote()
				d.Exec(t, insert("ghost1"))
				d.Exec(t, insert("ghost2"))
				f.wait(3)
				f.stop()
				time.Sleep(1100 * time.Millisecond) // as long as no copy takes
				there := &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
				there.Exec(t, insert("a2"))
				at := f.last
				var got []copied
				if !away {
					g := resume(t, there, at)
					got = g.wait(1)
					g.stop()
					at = g.last
				}
				d.Exec(t, "SET sql_log_bin = 0; DELETE FROM outbox WHERE id LIKE 'ghost%'; SET sql_log_bin = 1; "+resetSQL(version))
				d.Exec(t, "SET GLOBAL gtid_purged = '"+there.Text(t, "SELECT @@GLOBAL.gtid_executed")+"'")
				d.Exec(t, "SET sql_log_bin = 0; "+insert("a2"))
				r.Follow(m)
				d.Exec(t, insert("new1"))
				r.CatchUp(t, m)
				g := resume(t, there, at)
				g.wait(2 - len(got))
				d.Exec(t, insert("new2"))
				g.wait(3 - len(got))
				g.stop()
				d.Exec(t, insert("new3"))
				h := resume(t, d, g.last)
				h.wait(1)
				if got := idsOf(slices.Concat(got, g.rows, h.rows)); got != "a2 new1 new2 new3" {
					t.Errorf("got %s", got)
				}
			})
		}
	})
}
