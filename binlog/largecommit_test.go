package binlog_test

import (
	"fmt"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
)

// TestLargeTransactionThatBecameAFile: MariaDB 11.7 and newer make a file of the log of one, whose first event fills what
// was kept free for the file's head.
func TestLargeTransactionThatBecameAFile(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if version != "mariadb11" {
			return
		}
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version})
		d := m.Database(t)
		d.Exec(t, tablesSQL+"; SET GLOBAL binlog_large_commit_threshold = 10485760")
		for _, edit := range []func(*configs.Pipeline){noData, byFile} {
			f := start(t, file(t, d, noData, edit), nil, binlog.Options{})
			f.begun()
			var large []string
			for i := range 12 {
				large = append(large, fmt.Sprintf("INSERT INTO outbox VALUES ('l%d', 'o', 'k', 't', REPEAT('x', 1000000))", i))
			}
			files := len(logFiles(t, d))
			d.Exec(t, insert("a")+"; BEGIN; "+strings.Join(large, "; ")+"; COMMIT; "+insert("b"))
			if len(logFiles(t, d)) != files+1 {
				t.Fatal("the transaction is in no file of its own")
			}
			if got := idsOf(f.wait(14)); got != "a l0 l1 l2 l3 l4 l5 l6 l7 l8 l9 l10 l11 b" {
				t.Errorf("got %s", got)
			}
			f.stop()
			d.Exec(t, "DELETE FROM outbox; "+insert("c"))
			f = start(t, file(t, d, noData, edit), f.last, binlog.Options{})
			if got := idsOf(f.wait(1)); got != "c" {
				t.Errorf("got %s", got)
			}
			f.stop()
			d.Exec(t, "DELETE FROM outbox")
		}
	})
}

func byFile(c *configs.Pipeline) { c.Source.MySQL.Position = "file" }
