package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
)

// TestSetAfterAResetNeverTrustsNumbers: the server uses them again, so they tell nothing of what was published.
func TestSetAfterAResetNeverTrustsNumbers(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		for name, more := range map[string]int{"fewer": 1, "more": 12} {
			t.Run(name, func(t *testing.T) {
				r, _ := ownServer(t, servers.MySQLOptions{Version: version})
				r.insert(1)
				r.insert(1)
				r.insert(1)
				r.runUntil(3)
				before, old := r.record(), r.executed()
				r.resetLog()
				r.my.Exec(t, "DELETE FROM outbox")
				for range more {
					r.insert(1)
				}
				lost := "mysql.log_reset"
				if more == 1 {
					lost = "mysql."
				}
				r.do("show").want(t, 4, lost)
				targets := []string{"--now", "--gtid " + r.executed()}
				if more > 1 {
					targets = append(targets, "--gtid "+old)
				}
				for _, to := range targets {
					r.do("set --yes "+to).want(t, 3, "offsets.gap", "what stands in the way", "can't be told", "at most")
					r.do("set --accept-gap "+to).want(t, 3, "offsets.unconfirmed", "at most")
				}
				r.do("set --accept-gap").want(t, 3, "offsets.unconfirmed", "rows of the new log's transactions")
				if rec := r.record(); rec.Seq != before.Seq {
					t.Fatalf("a refused move wrote seq %d", rec.Seq)
				}
				out := r.do("set --now --accept-gap --yes").want(t, 0, "what stands in the way", "moved from").err
				if most := fmt.Sprintf("at most %d transaction", more+1); !r.maria() && !strings.Contains(out, most) {
					t.Errorf("it does not say %q", most)
				}
				r.insert(1)
				last := fmt.Sprint(r.next)
				r.runUntil(r.next)
				r.wantEvents("1-3", last)
			})
		}
	})
}

// TestAResetBeforeTheFirstRunAfterASetIsNoticed: a position that was set by hand is anchored too.
func TestAResetBeforeTheFirstRunAfterASetIsNoticed(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r, _ := ownServer(t, servers.MySQLOptions{Version: version})
		r.insert(1)
		r.my.Exec(t, "FLUSH BINARY LOGS")
		at := r.executed()
		r.do("set --accept-gap --yes --gtid "+at).want(t, 0, "moved from none")
		r.resetLog()
		for range 12 {
			r.insert(1)
		}
		r.do("show").want(t, 4, "mysql.log_reset")
	})
}

// TestDeletedDomainIsPassedByAsTheFaultSays: what is left of the log is published, whether its oldest file still names the domain or not.
func TestDeletedDomainIsPassedByAsTheFaultSays(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		if !strings.HasPrefix(version, "mariadb") {
			return
		}
		for _, named := range []bool{true, false} {
			t.Run(fmt.Sprintf("named=%v", named), func(t *testing.T) {
				r, _ := ownServer(t, servers.MySQLOptions{Version: version})
				r.insert(1)
				r.runUntil(1)
				r.my.Exec(t, "SET SESSION gtid_domain_id = 5; DELETE FROM outbox")
				r.insert(1)
				r.runUntil(2)
				r.my.Exec(t, "FLUSH BINARY LOGS")
				r.purge()
				if named {
					r.insert(1)
				}
				r.my.Exec(t, "FLUSH BINARY LOGS DELETE_DOMAIN_ID=(5)")
				if !named {
					r.purge()
				}
				r.insert(1)
				command, _, _ := strings.Cut(r.commandOf(r.fails("mysql.log_reset")), ";")
				r.moves(command, "what stands in the way")
				r.runUntil(r.next)
				r.wantEvents(fmt.Sprintf("1-%d", r.next))
				if named { // and so does the position
					return
				}
				r.my.Exec(t, "FLUSH BINARY LOGS")
				r.purge()
				r.insert(1)
				r.runUntil(r.next)
			})
		}
	})
}

// resetLog throws the server's log and its numbers away.
func (r *logRig) resetLog() {
	r.Helper()
	time.Sleep(1100 * time.Millisecond) // the server tells times in seconds: what is new must not look like what was
	r.my.Exec(r.T, resetLog(r.my.Version))
}
