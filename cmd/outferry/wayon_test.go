package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/internal/servers"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/status"
)

// TestWhatCantBePublishedIsPassedByAsTheFaultSays: its command works as it stands, and skips no more than it must.
func TestWhatCantBePublishedIsPassedByAsTheFaultSays(t *testing.T) {
	const into = "INSERT INTO outbox (id, aggregatetype, aggregateid) VALUES "
	unreadable := map[string]string{
		"mysql.row_image":        "SET SESSION binlog_row_image = MINIMAL; " + into + "('bad', 'x', 'k')",
		"mysql.statement_format": "SET SESSION binlog_format = STATEMENT; " + into + "('bad', 'x', 'k')",
		"mysql.xa_unsupported":   "XA START 'x'; " + into + "('bad', 'x', 'k'); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x'",
		"mysql.names_unknown": "ALTER TABLE outbox ADD COLUMN n int; " + into + "('bad', 'x', 'k'); ALTER TABLE outbox DROP COLUMN n; " +
			into + "('bad2', 'x', 'k'); ALTER TABLE outbox ADD COLUMN n int; ALTER TABLE outbox DROP COLUMN n",
	}
	eachLog(t, func(t *testing.T, version string) {
		for _, files := range []bool{false, true} {
			name, options, more := "by GTID", servers.MySQLOptions{Version: version}, ""
			if files {
				name, options.NoGTID, more = "by file", !strings.HasPrefix(version, "mariadb"), "  mysql: {position: file}\n"
			}
			t.Run(name, func(t *testing.T) {
				r, _ := ownServer(t, options, more)
				r.my.Exec(t, "GRANT LOCK TABLES ON "+r.my.Name+".* TO outferry; SET GLOBAL binlog_row_metadata = MINIMAL")
				r.insert(1)
				r.runUntil(1)
				want := []string{"1"}
				for code, sql := range unreadable {
					r.insert(1)
					want = append(want, fmt.Sprint(r.next))
					r.my.Exec(t, "DELETE FROM outbox; "+sql)
					r.insert(1)
					want = append(want, fmt.Sprint(r.next))
					fault := r.fails(code)
					_, command, ok := strings.Cut(fault.Remedy, "outferry offsets set "+r.name+" ")
					if !ok {
						t.Fatalf("%s: no command in %q", code, fault.Remedy)
					}
					r.do("set "+command).want(t, 3, "offsets.unconfirmed", "skipped")
					r.do("set "+command+" --yes").want(t, 0, "moved")
					r.runUntil(r.next)
					r.wantEvents(want...)
				}
			})
		}
	})
}

// fails runs the pipeline until a fault ends it.
func (r *logRig) fails(code string) *outbox.Fault {
	r.Helper()
	p := pipeline.New(r.config(), hclog.New(&hclog.LoggerOptions{Output: r.Output()}), status.NewRegistry("test", false).Pipeline(r.name), 10*time.Second)
	err := p.Run(r.Context())
	r.awaitGone()
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code != code || pipeline.ExitCode(err) != 4 {
		r.Fatalf("exit %d, %v, want 4 for %s", pipeline.ExitCode(err), err, code)
	}
	return f
}
