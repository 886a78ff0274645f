package binlog_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// stopped streams one row from a server of its own and returns the position after it.
func stopped(t *testing.T, o servers.MySQLOptions) (*servers.MySQLServer, *servers.MySQLDatabase, outbox.Position) {
	t.Helper()
	m := servers.StartMySQL(t, o)
	d := m.Database(t)
	d.Exec(t, tablesSQL)
	f := start(t, file(t, d, noData), nil, binlog.Options{})
	f.begun()
	d.Exec(t, insert("a1"))
	f.wait(1)
	f.stop()
	return m, d, f.last
}

func resume(t *testing.T, d *servers.MySQLDatabase, at outbox.Position) *feed {
	t.Helper()
	t.Logf("resume at %s", at)
	return start(t, file(t, d, noData), at, binlog.Options{})
}

// edited changes a field of a position.
func edited(t *testing.T, at outbox.Position, edit func(map[string]any)) outbox.Position {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(at, &m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func resetSQL(version string) string {
	if version[0] == '9' {
		return "RESET BINARY LOGS AND GTIDS"
	}
	return "RESET MASTER"
}

func logFiles(t *testing.T, d *servers.MySQLDatabase) (files []string) {
	t.Helper()
	rows, err := d.Connect(t, "root").Query("SHOW BINARY LOGS")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(sql.RawBytes)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		files = append(files, string(*values[0].(*sql.RawBytes)))
	}
	return files
}

// TestResetLogIsRefused: before the numbers are used again, and after, when only the anchor can tell.
func TestResetLogIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		d.Exec(t, resetSQL(version))
		code := "mysql.server_behind"
		if isMaria(version) {
			code = "mysql.log_reset"
		}
		wantFault(t, resume(t, d, at).fault(), code, outbox.PositionLost)
		for i := range 20 {
			d.Exec(t, insert(fmt.Sprintf("again-%d", i)))
		}
		wantFault(t, resume(t, d, at).fault(), "mysql.log_reset", outbox.PositionLost)
	})
}

// TestPlaceBeyondFourGiBIsRefused: the request for the log has 32 bits for it. The end of the file of a larger transaction is such a
// place, and without GTIDs there is no other way to ask.
func TestPlaceBeyondFourGiBIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return // it goes by GTID, where a place only helps
		}
		m, d, at := stopped(t, servers.MySQLOptions{Version: version, NoGTID: true})
		d.Exec(t, "FLUSH BINARY LOGS; "+insert("after"))
		at = edited(t, at, func(p map[string]any) {
			p["pos"] = p["pos"].(float64) + 1<<32
			if err := os.Truncate(filepath.Join(m.DataDir, p["file"].(string)), 5<<30); err != nil { // a hole: it takes no room
				t.Fatal(err)
			}
		})
		fault := resume(t, d, at).fault()
		wantFault(t, fault, "mysql.place_too_far", outbox.PositionLost)
		if !strings.Contains(fault.Remedy, "--file binlog.000002 --pos 4 ") {
			t.Error("the remedy does not name the next file")
		}
	})
}

// TestPlaceInsideATransactionIsRefused: after a reset our place may be that of any event.
func TestPlaceInsideATransactionIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		at = edited(t, at, func(m map[string]any) {
			a := m["anchor"].(map[string]any)
			a["pos"] = endOfEvent(t, d, a["file"].(string), int64(a["pos"].(float64)))
		})
		fault := resume(t, d, at).fault()
		wantFault(t, fault, "mysql.log_reset", outbox.PositionLost)
		if !strings.Contains(fault.Error(), ": there is an event without a GTID") {
			t.Errorf("it does not say what is there")
		}
	})
}

// endOfEvent is where the event that begins at a place ends.
func endOfEvent(t *testing.T, d *servers.MySQLDatabase, file string, pos int64) (end int64) {
	t.Helper()
	var unused any
	row := d.Connect(t, "root").QueryRow(fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d LIMIT 1", file, pos))
	if err := row.Scan(&unused, &unused, &unused, &unused, &end, &unused); err != nil {
		t.Fatal(err)
	}
	return end
}

// TestPurgedLogIsRefused: what we have not read is gone. What we have read may go.
func TestPurgedLogIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		purge := func() {
			d.Exec(t, "FLUSH BINARY LOGS")
			newest := logFiles(t, d)
			last := newest[len(newest)-1]
			servers.Eventually(t, sourcetest.Deadline, "the log is purged", func() bool { // a reader that just left keeps a file for a moment
				d.Exec(t, "PURGE BINARY LOGS TO '"+last+"'")
				return logFiles(t, d)[0] == last
			})
		}
		purge()
		d.Exec(t, insert("a2"))
		f := resume(t, d, at)
		if got := f.wait(1)[0].get("id"); got != "a2" {
			t.Fatalf("got %s", got)
		}
		f.stop()
		d.Exec(t, insert("a3"))
		purge()
		wantFault(t, resume(t, d, f.last).fault(), "mysql.log_purged", outbox.PositionLost)
	})
}

// TestOtherServerIsRefused: the same address, and nothing of our history behind it.
func TestOtherServerIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		_, _, at := stopped(t, servers.MySQLOptions{Version: version})
		other := servers.MySQL(t, version)
		other.Exec(t, tablesSQL)
		code := "mysql.wrong_source"
		fault := resume(t, other, at).fault()
		wantFault(t, fault, code, outbox.PositionLost)
		if isMaria(version) { // a domain that it never had would make it replay its whole history
			at = edited(t, at, func(m map[string]any) { m["gtid"] = "5-5-5" })
			wantFault(t, resume(t, other, at).fault(), code, outbox.PositionLost)
		}
	})
}

// TestRestoredServerIsRefused: it has fewer of its own transactions than we have published.
func TestRestoredServerIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		ahead := edited(t, at, func(m map[string]any) {
			g := m["gtid"].(string)
			m["gtid"] = g[:strings.LastIndexAny(g, "-:")+1] + "1000"
			m["pos"] = 1 << 20
		})
		wantFault(t, resume(t, d, ahead).fault(), "mysql.server_behind", outbox.PositionLost)
	})
}

// withReplica is a server with an outbox, its replica, and a pipeline that streams from the first.
func withReplica(t *testing.T, version string) (source, replica *servers.MySQLServer, d *servers.MySQLDatabase, f *feed) {
	t.Helper()
	source = servers.StartMySQL(t, servers.MySQLOptions{Version: version, RowMetadata: "FULL"})
	replica = source.Replica()
	d = source.Database(t)
	d.Exec(t, tablesSQL)
	f = start(t, file(t, d, noData), nil, binlog.Options{})
	f.begun()
	return source, replica, d, f
}

// TestFailoverToAReplica: no row lost, none twice, and the position goes on as the new server's.
func TestFailoverToAReplica(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m, r, d, f := withReplica(t, version)
		d.Exec(t, "BEGIN; "+insert("a1")+"; DO SLEEP(2); COMMIT") // a transaction and its statements have different times
		f.wait(1)
		f.stop()
		d.Exec(t, insert("a2"))
		r.CatchUp(t, m)
		m.Kill()
		r.Promote()
		there := &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
		there.Exec(t, insert("a3"))
		g := resume(t, there, f.last)
		if got := idsOf(g.wait(2)); got != "a2 a3" {
			t.Errorf("got %s", got)
		}
		g.stop()
		there.Exec(t, insert("a4"))
		resume(t, there, g.last).wait(1)
	})
}

// TestWithoutGTIDs: file and byte are the position, and the file's birth its anchor.
func TestWithoutGTIDs(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, NoGTID: !isMaria(version)})
		d := m.Database(t)
		d.Exec(t, tablesSQL+"; GRANT LOCK TABLES ON "+d.Name+".* TO outferry")
		byFile := func(c *configs.Pipeline) { c.Source.MySQL.Position = "file" }
		d.Exec(t, insert("old"))
		f := start(t, file(t, d, byFile), nil, binlog.Options{})
		f.wait(1)
		d.Exec(t, insert("a1"))
		f.wait(2)
		f.stop()
		d.Exec(t, insert("a2")+"; FLUSH BINARY LOGS; "+insert("a3"))
		m.Restart()
		d.Exec(t, insert("a4"))
		g := start(t, file(t, d, byFile), f.last, binlog.Options{})
		var ids []string
		for _, row := range g.wait(3) {
			ids = append(ids, row.get("id"))
		}
		if got := strings.Join(ids, " "); got != "a2 a3 a4" {
			t.Errorf("got %s", got)
		}
		g.stop()
		t.Logf("position %s", g.last)
		d.Exec(t, resetSQL(version))
		fault := start(t, file(t, d, byFile), g.last, binlog.Options{}).fault()
		wantFault(t, fault, fault.Code, outbox.PositionLost)
		early := edited(t, f.last, func(m map[string]any) { m["pos"] = 4 }) // a place that the new file of that name has too
		wantFault(t, start(t, file(t, d, byFile), early, binlog.Options{}).fault(), "mysql.log_reset", outbox.PositionLost)
	})
}
