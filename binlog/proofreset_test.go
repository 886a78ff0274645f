package binlog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
)

func again(t *testing.T, d *servers.MySQLDatabase, n int) {
	t.Helper()
	for i := range n {
		d.Exec(t, insert(fmt.Sprintf("again-%d-%d", n, i)))
	}
}

// TestResetAtAQuietStartIsRefused: numbers and places are used again before anything was read.
func TestResetAtAQuietStartIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		for _, byFile := range []bool{false, true} {
			t.Run(fmt.Sprintf("file=%v", byFile), func(t *testing.T) {
				m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, NoGTID: byFile && !isMaria(version)})
				d := m.Database(t)
				d.Exec(t, tablesSQL)
				edit := func(c *configs.Pipeline) {
					noData(c)
					if byFile {
						c.Source.MySQL.Position = "file"
					}
				}
				f := start(t, file(t, d, edit), nil, binlog.Options{})
				at := f.begun()
				f.stop()
				time.Sleep(1100 * time.Millisecond) // the server tells a file's birth in seconds
				d.Exec(t, resetSQL(version))
				again(t, d, 40)
				wantFault(t, start(t, file(t, d, edit), at, binlog.Options{}).fault(), "mysql.log_reset", outbox.PositionLost)
			})
		}
	})
}

// TestResetAndPurgedLogIsRefused: the file we knew is gone, as after any purge, but the numbers that follow ours are new.
func TestResetAndPurgedLogIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version})
		d := m.Database(t)
		d.Exec(t, tablesSQL)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		again(t, d, 60)
		f.wait(60)
		f.stop()
		d.Exec(t, resetSQL(version)+"; DELETE FROM outbox")
		again(t, d, 29)
		for range 7 {
			d.Exec(t, "FLUSH BINARY LOGS")
		}
		files := logFiles(t, d)
		d.Exec(t, "PURGE BINARY LOGS TO '"+files[len(files)-1]+"'")
		again(t, d, 90)
		wantFault(t, resume(t, d, f.last).fault(), "mysql.log_reset", outbox.PositionLost)
	})
}

// TestUnrelatedMariaDBIsRefused: its numbers are like ours, whether or not its server_id is.
func TestUnrelatedMariaDBIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		a := servers.StartMySQL(t, servers.MySQLOptions{Version: version, ServerID: 1})
		b := servers.StartMySQL(t, servers.MySQLOptions{Version: version, ServerID: 1})
		d, other := a.Database(t), b.Database(t)
		d.Exec(t, tablesSQL)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		d.Exec(t, insert("a1"))
		f.wait(1)
		f.stop()
		time.Sleep(1100 * time.Millisecond) // GTID events have seconds
		other.Exec(t, tablesSQL)
		again(t, other, 20)
		wantFault(t, resume(t, other, f.last).fault(), "mysql.wrong_source", outbox.PositionLost)
		other.Exec(t, "SET GLOBAL server_id = 7")
		wantFault(t, resume(t, other, f.last).fault(), "mysql.wrong_source", outbox.PositionLost)
	})
}

// TestResetByFileSaysSo, whatever of the new log has the place that we know.
func TestResetByFileSaysSo(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, NoGTID: !isMaria(version)})
		d := m.Database(t)
		d.Exec(t, tablesSQL)
		byFile := func(c *configs.Pipeline) { noData(c); c.Source.MySQL.Position = "file" }
		f := start(t, file(t, d, byFile), nil, binlog.Options{})
		f.begun()
		again(t, d, 5)
		f.wait(5)
		f.stop()
		time.Sleep(1100 * time.Millisecond) // the server tells a file's birth in seconds
		d.Exec(t, resetSQL(version))
		fault := start(t, file(t, d, byFile), f.last, binlog.Options{}).fault()
		wantFault(t, fault, "mysql.log_reset", outbox.PositionLost)
		if !strings.Contains(fault.Error(), "began the file of that name") {
			t.Errorf("got %v", fault)
		}
	})
}

// TestResetUnderAStreamIsNoticed: the server goes on saying that it lives, and sends nothing more.
func TestResetUnderAStreamIsNoticed(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		for _, n := range []int{1, 100} { // shorter than the old log, longer
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				m := servers.StartMySQL(t, servers.MySQLOptions{Version: version})
				d := m.Database(t)
				d.Exec(t, tablesSQL)
				f := start(t, file(t, d, noData), nil, binlog.Options{Lag: func(outbox.Lag) {}})
				f.begun()
				again(t, d, 5)
				f.wait(5)
				d.Exec(t, resetSQL(version)+"; DELETE FROM outbox")
				again(t, d, n)
				if fault := f.fault(); fault.Class != outbox.Transient && fault.Class != outbox.PositionLost {
					t.Fatalf("got %v", fault)
				}
				if fault := resume(t, d, f.last).fault(); len(f.rows) != 5 || fault.Class != outbox.PositionLost {
					t.Errorf("%d rows, %v", len(f.rows), fault)
				}
			})
		}
	})
}
