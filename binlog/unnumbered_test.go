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

		gtidMode(t, d, permissive(t, fault))
		g := resume(t, d, moved(t, d, fault))
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

// gtidMode switches step by step, as the server wants it.
func gtidMode(t *testing.T, d *servers.MySQLDatabase, modes ...string) {
	t.Helper()
	d.Exec(t, "SET GLOBAL enforce_gtid_consistency = ON")
	for _, m := range modes {
		d.Exec(t, "SET GLOBAL gtid_mode = "+m)
	}
}

// TestPlacesAcrossGTIDModes: a pipeline that goes by places and was left behind while the mode was turned on or off stands before
// transactions that the server sends in the modes between alone.
func TestPlacesAcrossGTIDModes(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return // it has no such modes
		}
		up, down := []string{"OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"}, []string{"ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF"}
		_, d, at := stopped(t, servers.MySQLOptions{Version: version, NoGTID: true})
		want := ""
		for i, modes := range [][]string{up, down} {
			id := fmt.Sprintf("x%d", i)
			want += id + " " + id + "b "
			d.Exec(t, insert(id))
			gtidMode(t, d, modes...)
			d.Exec(t, insert(id+"b"))
			f := resume(t, d, at)
			fault := f.fault()
			wantFault(t, fault, "mysql.gtid_off", outbox.Environment)
			if len(f.rows) > 0 { // what precedes it in the log
				at = f.last
			}
			gtidMode(t, d, permissive(t, fault))
			g := resume(t, d, at)
			g.wait(2 - len(f.rows))
			g.stop()
			at = g.last
			gtidMode(t, d, modes[2])
			if got := idsOf(append(f.rows, g.rows...)); got != id+" "+id+"b" {
				t.Errorf("got %s", got)
			}
		}
		d.Exec(t, insert("end"))
		if got := idsOf(resume(t, d, at).wait(1)); got != "end" {
			t.Errorf("got %s", got)
		}
	})
}

// permissive is the mode that a remedy names.
func permissive(t *testing.T, f *outbox.Fault) string {
	t.Helper()
	_, mode, _ := strings.Cut(f.Remedy, "SET GLOBAL gtid_mode = ")
	mode, _, _ = strings.Cut(mode, ",")
	if !strings.HasSuffix(mode, "_PERMISSIVE") {
		t.Fatalf("the remedy names no mode: %s", f.Remedy)
	}
	return mode
}

// TestGTIDsTurnedOffForGood: the commands of the message move the pipeline to places in files, with nothing lost.
func TestGTIDsTurnedOffForGood(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return
		}
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		d.Exec(t, insert("a2"))
		gtidMode(t, d, "ON_PERMISSIVE", "OFF_PERMISSIVE")
		d.Exec(t, insert("a3"))
		gtidMode(t, d, "OFF")
		d.Exec(t, insert("a4"))
		fault := resume(t, d, at).fault()
		wantFault(t, fault, "mysql.gtid_off", outbox.Environment)
		gtidMode(t, d, permissive(t, fault))
		to := moved(t, d, fault)
		g := resume(t, d, to)
		g.wait(3)
		g.stop()
		gtidMode(t, d, "OFF")
		d.Exec(t, insert("a5"))
		h := resume(t, d, g.last)
		h.wait(1)
		if got := idsOf(append(g.rows, h.rows...)); got != "a2 a3 a4 a5" {
			t.Errorf("got %s", got)
		}
		h.stop()
		wantFault(t, resume(t, d, to).fault(), "mysql.gtid_off", outbox.Environment) // there, in a mode that does not serve it
	})
}

// moved is the position to which the command in a remedy moves the pipeline.
func moved(t *testing.T, d *servers.MySQLDatabase, f *outbox.Fault) outbox.Position {
	t.Helper()
	_, command, _ := strings.Cut(f.Remedy, " --file ")
	var name string
	var pos uint64
	if _, err := fmt.Sscanf(command, "%s --pos %d", &name, &pos); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	admin, err := binlog.OpenAdmin(t.Context(), file(t, d, noData), testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	to, err := admin.AtFile(nil, name, pos)
	if err != nil {
		t.Fatal(err)
	}
	return to
}
