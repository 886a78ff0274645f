package main

import (
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
		for name, server := range map[string]string{"of the same server": "@@server_id", "of another": "77"} {
			t.Run(name, func(t *testing.T) {
				r, _ := ownServer(t, servers.MySQLOptions{Version: version})
				r.my.Exec(t, "SET GLOBAL gtid_strict_mode = 0")
				r.insert(1)
				r.runUntil(1)
				at := r.executed()
				again := "SET SESSION server_id = " + server + ", SESSION gtid_seq_no = " + at[strings.LastIndexByte(at, '-')+1:] + "; "
				r.my.Exec(t, again+"INSERT INTO outbox (id, aggregatetype, aggregateid) VALUES ('lost', 'x', 'k')")
				r.my.Exec(t, "FLUSH BINARY LOGS")
				r.purge()
				r.my.Exec(t, again+fmt.Sprintf("INSERT INTO outbox VALUES ('2', '%s', 'k', 't', '2')", r.name))
				r.next = 2
				r.fails("mysql.log_purged")
				r.do("set --accept-gap").want(t, 3, "offsets.unconfirmed", "skipped")
				r.do("set --accept-gap --yes").want(t, 0, "moved")
				r.insert(1)
				r.runUntil(3)
				r.wantEvents("1-3")
			})
		}
	})
}
