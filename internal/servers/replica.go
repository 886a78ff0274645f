package servers

import (
	"fmt"
	"testing"
	"time"
)

// Replica makes a read-only server that follows this one by GTID from the first transaction on, and logs what it applies.
func (m *MySQLServer) Replica() *MySQLServer {
	m.t.Helper()
	o := m.server.options
	o.ServerID = 0
	r := StartMySQL(m.t, o)
	r.Follow(m)
	return r
}

// Follow makes this server a read-only replica of another, as a former source becomes that of its successor.
func (m *MySQLServer) Follow(source *MySQLServer) {
	m.t.Helper()
	if m.server.program.mariadb {
		m.Admin().Exec(m.t, fmt.Sprintf(`STOP SLAVE; CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='root',
			MASTER_PASSWORD='root', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1; START SLAVE; SET GLOBAL read_only=ON`, source.Port))
		return
	}
	m.Admin().Exec(m.t, fmt.Sprintf(`STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%d, SOURCE_USER='root',
		SOURCE_PASSWORD='root', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=1000;
		START REPLICA; SET GLOBAL super_read_only=ON`, source.Port))
}

// CatchUp waits until this replica has applied everything that the source has committed by now.
func (m *MySQLServer) CatchUp(t testing.TB, source *MySQLServer) {
	t.Helper()
	executed, wait := "SELECT @@GLOBAL.gtid_executed", "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, 1)"
	if m.server.program.mariadb {
		executed, wait = "SELECT @@GLOBAL.gtid_current_pos", "SELECT MASTER_GTID_WAIT(?, 1)"
	}
	set := source.Admin().Text(t, executed)
	Eventually(t, time.Minute, "the replica has applied "+set, func() bool { return m.Admin().Text(t, wait, set) == "0" })
}

// ReadOnly ends writes. It gives way to a transaction that holds it up because it waits for a row of another one, whose
// statements wait for us: that would last innodb_lock_wait_timeout, 50 s, and cost the first one its statement. It lets
// them go on for as long as it held them up, since the other one may have a hundred statements left.
func (m *MySQLServer) ReadOnly() {
	m.t.Helper()
	Eventually(m.t, time.Minute, "the server is read-only", func() bool {
		err := m.Admin().exec("SET SESSION lock_wait_timeout = 1; SET GLOBAL read_only = ON")
		if err != nil {
			time.Sleep(time.Second)
		}
		return err == nil
	})
}

// Promote makes this replica take writes and follow nobody.
func (m *MySQLServer) Promote() {
	m.t.Helper()
	if m.server.program.mariadb {
		m.Admin().Exec(m.t, "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only=OFF")
		return
	}
	m.Admin().Exec(m.t, "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL super_read_only=OFF; SET GLOBAL read_only=OFF")
}
