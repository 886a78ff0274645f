package main

import (
	"encoding/json"
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
	eachPosition(t, func(t *testing.T, r *logRig) {
		r.my.Exec(t, "SET GLOBAL binlog_row_metadata = MINIMAL")
		r.insert(1)
		r.runUntil(1)
		want := []string{"1"}
		for code, sql := range unreadable {
			r.insert(1)
			want = append(want, fmt.Sprint(r.next))
			r.my.Exec(t, "DELETE FROM outbox; "+sql)
			r.insert(1)
			want = append(want, fmt.Sprint(r.next))
			command := r.commandOf(r.fails(code))
			r.moves(command, "skipped")
			r.runUntil(r.next)
			r.wantEvents(want...)
		}
	})
}

// TestFaultInsideATransactionWithholdsNothingBeforeIt: a batch of its transaction is on its way with transactions before it,
// when the row is found that can't be published. The command passes that one transaction by.
func TestFaultInsideATransactionWithholdsNothingBeforeIt(t *testing.T) {
	eachPosition(t, func(t *testing.T, r *logRig) {
		r.insert(1)
		r.runUntil(1)
		for range 50 {
			r.insert(1)
		}
		r.my.Exec(t, "START TRANSACTION; "+strings.Repeat("INSERT INTO outbox SELECT LEFT(UUID(), 32), 'x', 'k', 't', REPEAT('y', 60000); ", 30)+
			"SET SESSION binlog_row_image = MINIMAL; INSERT INTO outbox (id, aggregatetype, aggregateid) VALUES ('bad', 'x', 'k'); COMMIT")
		r.insert(1)
		command := r.commandOf(r.fails("mysql.row_image"))
		r.wantEvents("1-51")
		r.do("set "+command+" --yes").want(t, 0, "moved")
		r.runUntil(52)
		r.wantEvents("1-52")
	})
}

// TestRowThatKafkaRefusesIsPassedByAsTheDocsSay: its fault knows the row and not its transaction, which a person finds in
// the log. What lies before that has no outbox rows, and may be read again.
func TestRowThatKafkaRefusesIsPassedByAsTheDocsSay(t *testing.T) {
	eachPosition(t, func(t *testing.T, r *logRig) {
		r.insert(1)
		r.runUntil(1)
		r.elsewhere()
		r.my.Exec(t, "INSERT INTO outbox VALUES ('large', 'x', 'k', 't', repeat('x', 10000))")
		last := r.executed()
		file, pos := r.end()
		r.elsewhere()
		r.insert(1)
		f := r.failure(1, small)
		if f.Code != "row.record_too_large" {
			t.Fatal(f)
		}
		at := decode[struct{ Position struct{ GTID, File string } }](t, r.do("export").out).Position
		if at.File != file {
			t.Errorf("it stands in file %q", at.File)
		}
		command := "--file " + file + " --pos " + pos
		switch {
		case at.GTID != "" && r.maria():
			command = "--gtid " + last
		case at.GTID != "":
			command = "--gtid " + at.GTID + "," + strings.Replace(last, ":1-", ":", 1)
		}
		r.do("set "+command+" --accept-gap --yes").want(t, 0, "skipped", "moved")
		r.runUntil(2, small)
		r.wantEvents("1-2")
	})
}

// TestFaultBehindAFailoverIsPassedByAsItSays: what was published and the new source never had stays published, though the
// server has not executed it, and comes no second time when the old source joins again.
func TestFaultBehindAFailoverIsPassedByAsItSays(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		if strings.HasPrefix(version, "mariadb") {
			return // a server that lacks what was published is no successor
		}
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprintf("first=%v", first), func(t *testing.T) { // what the new source has; then the stored position is of the old one
				r, source, replica := promotedServer(t, version)
				r.insert(1) // the ghost
				r.runUntil(2)
				source.Stop()
				old := r.my
				r.moveTo(source, replica)
				if !first {
					r.insert(1)
				}
				r.my.Exec(t, badStatement)
				r.insert(1)
				command := r.commandOf(r.fails("mysql.statement_format"))
				r.do("set "+command+" --yes").want(t, 0, "skipped: 1 transaction, ", "moved")
				r.runUntil(r.next)
				source.Start()
				replica.Follow(source)
				r.my = old
				r.insert(1)
				r.runUntil(r.next)
				r.wantEvents(fmt.Sprintf("1-%d", r.next))
			})
		}
	})
}

const badStatement = "SET SESSION binlog_format = STATEMENT; INSERT INTO outbox (id, aggregatetype, aggregateid) VALUES ('bad', 'x', 'k')"

// TestFaultUnderANumberOfAGhostIsPassedByAsItSays: the old source was rebuilt as a copy of its successor, and gives the numbers
// of what was published and lost to new transactions. The command passes by the one that can't be published.
func TestFaultUnderANumberOfAGhostIsPassedByAsItSays(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		cases := map[string]string{"under its number": badStatement, "beside it": "SET SESSION gtid_next = 'AUTOMATIC:tagged'; " + badStatement}
		switch {
		case strings.HasPrefix(version, "mariadb"):
			return // a server that lacks what was published is no successor
		case version[0] != '9':
			delete(cases, "beside it") // it has no tags
		}
		for name, sql := range cases {
			t.Run(name, func(t *testing.T) {
				r, source, replica := promotedServer(t, version)
				for range 5 {
					r.insert(1) // the ghosts
				}
				r.runUntil(6)
				time.Sleep(1100 * time.Millisecond) // as long as no copy takes
				old := r.my
				r.moveTo(source, replica)
				r.insert(1)
				r.runUntil(7)
				old.Exec(t, "SET sql_log_bin = 0; DELETE FROM outbox; SET sql_log_bin = 1; "+resetLog(version))
				old.Exec(t, "SET GLOBAL gtid_purged = '"+r.executed()+"'")
				r.moveTo(replica, source)
				r.insert(1)
				r.my.Exec(t, sql)
				for range 2 {
					r.insert(1)
				}
				command := r.commandOf(r.fails("mysql.statement_format"))
				r.moves(command, "skipped: 1 transaction, ")
				r.runUntil(r.next)
				for range 4 {
					r.insert(1) // under the last of the numbers, and behind them
				}
				r.runUntil(r.next)
				r.wantEvents(fmt.Sprintf("1-%d", r.next))
			})
		}
	})
}

// TestFaultUnderANumberThatComesAgainIsPassedByAsItSays: without gtid_strict_mode, its default, MariaDB gives a number as often as it
// is told to. The command passes by the one that can't be published.
func TestFaultUnderANumberThatComesAgainIsPassedByAsItSays(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		if !strings.HasPrefix(version, "mariadb") {
			return // MySQL takes no number twice
		}
		for bad, code := range map[string]int{badStatement: 4, "INSERT INTO outbox VALUES ('route', 'no such/topic', 'k', 't', '{}')": 1} {
			r, _ := ownServer(t, servers.MySQLOptions{Version: version})
			r.my.Exec(t, "SET GLOBAL gtid_strict_mode = 0")
			r.insert(1)
			r.runUntil(1)
			r.my.Exec(t, bad)
			number := r.executed()
			for _, seq := range []string{"4", number[strings.LastIndexByte(number, '-')+1:]} {
				r.next++
				r.my.Exec(t, fmt.Sprintf("SET SESSION gtid_seq_no = %s; INSERT INTO outbox VALUES ('%[2]d', '%[3]s', 'k', 't', '%[2]d'); FLUSH BINARY LOGS", seq, r.next, r.name))
			}
			r.insert(1)
			command := r.commandOf(r.failure(code))
			r.moves(command, "skipped")
			r.runUntil(4)
			r.wantEvents("1-4")
		}
	})
}

// TestFaultIsPassedByAsItSaysByWhatThePositionGoesBy, though the file or the server has changed since.
func TestFaultIsPassedByAsItSaysByWhatThePositionGoesBy(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		for _, c := range [][2]string{{"file", "auto"}, {"auto", "file"}} {
			t.Run(c[0], func(t *testing.T) {
				r, _ := ownServer(t, servers.MySQLOptions{Version: version})
				r.my.Exec(t, "GRANT LOCK TABLES ON "+r.my.Name+".* TO outferry")
				first, second := "source.mysql.position="+c[0], "source.mysql.position="+c[1]
				r.insert(1)
				r.runUntil(1, first)
				r.my.Exec(t, badStatement)
				r.insert(1)
				command := r.commandOf(r.failure(4, second))
				r.moves(command, "skipped", "--set", second)
				r.runUntil(2, second)
				r.wantEvents("1-2")
			})
		}
		if strings.HasPrefix(version, "mariadb") {
			return // it always numbers its transactions
		}
		t.Run("gtid_mode", func(t *testing.T) {
			r, _ := ownServer(t, servers.MySQLOptions{Version: version, NoGTID: true})
			r.my.Exec(t, "GRANT LOCK TABLES ON "+r.my.Name+".* TO outferry")
			r.insert(1)
			r.runUntil(1)
			r.my.Exec(t, "SET GLOBAL enforce_gtid_consistency = ON, GLOBAL gtid_mode = OFF_PERMISSIVE; SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON")
			r.insert(1)
			r.my.Exec(t, badStatement)
			r.insert(1)
			command := r.commandOf(r.fails("mysql.statement_format"))
			r.moves(command, "skipped")
			r.runUntil(3)
			r.wantEvents("1-3")
		})
	})
}

func resetLog(version string) string {
	if version[0] == '9' {
		return "RESET BINARY LOGS AND GTIDS"
	}
	return "RESET MASTER"
}

// TestIncidentIsPassedByAsTheFaultSays: the server writes one when a change of a table without transactions is larger
// than the cache of its log.
func TestIncidentIsPassedByAsTheFaultSays(t *testing.T) {
	eachPosition(t, func(t *testing.T, r *logRig) {
		r.insert(1)
		r.runUntil(1)
		r.insert(1)
		r.my.Exec(t, "CREATE TABLE plain (payload longtext) ENGINE = MyISAM; SET GLOBAL max_binlog_stmt_cache_size = 4096, GLOBAL binlog_stmt_cache_size = 4096")
		if _, err := r.my.Connect(t, "root").ExecContext(t.Context(), "INSERT INTO plain SELECT repeat('x', 100000) FROM (SELECT 1 UNION ALL SELECT 2) AS two"); err == nil {
			t.Fatal("the change was not too large")
		}
		command := r.commandOf(r.fails("mysql.incident"))
		if !strings.HasPrefix(command, "--now ") { // with no transaction behind it that skips nothing
			r.do("set "+command).want(t, 3, "offsets.unconfirmed", "skipped")
		}
		r.do("set "+command+" --yes").want(t, 0, "moved")
		r.insert(1)
		r.runUntil(3)
		r.wantEvents("1-3")
	})
}

// TestAnotherTransactionThanTheOneInPart: the command reads again from where that one began, and skips nothing.
func TestAnotherTransactionThanTheOneInPart(t *testing.T) {
	eachPosition(t, func(t *testing.T, r *logRig) {
		r.insert(1)
		r.runUntil(1)
		rec := r.record()
		rec.Position = withPart(t, rec.Position, map[string]any{"rows": 9}) // of a transaction that is not there
		r.plant(rec.Marshal())
		r.insert(2)
		command := r.commandOf(r.fails("mysql.part_mismatch"))
		r.moves(command, "published in part")
		r.runUntil(3)
		r.wantEvents("1-3")
	})
}

func TestAnotherTransactionThanTheOneInPartOnPostgres(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	rec := r.record()
	rec.Position = withPart(t, rec.Position, map[string]any{"xid": 1, "final_lsn": "0/1", "rows": 9})
	r.plant(rec.Marshal())
	r.insert(2)
	fault := r.failure(4)
	if fault.Code != "pg.part_mismatch" {
		t.Fatal(fault)
	}
	command := r.commandOf(fault)
	r.moves(command, "published in part")
	r.runUntil(3)
	r.wantEvents("1-3")
}

func withPart(t *testing.T, position json.RawMessage, part map[string]any) json.RawMessage {
	t.Helper()
	p := decode[map[string]any](t, string(position))
	p["part"] = part
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// eachPosition runs a test on servers of its own, by GTID and by places in files.
func eachPosition(t *testing.T, test func(t *testing.T, r *logRig)) {
	eachLog(t, func(t *testing.T, version string) {
		t.Run("by GTID", func(t *testing.T) {
			r, _ := ownServer(t, servers.MySQLOptions{Version: version})
			test(t, r)
		})
		t.Run("by file", func(t *testing.T) {
			r, _ := ownServer(t, servers.MySQLOptions{Version: version, NoGTID: !strings.HasPrefix(version, "mariadb")}, "  mysql: {position: file}\n")
			r.my.Exec(t, "GRANT LOCK TABLES ON "+r.my.Name+".* TO outferry")
			test(t, r)
		})
	})
}

// promotedServer is a rig on a server of its own, and a replica that has its one row and was promoted.
func promotedServer(t *testing.T, version string) (r *logRig, source, replica *servers.MySQLServer) {
	t.Helper()
	r, source = ownServer(t, servers.MySQLOptions{Version: version})
	replica = source.Replica()
	r.insert(1)
	r.runUntil(1)
	replica.CatchUp(t, source)
	replica.Promote()
	return r, source, replica
}

// elsewhere commits what has no row of the outbox table.
func (r *logRig) elsewhere() {
	r.Helper()
	r.my.Exec(r.T, "CREATE TABLE IF NOT EXISTS plain (n int); INSERT INTO plain VALUES (1)")
}

// failure leaves no reader on the server.
func (r *logRig) failure(code int, set ...string) *outbox.Fault {
	r.Helper()
	f := r.rig.failure(code, set...)
	r.awaitGone(set...)
	return f
}

// fails runs the pipeline until a fault ends it.
func (r *logRig) fails(code string) *outbox.Fault {
	r.Helper()
	f := r.failure(4)
	if f.Code != code {
		r.Fatalf("%v, want %s", f, code)
	}
	return f
}

// commandOf is what a fault says behind outferry offsets set PIPELINE.
func (r *rig) commandOf(f *outbox.Fault) string {
	r.Helper()
	_, command, ok := strings.Cut(f.Remedy, "outferry offsets set "+r.name+" ")
	if !ok {
		r.Fatalf("%s: no command in %q", f.Code, f.Remedy)
	}
	return command
}

// moves follows a command that asks first, and says what will come of it.
func (r *rig) moves(command, effect string, more ...string) {
	r.Helper()
	r.do("set "+command, more...).want(r.T, 3, "offsets.unconfirmed", effect)
	r.do("set "+command+" --yes", more...).want(r.T, 0, "moved")
}

// failure is the fault that ends a run of the pipeline with an exit code.
func (r *rig) failure(code int, set ...string) *outbox.Fault {
	r.Helper()
	p := pipeline.New(r.config(set...), hclog.New(&hclog.LoggerOptions{Output: r.Output()}), status.NewRegistry("test", false).Pipeline(r.name), 10*time.Second)
	err := p.Run(r.Context())
	var f *outbox.Fault
	if !errors.As(err, &f) || pipeline.ExitCode(err) != code {
		r.Fatalf("exit %d, %v, want %d", pipeline.ExitCode(err), err, code)
	}
	if !strings.HasSuffix(err.Error(), f.Remedy) {
		r.Fatalf("the error does not end with the remedy: %v", err)
	}
	return f
}
