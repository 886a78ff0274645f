package binlog_test

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"

	"outferry/binlog"
	"outferry/outbox"
)

// TestChangeThatIsNotLoggedIsNoticed: where the log has no names, rows would go on with those of before, or with its labels, its sign
// and its character set. What is logged is no such change.
func TestChangeThatIsNotLoggedIsNoticed(t *testing.T) {
	const modify = "ALTER TABLE outbox MODIFY state "
	changes := map[string]struct{ sql, layout, set, want string }{
		"names": {swapNames, `"aggregatetype","varchar","varchar(255)","utf8mb4"],["aggregateid"`, "note = 'e'", "order a e " + null},
		"types": {modify + "enum('b','c','a'), MODIFY note varchar(100) CHARACTER SET utf8mb4, MODIFY amount int", "enum('b','c','a')", "note = 'é', amount = -1", "order a é -1"},
	}
	each(t, func(t *testing.T, version string) {
		for name, c := range changes {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := unnamed(t, version)
				d.Exec(t, "ALTER TABLE outbox ADD COLUMN note varchar(100), ADD COLUMN amount int")
				var log bytes.Buffer
				var looks atomic.Int64
				src := binlog.New(file(t, d, noData), hclog.New(&hclog.LoggerOptions{Output: &log}), binlog.Options{Lag: func(outbox.Lag) { looks.Add(1) }})
				f := run(t, src, nil)
				f.begun()
				d.Exec(t, swapNames+"; ALTER TABLE outbox ADD COLUMN x int FIRST; CREATE UNIQUE INDEX i ON outbox (id, type); "+
					modify+"enum('a','c','b'), MODIFY note varchar(100) CHARACTER SET latin1, MODIFY amount int unsigned")
				f.until("a look at the lag", func() bool { return looks.Load() > 0 })
				d.Exec(t, "SET sql_log_bin = 0; "+c.sql)
				f.until("a position with another layout", func() bool { return strings.Contains(string(f.last), c.layout) })
				d.Exec(t, "INSERT INTO outbox SET id = 'a1', aggregatetype = 'order', aggregateid = 'k', state = 'a', "+c.set)
				r := f.wait(1)[0]
				if got := strings.Join([]string{r.get("aggregatetype"), r.get("state"), r.get("note"), r.get("amount")}, " "); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				f.stop()
				if n := strings.Count(log.String(), "mysql.change_unlogged"); n != 1 {
					t.Errorf("said %d times: %s", n, log.String())
				}
			})
		}
	})
}

// TestMetadataThatIsTakenBackIsNoticed: the server said FULL when we connected.
func TestMetadataThatIsTakenBackIsNoticed(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := fullNames(t, version)
		d.Exec(t, tablesSQL)
		var looks atomic.Int64
		f := start(t, file(t, d, noData), nil, binlog.Options{Lag: func(outbox.Lag) { looks.Add(1) }})
		f.begun()
		d.Exec(t, "SET GLOBAL binlog_row_metadata = DEFAULT")
		d.Exec(t, insert("a1"))
		f.wait(1)
		d.Exec(t, "SET sql_log_bin = 0; "+swapNames)
		f.until("a position with another layout", func() bool {
			return strings.Contains(string(f.last), `["aggregateid","varchar","varchar(255)","utf8mb4"],["aggregatetype"`)
		})
		d.Exec(t, "INSERT INTO outbox (id, aggregatetype, aggregateid) VALUES ('a2', 'order', 'k')")
		f.wait(2)
		if got := f.rows[1].get("aggregatetype"); got != "order" {
			t.Errorf("got %s", got)
		}
	})
}
