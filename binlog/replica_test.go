package binlog_test

import (
	"errors"
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
