package binlog_test

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-hclog"

	"outferry/binlog"
)

// TestChangeThatIsNotLoggedIsNoticed: where the log has no names, rows would go on with those of before. What is logged is no
// such change.
func TestChangeThatIsNotLoggedIsNoticed(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		t.Parallel()
		d := unnamed(t, version)
		var log bytes.Buffer
		var looks atomic.Int64
		src := binlog.New(file(t, d, noData), hclog.New(&hclog.LoggerOptions{Output: &log}), binlog.Options{Lag: func(int64, bool) { looks.Add(1) }})
		f := run(t, src, nil)
		f.begun()
		d.Exec(t, swapNames+"; ALTER TABLE outbox ADD COLUMN x int FIRST; CREATE UNIQUE INDEX i ON outbox (id, type)")
		f.until("a look at the lag", func() bool { return looks.Load() > 0 })
		d.Exec(t, "SET sql_log_bin = 0; "+swapNames)
		f.until("a position with other columns", func() bool {
			return strings.LastIndex(string(f.last), `"aggregatetype"`) < strings.LastIndex(string(f.last), `"aggregateid"`)
		})
		d.Exec(t, insert("a1"))
		if r := f.wait(1)[0]; r.get("aggregatetype") != "order" || r.get("aggregateid") != "k" {
			t.Errorf("type %s, id %s", r.get("aggregatetype"), r.get("aggregateid"))
		}
		f.stop()
		if n := strings.Count(log.String(), "mysql.change_unlogged"); n != 1 {
			t.Errorf("said %d times: %s", n, log.String())
		}
	})
}
