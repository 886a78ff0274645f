package binlog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/internal/servers"
	"outferry/outbox"
)

// TestReplicaThatLogsNothingIsRefused, also by an account that may not ask for the state of replication.
func TestReplicaThatLogsNothingIsRefused(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			variable := "log_replica_updates"
			if strings.HasPrefix(version, "mariadb") { // which does not start with the other
				variable = "log_slave_updates"
			}
			source := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Settings: []string{variable + " = OFF"}})
			d := source.Database(t)
			d.Exec(t, tablesSQL)
			if _, err := binlog.New(file(t, d), testLog(t), binlog.Options{}).Look(t.Context()); err != nil {
				t.Fatalf("the source itself: %v", err)
			}
			replica := source.Replica()
			replica.CatchUp(t, source)
			there := &servers.MySQLDatabase{Version: version, Port: replica.Port, Name: d.Name}
			_, err := binlog.New(file(t, there), testLog(t), binlog.Options{}).Look(t.Context())
			var f *outbox.Fault
			if !errors.As(err, &f) {
				t.Fatalf("got %v, want a fault", err)
			}
			wantFault(t, f, "mysql.replica_without_log", outbox.Environment)
			if !strings.HasPrefix(f.Remedy, "set "+variable+" in ") {
				t.Errorf("the remedy names another variable than %s", variable)
			}
		})
	}
}

// TestFailoverBesideASnapshot that is cut off: rows that the new server gets later were to come from the tables of the old one.
func TestFailoverBesideASnapshot(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version})
		r := m.Replica()
		d := m.Database(t)
		d.Exec(t, tablesSQL)
		for n := range 20 {
			d.Exec(t, insert(fmt.Sprintf("old-%02d", n)))
		}
		r.CatchUp(t, m)
		r.Promote()
		d.Exec(t, insert("zz-late"))
		f := start(t, file(t, d), nil, binlog.Options{Single: true})
		f.wait(1)
		f.stop()
		there := &servers.MySQLDatabase{Version: version, Name: d.Name, Port: r.Port}
		again := start(t, file(t, there), f.last, binlog.Options{})
		fault := again.fault()
		wantFault(t, fault, "mysql.server_behind", outbox.PositionLost)
		if !strings.Contains(fault.Remedy, "outferry offsets reset NAME") {
			t.Errorf("the remedy does not begin the snapshot anew: %s", fault.Remedy)
		}
		if len(again.rows) > 0 {
			t.Errorf("it published %d rows first", len(again.rows))
		}
		if isMaria(version) {
			return // what the replica gets then can't be told from what another server has
		}
		r.Follow(m)
		r.CatchUp(t, m)
		whole := start(t, file(t, there), f.last, binlog.Options{})
		whole.until("the snapshot is over", whole.streams)
		if n := len(f.rows) + len(whole.rows); n != 21 {
			t.Errorf("%d rows, want 21", n)
		}
	})
}
