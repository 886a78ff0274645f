package binlog_test

import (
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
)

// TestAllThatStandsInTheWayIsSaidAtOnce, by a look and by a start, each with the statement that mends it.
func TestAllThatStandsInTheWayIsSaidAtOnce(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version, RowImage: "MINIMAL", BinlogFormat: "MIXED"}).Database(t)
		d.Exec(t, "CREATE TABLE outbox (id int PRIMARY KEY) ENGINE = MyISAM; CREATE USER 'it@s'@'127.0.0.%' IDENTIFIED BY 'it@s'; GRANT SELECT ON "+d.Name+".outbox TO 'it@s'@'127.0.0.%'")
		two := func(c *configs.Pipeline) { c.Source.Tables = append(c.Source.Tables, d.Name+".later") }
		_, err := binlog.New(file(t, d, as("it@s", "it@s"), two), testLog(t), binlog.Options{}).Look(t.Context())
		look := asFault(t, err)
		wantFault(t, look, "mysql.binlog_format", outbox.Environment)
		run := start(t, file(t, d, as("it@s", "it@s"), two), nil, binlog.Options{}).fault()
		if run.Error() != look.Error() {
			t.Errorf("a start says %s", run)
		}
		monitor := "REPLICATION CLIENT"
		if isMaria(version) {
			monitor = "BINLOG MONITOR"
		}
		for _, want := range []string{"SET GLOBAL binlog_format = ROW", "SET GLOBAL binlog_row_image = FULL", "GRANT " + monitor + " ON *.* TO 'it@s'@'127.0.0.%'", "GRANT REPLICATION SLAVE ON *.* TO 'it@s'@'127.0.0.%'",
			"ALTER TABLE `" + d.Name + "`.`outbox` ENGINE = InnoDB", "GRANT SELECT ON `" + d.Name + "`.`later` TO 'it@s'@'127.0.0.%'"} {
			if !strings.Contains(look.Remedy, want) {
				t.Errorf("the remedy lacks %s", want)
			}
		}
	})
}

// TestServerWithoutANumberIsSaid: MySQL sends nobody its log then, and says no more of it than of a file that is not there.
func TestServerWithoutANumberIsSaid(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) { // whose log is sent all the same
			return
		}
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Settings: []string{"server_id = 0"}})
		d := m.Database(t)
		d.Exec(t, tablesSQL)
		fault := start(t, file(t, d, noData), nil, binlog.Options{}).fault()
		wantFault(t, fault, "mysql.server_id", outbox.Environment)
		mend, _, _ := strings.Cut(fault.Remedy, ",")
		d.Exec(t, mend)
		start(t, file(t, d, noData), nil, binlog.Options{}).begun()
	})
}

// TestRightToReplicateIsLookedFor before anything is asked of the log, and found where a role has it.
func TestRightToReplicateIsLookedFor(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t)
		d.Exec(t, tablesSQL+"; CREATE USER reader IDENTIFIED BY 'reader'; GRANT REPLICATION CLIENT ON *.* TO reader; GRANT SELECT ON "+d.Name+".outbox TO reader")
		look := func() error {
			_, err := binlog.New(file(t, d, as("reader", "reader")), testLog(t), binlog.Options{}).Look(t.Context())
			return err
		}
		fault := asFault(t, look())
		wantFault(t, fault, "mysql.permission", outbox.Environment)
		if !strings.Contains(fault.Remedy, "GRANT REPLICATION SLAVE") || !strings.Contains(fault.Remedy, "TO 'reader'@'%'") {
			t.Errorf("got %v", fault)
		}
		activate := "SET DEFAULT ROLE readers TO reader"
		if isMaria(version) {
			activate = "SET DEFAULT ROLE readers FOR reader"
		}
		d.Exec(t, "CREATE ROLE readers; GRANT REPLICATION SLAVE ON *.* TO readers; GRANT readers TO reader; "+activate)
		if err := look(); err != nil {
			t.Errorf("by a role: %v", err)
		}
	})
}

// TestTableIsNotNamedTwice: a server that compares names without their case takes two of the file's for one table, whose rows
// a snapshot would publish twice.
func TestTableIsNotNamedTwice(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // which a server of ours would have to be made for
		}
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Settings: []string{"lower_case_table_names = 1"}}).Database(t)
		d.Exec(t, tablesSQL)
		other := d.Name + ".Outbox"
		two := func(c *configs.Pipeline) { c.Source.Tables = append(c.Source.Tables, other) }
		_, err := binlog.New(file(t, d, two), testLog(t), binlog.Options{}).Look(t.Context())
		wantFault(t, asFault(t, err), "mysql.table_twice", outbox.Environment)
		if !strings.Contains(err.Error(), d.Name+".outbox and "+other) {
			t.Error("it names not both")
		}
		wantFault(t, start(t, file(t, d, two), nil, binlog.Options{}).fault(), "mysql.table_twice", outbox.Environment)
	})
}

// TestFiltersOfTheLogAreSaid: they leave out what a session does to the outbox whose default schema is another.
func TestFiltersOfTheLogAreSaid(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version})
		d := m.Database(t)
		d.Exec(t, tablesSQL)
		for i, filter := range []string{"", "binlog_ignore_db = mysql", "binlog_do_db = " + d.Name} {
			if i > 0 {
				m.Restart(filter)
			}
			f, log := startSaying(t, file(t, d, noData), nil)
			f.begun()
			f.stop()
			if strings.Contains(log.String(), "leaves statements of some sessions out") != (i > 0) {
				t.Errorf("with %q: %s", filter, log)
			}
		}
	})
}
