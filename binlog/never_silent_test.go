package binlog_test

import (
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"testing"
	"time"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
)

func each(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) { test(t, version) })
	}
}

func isMaria(version string) bool { return strings.HasPrefix(version, "mariadb") }

// streaming starts a source on a fresh database of the shared server and waits for its first position.
func streaming(t *testing.T, version string, edit ...func(*configs.Pipeline)) (*servers.MySQLDatabase, *feed) {
	t.Helper()
	d := fullNames(t, version)
	d.Exec(t, tablesSQL)
	f := start(t, file(t, d, append(edit, noData)...), nil, binlog.Options{})
	f.begun()
	return d, f
}

func insert(id string) string {
	return fmt.Sprintf("INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ('%s', 'order', 'k', 't', '{}')", id)
}

// TestXAWithOutboxRowsStops: such rows are in the log before anybody knows whether they will be committed.
func TestXAWithOutboxRowsStops(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		xid := d.Name
		d.Exec(t, "XA START '"+xid+"o'; INSERT INTO other VALUES (1); XA END '"+xid+"o'; XA PREPARE '"+xid+"o'; XA COMMIT '"+xid+"o'")
		d.Exec(t, insert("a1"))
		if rows := f.wait(1); rows[0].get("id") != "a1" {
			t.Fatalf("got %v", rows)
		}
		d.Exec(t, "XA START '"+xid+"'; "+insert("phantom")+"; XA END '"+xid+"'; XA PREPARE '"+xid+"'; XA ROLLBACK '"+xid+"'")
		wantFault(t, f.fault(), "mysql.xa_unsupported", outbox.PositionLost)
		if len(f.rows) != 1 {
			t.Errorf("got %d rows, want none of the prepared ones", len(f.rows))
		}
	})
}

// TestXAInOnePhaseIsDelivered: what is committed without having been prepared has its fate in the log.
func TestXAInOnePhaseIsDelivered(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		one := func(ids ...string) {
			sql := "XA START '" + d.Name + "'; "
			for _, id := range ids {
				sql += insert(id) + "; "
			}
			d.Exec(t, sql+"XA END '"+d.Name+"'; XA COMMIT '"+d.Name+"' ONE PHASE")
		}
		d.Exec(t, insert("a1"))
		one("x1", "x2")
		d.Exec(t, insert("a2"))
		if got := idsOf(f.wait(4)); got != "a1 x1 x2 a2" {
			t.Errorf("got %s", got)
		}
	})
}

// session executes on one connection: a transaction that another prepared is unknown until the server has noticed that the other is gone.
func session(t *testing.T, d *servers.MySQLDatabase) (exec func(sql string)) {
	t.Helper()
	conn, err := d.Connect(t, "root").Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return func(sql string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLargeXA has rows for several batches: the first of them must go before its end is read. A stop inside is gone on with.
func TestLargeXA(t *testing.T) {
	const rows = 400
	each(t, func(t *testing.T, version string) {
		for _, compress := range []string{"", "SET SESSION binlog_transaction_compression = ON; "} {
			if compress != "" && isMaria(version) {
				continue
			}
			d := fullNames(t, version)
			d.Exec(t, "DROP TABLE IF EXISTS outbox, other; "+tablesSQL)
			f := start(t, file(t, d, noData), nil, binlog.Options{})
			f.begun()
			write := func(id string) string {
				sql := compress + "XA START '" + d.Name + "'; "
				for i := range rows {
					sql += fmt.Sprintf("INSERT INTO outbox (id, aggregatetype, aggregateid, payload) VALUES ('%s%d', 'order', 'k', REPEAT('%d ', 1000)); ", id, i, i)
				}
				return sql + "XA END '" + d.Name + "'; "
			}
			d.Exec(t, insert("a1"))
			d.Exec(t, write("x")+"XA COMMIT '"+d.Name+"' ONE PHASE")
			d.Exec(t, insert("a2"))
			f.until("a part", func() bool { return strings.Contains(string(f.last), `"part"`) })
			f.stop()
			g := resume(t, d, f.last)
			all := append(f.rows, g.wait(rows+2-len(f.rows))...)
			for i, r := range all {
				want := "x" + strconv.Itoa(i-1)
				switch i {
				case 0:
					want = "a1"
				case rows + 1:
					want = "a2"
				}
				if got := r.get("id"); got != want {
					t.Fatalf("row %d is %s, want %s", i, got, want)
				}
			}
			d.Exec(t, insert("a3"))
			func() { // nothing follows it in the log
				exec := session(t, d)
				exec(write("y") + "XA PREPARE '" + d.Name + "'")
				defer exec("XA ROLLBACK '" + d.Name + "'")
				wantFault(t, g.fault(), "mysql.xa_unsupported", outbox.PositionLost)
			}()
			if last := g.rows[len(g.rows)-1].get("id"); last != "a3" {
				t.Errorf("got %s of what was rolled back", last)
			}
		}
	})
}

// TestStartBehindACompressedXA: what is inside has no place of its own.
func TestStartBehindACompressedXA(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return
		}
		d, f := streaming(t, version)
		d.Exec(t, insert("a1"))
		f.wait(1)
		before := string(f.last)
		d.Exec(t, "SET SESSION binlog_transaction_compression = ON; XA START '"+d.Name+"'; INSERT INTO other VALUES (1); XA END '"+d.Name+"'; XA COMMIT '"+d.Name+"' ONE PHASE")
		f.until("a position behind it", func() bool { return string(f.last) != before })
		f.stop()
		f = resume(t, d, f.last)
		d.Exec(t, insert("a2"))
		if got := idsOf(f.wait(1)); got != "a2" {
			t.Errorf("got %s", got)
		}
	})
}

// TestPreparedBeforeTheFirstStartIsSaid: such rows are in the log before the pipeline's place, and in no snapshot.
func TestPreparedBeforeTheFirstStartIsSaid(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version, RowMetadata: "FULL"}).Database(t)
		d.Exec(t, tablesSQL)
		if !isMaria(version) {
			d.Exec(t, "GRANT XA_RECOVER_ADMIN ON *.* TO outferry")
		}
		said := func() string {
			f, log := startSaying(t, file(t, d, noData), nil)
			f.begun()
			f.stop()
			return log.String()
		}
		if text := said(); strings.Contains(text, "XA transactions are prepared") {
			t.Errorf("none is: %s", text)
		}
		exec := session(t, d)
		exec("XA START 'x'; " + insert("prepared") + "; XA END 'x'; XA PREPARE 'x'")
		if text := said(); !strings.Contains(text, "XA transactions are prepared") {
			t.Errorf("got %s", text)
		}
		exec("XA ROLLBACK 'x'")
	})
}

// TestStatementFormatStops: the log has the text and not the rows, and the text doesn't tell which tables a
// trigger or a function wrote to.
func TestStatementFormatStops(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		own := servers.StartMySQL(t, servers.MySQLOptions{Version: version, RowMetadata: "FULL"}) // such a statement stops every reader
		d := own.Database(t)
		d.Exec(t, tablesSQL+"; CREATE DATABASE billing; CREATE TABLE billing.orders (n int)")
		into := "INSERT INTO " + d.Name + ".outbox VALUES"
		d.Exec(t, "CREATE TRIGGER billing.tr AFTER INSERT ON billing.orders FOR EACH ROW "+into+" (CONCAT('tr', NEW.n), 'o', 'k', 't', '{}')")
		d.Exec(t, "SET GLOBAL log_bin_trust_function_creators = 1; CREATE FUNCTION billing.f(n int) RETURNS int BEGIN "+into+" (CONCAT('f', n), 'o', 'k', 't', '{}'); RETURN n; END")
		texts := []string{insert("s"), "USE billing; INSERT INTO orders VALUES (1)", "USE mysql; # why\n" + into + " ('x', 'o', 'k', 't', '{}')", "USE billing; DO f(1)",
			"USE billing; -- " + strings.Repeat("x", 70_000) + "\n INSERT INTO orders VALUES (2)"}
		if isMaria(version) { // MySQL refuses these
			texts = append(texts, "CREATE TABLE made SELECT billing.f(2) AS n", "CREATE /**/ TEMPORARY TABLE made2 (c varchar(9) COMMENT '\\\\') SELECT billing.f(3) AS n",
				"SET STATEMENT max_statement_time = 9 FOR CREATE TABLE made3 SELECT billing.f(4) AS n", "/*M!100500 CREATE */ TABLE made4 SELECT billing.f(5) AS n", "/*! SET STATEMENT lock_wait_timeout = 9 FOR CREATE TABLE made5 SELECT billing.f(6) AS n */",
				"CREATE TABLE made6 AS\n--\nSELECT billing.f(7) AS n", "CREATE TABLE made7 /*Mike's*/ SELECT billing.f(8) AS n, 'b' AS b", "CREATE TABLE made8 /*!999999 Mike's*/ SELECT billing.f(9) AS n, 'b' AS b",
				"CREATE TABLE made9 AVG_ROW_LENGTH=1.5SELECT billing.f(10) AS n", `SET sql_mode = 'NO_BACKSLASH_ESCAPES'; CREATE TABLE made10 (c varchar(9) DEFAULT '\') SELECT billing.f(11) AS n, '\' AS b`)
		}
		for i, text := range texts {
			f := start(t, file(t, d, noData), nil, binlog.Options{})
			f.begun()
			d.Exec(t, "USE billing; INSERT INTO orders VALUES ("+fmt.Sprint(100+i)+")")
			f.wait(1)
			d.Exec(t, "SET SESSION binlog_format = STATEMENT; "+text)
			wantFault(t, f.fault(), "mysql.statement_format", outbox.PositionLost)
			if len(f.rows) != 1 {
				t.Errorf("%.40s: got %d rows, want the one before", text, len(f.rows))
			}
		}
	})
}

// TestLargeDefinitionPasses, packed by MariaDB too, of which no piece can be unpacked.
func TestLargeDefinitionPasses(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		_, d, at := stopped(t, servers.MySQLOptions{Version: version, Compress: true})
		random := make([]byte, 150_000)
		rand.New(rand.NewSource(1)).Read(random)
		d.Exec(t, fmt.Sprintf("CREATE PROCEDURE large() BEGIN SELECT '%x'; END", random))
		d.Exec(t, insert("a2"))
		if got := idsOf(resume(t, d, at).wait(1)); got != "a2" {
			t.Errorf("got %s", got)
		}
	})
}

// TestStatementsWithoutRowsPass: definitions, and what servers log as text in row format too.
func TestStatementsWithoutRowsPass(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		d.Exec(t, "/* a */ CREATE TABLE copy SELECT * FROM other; CREATE VIEW v AS SELECT * FROM other; /*!50001 CREATE ALGORITHM=UNDEFINED */ /*!50001 VIEW v2 AS SELECT * FROM other */; CREATE TABLE q (`select` int COMMENT 'SELECT') /* select */; # b\nALTER TABLE copy ADD COLUMN m int; -- c\nTRUNCATE copy; CREATE TABLE mem (n int) ENGINE = MEMORY; INSERT INTO mem VALUES (1)")
		d.Exec(t, "CREATE TEMPORARY TABLE tmp SELECT 1 AS n; BEGIN; INSERT INTO tmp VALUES (2); CREATE TEMPORARY TABLE tmp2 (n int); SAVEPOINT s; "+insert("a1")+"; SAVEPOINT s2; INSERT INTO other VALUES (1); ROLLBACK TO s2; DROP TEMPORARY TABLE tmp, tmp2; COMMIT")
		d.Exec(t, "CREATE PROCEDURE p() INSERT INTO other VALUES (3); CALL p(); ANALYZE TABLE other; OPTIMIZE TABLE other; RENAME TABLE copy TO copy2; DROP TABLE copy2; DROP PROCEDURE p")
		d.Exec(t, insert("a2"))
		if got := idsOf(f.wait(2)); got != "a1 a2" {
			t.Errorf("got %s", got)
		}
		if isMaria(version) {
			d.Exec(t, "SET STATEMENT max_statement_time = 9 FOR CREATE OR REPLACE VIEW v AS SELECT n FROM other; SET STATEMENT lock_wait_timeout = 9 FOR ALTER TABLE other ADD COLUMN m int COMMENT 'FOR CREATE TABLE x SELECT'; "+insert("a3"))
			f.wait(3)
		}
		for _, sql := range wordsOfQueries(version, d.Name) {
			d.Exec(t, sql)
		}
		d.Exec(t, insert("last"))
		f.until("the last row", func() bool { return len(f.rows) > 0 && f.rows[len(f.rows)-1].get("id") == "last" })
	})
}

// wordsOfQueries are definitions with words of a query in names, strings and comments.
func wordsOfQueries(version, name string) []string {
	sql := []string{
		`CREATE TABLE permissions (id int PRIMARY KEY, action ENUM('select','insert') NOT NULL, pattern varchar(99) DEFAULT '\\d+')`,
		`CREATE TABLE qe (a int COMMENT 'the user\'s select list'); CREATE TABLE qf (a int COMMENT 'e.g. C:\\data; select one per row'); CREATE TABLE qv (a int COMMENT 'one of the values (see docs\\a)')`,
		"CREATE TABLE cs (`select` int, b varchar(3) DEFAULT '\\\\'); CREATE INDEX ix ON cs (`select`) COMMENT 'back\\slash'",
		`CREATE TABLE made (a int) /*Made by a tool that can select things*/`,
		`SET sql_mode = 'NO_BACKSLASH_ESCAPES'; CREATE TABLE nb (a varchar(9) DEFAULT '\', b int COMMENT 'select'); SET sql_mode = 'ANSI_QUOTES'; CREATE TABLE aq ("select" int COMMENT '\\')`,
		`CREATE USER '` + name + `z'@'localhost' IDENTIFIED BY 'a\\b select'; DROP USER '` + name + `z'@'localhost'`,
	}
	if isMaria(version) {
		sql = append(sql, `CREATE DATABASE `+name+`_2 COMMENT 'back\\slash select'; DROP DATABASE `+name+`_2`, `CREATE SEQUENCE s COMMENT 'a\\b select'`)
	}
	return sql
}

// TestRowsUndoneInTheLogAreAbsent: MariaDB keeps them there, with what undid them behind, in transactions that do
// something that can't be undone.
func TestRowsUndoneInTheLogAreAbsent(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		d.Exec(t, "CREATE TABLE plain (n int) ENGINE = MyISAM")
		lasting := []string{"CREATE TEMPORARY TABLE tmp (n int)", "DROP TEMPORARY TABLE tmp"}
		if isMaria(version) { // MySQL with GTIDs refuses it
			lasting = append(lasting, "INSERT INTO plain VALUES (1)", "CREATE TEMPORARY TABLE tmp2 SELECT 1")
		}
		var want []string
		for i, text := range lasting {
			for j, form := range []string{"%[2]s; SAVEPOINT s; %[3]s; ROLLBACK TO s", "SAVEPOINT s; %[3]s; %[2]s; ROLLBACK TO s", "SAVEPOINT s; %[2]s; SAVEPOINT s2; %[3]s; ROLLBACK TO s2; %[3]s; ROLLBACK TO s"} {
				id := fmt.Sprintf("%d%d", i, j)
				before := ""
				if strings.HasPrefix(text, "DROP") {
					before = "CREATE TEMPORARY TABLE tmp (n int); "
				}
				d.Exec(t, before+"BEGIN; "+insert("a"+id)+"; "+fmt.Sprintf(form, "", text, insert("undone"+id))+"; "+insert("b"+id)+"; COMMIT")
				want = append(want, "a"+id, "b"+id)
			}
		}
		if got, want := idsOf(f.wait(len(want))), strings.Join(want, " "); got != want || want != d.Text(t, "SELECT GROUP_CONCAT(id ORDER BY SUBSTR(id, 2), id SEPARATOR ' ') FROM outbox") {
			t.Errorf("got %s, want %s", got, want)
		}
		if !isMaria(version) {
			return
		}
		pad := "', '" + strings.Repeat("x", 200<<10) + "')"
		undone := strings.Replace(insert("large"), "', '{}')", pad, 1)
		d.Exec(t, "BEGIN; "+insert("kept")+"; CREATE TEMPORARY TABLE tmp (n int); SAVEPOINT s; "+undone+"; "+strings.Replace(undone, "large", "large2", 1)+"; ROLLBACK TO s; COMMIT")
		wantFault(t, f.fault(), "mysql.rollback_logged", outbox.PositionLost)
	})
}

// TestSavepointOfATriggerStops: it is another one of the same name, and MariaDB's log doesn't tell them apart.
func TestSavepointOfATriggerStops(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL cuts its log
		}
		d, f := streaming(t, version)
		d.Exec(t, "CREATE TRIGGER tr AFTER INSERT ON other FOR EACH ROW BEGIN SAVEPOINT s; "+insert("trigger")+"; END")
		d.Exec(t, "BEGIN; "+insert("before")+"; CREATE TEMPORARY TABLE tmp (n int); SAVEPOINT s; "+insert("a")+"; INSERT INTO other VALUES (1); "+insert("c")+"; ROLLBACK TO s; "+insert("d")+"; COMMIT")
		wantFault(t, f.fault(), "mysql.rollback_logged", outbox.PositionLost)
		if got := idsOf(f.rows); got != "" {
			t.Errorf("got %s", got)
		}
	})
}

// TestRowImageWithoutAllColumnsStops: a column that was left out can't be told from NULL.
func TestRowImageWithoutAllColumnsStops(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		d.Exec(t, "SET SESSION binlog_row_image = MINIMAL; "+insert("whole"))
		if f.wait(1)[0].get("id") != "whole" {
			t.Fatal("a minimal image with every column is whole")
		}
		d.Exec(t, "SET SESSION binlog_row_image = MINIMAL; INSERT INTO outbox (id, aggregatetype, aggregateid) VALUES ('a2', 'o', 'k')")
		wantFault(t, f.fault(), "mysql.row_image", outbox.PositionLost)
	})
}

func TestUpdateWithMinimalImageIsCounted(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		d.Exec(t, insert("a1"))
		d.Exec(t, "SET SESSION binlog_row_image = MINIMAL; UPDATE outbox SET type = 'x'; DELETE FROM outbox; "+insert("a2"))
		rows := f.wait(3)
		if rows[1].op != outbox.Update || rows[2].get("id") != "a2" {
			t.Errorf("got %+v", rows)
		}
	})
}

// TestUpsertAndReplace are logged as updates or as delete and insert, as the server likes.
func TestUpsertAndReplace(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		d.Exec(t, insert("a1")+"; "+insert("a1")+" ON DUPLICATE KEY UPDATE type = 'u'; REPLACE INTO outbox VALUES ('a1', 'order', 'k', 'r', '{}'); "+insert("a2"))
		var ops []string
		for _, r := range f.wait(4) {
			ops = append(ops, fmt.Sprintf("%d %s %s", r.op, r.get("id"), r.get("type")))
		}
		if got := strings.Join(ops, " "); got != "0 a1 t 1 a1 u 0 a1 r 0 a2 t" && got != "0 a1 t 1 a1 u 1 a1 r 0 a2 t" {
			t.Errorf("got %s", got)
		}
	})
}

// TestReplaceIsAnUpdateOrAnInsert: where the server can't make an update of it the log has a delete and an insert, which nobody
// tells from an event that is new.
func TestReplaceIsAnUpdateOrAnInsert(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		for what, c := range map[string]struct {
			sql string
			op  outbox.Op
		}{
			"only key":       {"SELECT 1", outbox.Update},
			"second key":     {"ALTER TABLE outbox ADD COLUMN n int, ADD UNIQUE KEY (n)", outbox.Insert},
			"DELETE trigger": {"CREATE TRIGGER tr AFTER DELETE ON outbox FOR EACH ROW INSERT INTO other VALUES (1)", outbox.Insert},
			"foreign key":    {"CREATE TABLE child (id varchar(64), FOREIGN KEY (id) REFERENCES outbox (id) ON DELETE CASCADE)", outbox.Insert},
		} {
			t.Run(what, func(t *testing.T) {
				d := fullNames(t, version)
				d.Exec(t, tablesSQL+"; "+c.sql+"; "+insert("a1"))
				f := start(t, file(t, d, noData), nil, binlog.Options{})
				f.begun()
				d.Exec(t, "REPLACE INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES ('a1', 'order', 'k', 'again', '{}')")
				if r := f.wait(1)[0]; r.op != c.op || r.get("type") != "again" {
					t.Errorf("got operation %d, want %d", r.op, c.op)
				}
			})
		}
	})
}

func TestTriggersLoadsAndTruncates(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		d.Exec(t, "CREATE TRIGGER tr AFTER INSERT ON other FOR EACH ROW INSERT INTO outbox VALUES (CONCAT('tr', NEW.n), 'o', 'k', 't', '{}')")
		d.Exec(t, "INSERT INTO other VALUES (1), (2)")
		d.Exec(t, "TRUNCATE outbox")
		d.Exec(t, "INSERT INTO outbox SELECT CONCAT('sel', n), 'o', 'k', 't', '{}' FROM other")
		var ids []string
		for _, r := range f.wait(4) {
			ids = append(ids, r.get("id"))
		}
		if got := strings.Join(ids, " "); got != "tr1 tr2 sel1 sel2" {
			t.Errorf("got %s", got)
		}
	})
}

// TestRenameSwapFollowsTheName: tools for online changes fill a shadow table and swap it in.
func TestRenameSwapFollowsTheName(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		d.Exec(t, insert("a1"))
		d.Exec(t, "CREATE TABLE _outbox_new LIKE outbox; ALTER TABLE _outbox_new ADD COLUMN extra int AFTER id")
		d.Exec(t, "INSERT INTO _outbox_new (id, aggregatetype, aggregateid, type, payload) SELECT * FROM outbox")
		d.Exec(t, "RENAME TABLE outbox TO _outbox_old, _outbox_new TO outbox")
		d.Exec(t, insert("a2"))
		rows := f.wait(2)
		if rows[0].get("id") != "a1" || rows[1].get("id") != "a2" || rows[1].get("extra") != null || rows[1].get("aggregatetype") != "order" {
			t.Errorf("got %+v", rows)
		}
		d.Exec(t, "RENAME TABLE outbox TO gone")
		wantFault(t, f.fault(), "mysql.table_missing", outbox.Transient)
	})
}

// TestEngineWithoutRollbackIsRefused: its rows stay though their transaction was rolled back.
func TestEngineWithoutRollbackIsRefused(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		d.Exec(t, insert("a1"))
		f.wait(1)
		d.Exec(t, "ALTER TABLE outbox ENGINE = MyISAM")
		wantFault(t, f.fault(), "mysql.engine", outbox.Environment)
		var found *outbox.Fault
		servers.Eventually(t, time.Minute, "the server has let the reader go", func() bool {
			_, err := binlog.New(file(t, d), testLog(t), binlog.Options{}).Look(t.Context())
			found = asFault(t, err)
			return found.Class != outbox.Busy
		})
		wantFault(t, found, "mysql.engine", outbox.Environment)
	})
}

func asFault(t *testing.T, err error) *outbox.Fault {
	t.Helper()
	f, ok := err.(*outbox.Fault)
	if !ok {
		t.Fatalf("got %v, want a fault", err)
	}
	return f
}

// TestBlackholeIsAnOutboxWithoutStorage: rows go to the log alone.
func TestBlackholeIsAnOutboxWithoutStorage(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		o := servers.MySQLOptions{Version: version, RowMetadata: "FULL"}
		if isMaria(version) {
			o.Settings = []string{servers.MariaDBPlugins(t, version), "plugin_load_add = ha_blackhole"}
		}
		d := servers.StartMySQL(t, o).Database(t)
		d.Exec(t, tablesSQL+"; ALTER TABLE outbox ENGINE = BLACKHOLE")
		f := start(t, file(t, d), nil, binlog.Options{})
		f.until("the snapshot of nothing", func() bool { return strings.Contains(f.last.String(), `"stream"`) })
		d.Exec(t, "BEGIN; "+insert("gone")+"; ROLLBACK")
		d.Exec(t, "BEGIN; "+insert("a1")+"; INSERT INTO other VALUES (1); "+insert("a2")+"; COMMIT")
		d.Exec(t, insert("a3"))
		var ids []string
		for _, r := range f.wait(3) {
			ids = append(ids, r.get("id"))
		}
		if got := strings.Join(ids, " "); got != "a1 a2 a3" {
			t.Errorf("got %s", got)
		}
	})
}

// TestRollbackBesideAnotherEngineIsAbsent: a part of the transaction stays, the outbox's rows don't.
func TestRollbackBesideAnotherEngineIsAbsent(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL with GTIDs allows no such transaction
		}
		d, f := streaming(t, version)
		d.Exec(t, "CREATE TABLE my (n int) ENGINE = MyISAM")
		d.Exec(t, "BEGIN; "+insert("gone")+"; INSERT INTO my VALUES (1); SAVEPOINT s; "+insert("gone2")+"; ROLLBACK TO s; ROLLBACK")
		d.Exec(t, insert("a1"))
		if rows := f.wait(1); rows[0].get("id") != "a1" {
			t.Errorf("got %+v", rows)
		}
	})
}

// TestSecondReaderWaits: the server would throw one of two readers under one number out, again and again.
func TestSecondReaderWaits(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		cfg := file(t, d, noData)
		_, err := binlog.New(cfg, testLog(t), binlog.Options{}).Look(t.Context())
		wantFault(t, asFault(t, err), "mysql.server_id_taken", outbox.Busy)
		wantFault(t, start(t, cfg, nil, binlog.Options{}).fault(), "mysql.server_id_taken", outbox.Busy)
		d.Exec(t, insert("a1"))
		f.wait(1)
		f.stop()
		again := start(t, cfg, f.last, binlog.Options{})
		d.Exec(t, insert("a2"))
		again.wait(1)
	})
}

// TestNamesThatTheLogLacksAreNotGuessed: without names a changed table can't be read.
func TestNamesThatTheLogLacksAreNotGuessed(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.MySQL(t, version)
		d.Exec(t, "SET GLOBAL binlog_row_metadata = DEFAULT; "+tablesSQL)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		d.Exec(t, insert("a1"))
		if got := f.wait(1)[0].get("aggregateid"); got != "k" {
			t.Fatalf("aggregateid is %s", got)
		}
		f.stop()
		d.Exec(t, "ALTER TABLE outbox DROP COLUMN type")
		at = edited(t, at, func(m map[string]any) { delete(m, "layout") })
		fault := start(t, file(t, d, noData), at, binlog.Options{}).fault()
		wantFault(t, fault, "mysql.names_unknown", outbox.PositionLost)
	})
}
