package binlog_test

import (
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// TestSwitchedToTheReplicaAndBack without a write in between, and from a replica that was read to its source.
func TestSwitchedToTheReplicaAndBack(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m, r, d, f := withReplica(t, version)
		d.Exec(t, insert("a1"))
		f.wait(1)
		f.stop()
		r.CatchUp(t, m)
		there := &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
		g := resume(t, there, f.last)
		g.begun()
		g.stop()
		b := resume(t, d, g.last)
		d.Exec(t, insert("a2"))
		if got := idsOf(b.wait(1)); got != "a2" {
			t.Errorf("got %s", got)
		}
		b.stop()
		r.CatchUp(t, m)
		g = resume(t, there, b.last)
		d.Exec(t, insert("a3"))
		g.wait(1)
		g.stop()
		rebuilt := edited(t, g.last, func(m map[string]any) { m["anchor"].(map[string]any)["first"] = 1 })
		if isMaria(version) { // MySQL goes by UUIDs
			wantFault(t, resume(t, d, rebuilt).fault(), "mysql.wrong_source", outbox.PositionLost)
		}
		d.Exec(t, insert("a4"))
		if got := idsOf(resume(t, d, g.last).wait(1)); got != "a4" {
			t.Errorf("got %s", got)
		}
	})
}

// TestMovedServerIsTheSame: MariaDB's server_uid is a hash of port and network card.
func TestMovedServerIsTheSame(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL keeps its UUID in the data directory
		}
		elsewhere := func(at outbox.Position) outbox.Position {
			return edited(t, at, func(m map[string]any) { m["server_uuid"] = "anotherCardAndPort" })
		}
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		d.Exec(t, insert("a2"))
		f, said := startSaying(t, file(t, d, noData), elsewhere(at))
		if got := idsOf(f.wait(1)); got != "a2" {
			t.Errorf("got %s", got)
		}
		f.stop()
		if strings.Contains(said.String(), "server has changed") || strings.Contains(f.last.String(), "anotherCard") {
			t.Errorf("it was taken for another server: %s, %s", said, f.last)
		}
		at = purgedBehind(t, d, f.last)
		d.Exec(t, insert("a3"))
		if got := idsOf(resume(t, d, elsewhere(at)).wait(1)); got != "a3" {
			t.Errorf("got %s", got)
		}
		quiet := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t)
		quiet.Exec(t, tablesSQL)
		f = start(t, file(t, quiet, noData), nil, binlog.Options{})
		at = f.begun()
		f.stop()
		quiet.Exec(t, insert("first"))
		if got := idsOf(resume(t, quiet, elsewhere(at)).wait(1)); got != "first" {
			t.Errorf("got %s", got)
		}
		quiet.Exec(t, resetSQL(version))
		again(t, quiet, 40)
		wantFault(t, resume(t, quiet, elsewhere(at)).fault(), "mysql.wrong_source", outbox.PositionLost)
	})
}

// purgedBehind begins a file of the log, and purges the others when a pipeline stands in the new one.
func purgedBehind(t *testing.T, d *servers.MySQLDatabase, at outbox.Position) outbox.Position {
	t.Helper()
	d.Exec(t, "FLUSH BINARY LOGS")
	files := logFiles(t, d)
	last := files[len(files)-1]
	f := resume(t, d, at)
	f.until("the position to be in the new file", func() bool { return strings.Contains(f.last.String(), `"file":"`+last) })
	f.stop()
	servers.Eventually(t, sourcetest.Deadline, "the log is purged", func() bool { // a reader that just left keeps a file for a moment
		d.Exec(t, "PURGE BINARY LOGS TO '"+last+"'")
		return logFiles(t, d)[0] == last
	})
	return f.last
}

// TestEqualUIDIsNotBelieved: containers on two hosts have one network address and port, and so one server_uid.
func TestEqualUIDIsNotBelieved(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL's UUID is drawn
		}
		m, r, d, f := withReplica(t, version)
		there := &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
		there.Exec(t, "FLUSH BINARY LOGS") // else the two logs may be alike to the byte and second
		d.Exec(t, insert("a1"))
		f.wait(1)
		f.stop()
		r.CatchUp(t, m)
		at := edited(t, f.last, func(m map[string]any) { m["server_uuid"] = there.Text(t, "SELECT @@GLOBAL.server_uid") })
		m.Kill()
		r.Promote()
		there.Exec(t, insert("a2"))
		g, said := startSaying(t, file(t, there, noData), at)
		if got := idsOf(g.wait(1)); got != "a2" {
			t.Errorf("got %s", got)
		}
		g.stop()
		if !strings.Contains(said.String(), "server has changed") {
			t.Errorf("it was taken for the same server: %s", said)
		}
	})
}
