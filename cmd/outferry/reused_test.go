package main

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"outferry/internal/servers"
)

// TestPurgedLogOfReusedNumbersIsPassedBy: MariaDB's numbers don't tell that a row was purged unread, and the command of the fault
// goes on with all that is left.
func TestPurgedLogOfReusedNumbersIsPassedBy(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		if !strings.HasPrefix(version, "mariadb") {
			return // MySQL takes no number twice
		}
		cases := map[string]struct{ server, number string }{
			"of the same server": {"@@server_id", ""}, "of another": {"77", ""}, "below": {"@@server_id", "1"},
		}
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				r, _ := ownServer(t, servers.MySQLOptions{Version: version})
				r.my.Exec(t, "SET GLOBAL gtid_strict_mode = 0")
				r.insert(1)
				r.runUntil(1)
				at := r.executed()
				number := cmp.Or(c.number, at[strings.LastIndexByte(at, '-')+1:])
				again := "SET SESSION server_id = " + c.server + ", SESSION gtid_seq_no = " + number + "; "
				r.my.Exec(t, again+"INSERT INTO outbox (id, aggregatetype, aggregateid) VALUES ('lost', 'x', 'k')")
				r.my.Exec(t, "FLUSH BINARY LOGS")
				r.purge()
				r.my.Exec(t, again+fmt.Sprintf("INSERT INTO outbox VALUES ('2', '%s', 'k', 't', '2')", r.name))
				r.next = 2
				r.fails("mysql.log_purged")
				r.do("set --accept-gap").want(t, 3, "offsets.unconfirmed", "skipped")
				r.do("set --accept-gap --yes").want(t, 0, "moved", " at binlog.000002:4")
				r.insert(1)
				r.runUntil(3)
				r.wantEvents("1-3")
			})
		}
	})
}

// TestSnapshotAloneFailsOverAsTheFaultSays: without a transaction that was read nothing shows that another MariaDB is the successor.
func TestSnapshotAloneFailsOverAsTheFaultSays(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		if !strings.HasPrefix(version, "mariadb") {
			return // MySQL's numbers name their server
		}
		r, source := ownServer(t, servers.MySQLOptions{Version: version})
		r.insert(1)
		r.runUntil(1)
		replica := source.Replica()
		r.insert(1)
		replica.CatchUp(t, source)
		r.moveTo(source, replica)
		command := r.commandOf(r.fails("mysql.wrong_source"))
		r.do("set "+command).want(t, 3, "offsets.unconfirmed")
		r.do("set "+command+" --yes").want(t, 0, "moved")
		r.runUntil(2)
		r.wantEvents("1-2")
	})
}
