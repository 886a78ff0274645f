package binlog_test

import (
	"fmt"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/internal/servers"
	"outferry/outbox"
)

// TestTransactionWithoutANumberIsNotPassedBy: asked by GTID, MySQL begins behind the files in which nothing new has a number.
func TestTransactionWithoutANumberIsNotPassedBy(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return // it numbers all
		}
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		d.Exec(t, "SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = OFF_PERMISSIVE")
		d.Exec(t, insert("unnumbered"))
		wantFault(t, resume(t, d, at).fault(), "mysql.gtid_off", outbox.Environment)
		d.Exec(t, "SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON")
		d.Exec(t, insert("a2"))
		f := resume(t, d, at)
		fault := f.fault()
		wantFault(t, fault, "mysql.gtid_off", outbox.Environment)
		if len(f.rows) > 0 {
			t.Errorf("it published %s first", idsOf(f.rows))
		}

		_, command, _ := strings.Cut(fault.Remedy, " --file ")
		var name string
		var pos uint64
		if _, err := fmt.Sscanf(command, "%s --pos %d", &name, &pos); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		d.Exec(t, "SET GLOBAL gtid_mode = ON_PERMISSIVE")
		admin, err := binlog.OpenAdmin(t.Context(), file(t, d, noData), testLog(t))
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		to, err := admin.AtFile(name, pos)
		if err != nil {
			t.Fatal(err)
		}
		g := resume(t, d, to)
		g.wait(2)
		g.stop()
		d.Exec(t, "SET GLOBAL gtid_mode = ON; "+insert("a3"))
		h := resume(t, d, g.last)
		h.wait(1)
		if got := idsOf(append(g.rows, h.rows...)); got != "unnumbered a2 a3" {
			t.Errorf("got %s", got)
		}
	})
}
