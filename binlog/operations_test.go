package binlog_test

import (
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

func idsOf(rows []copied) string {
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.get("id"))
	}
	return strings.Join(ids, " ")
}

// TestRotationIsInvisible: a new file every few transactions, a restart of the server, and a flush.
func TestRotationIsInvisible(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Settings: []string{"max_binlog_size = 4096"}})
		d := m.Database(t)
		d.Exec(t, tablesSQL)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		var want []string
		for i := range 60 {
			id := fmt.Sprintf("r%d", i)
			want = append(want, id)
			d.Exec(t, insert(id))
			if i%20 == 10 {
				d.Exec(t, "FLUSH BINARY LOGS")
			}
		}
		if got := idsOf(f.wait(60)); got != strings.Join(want, " ") {
			t.Errorf("got %s", got)
		}
		m.Restart()
		if fault := f.fault(); fault.Class != outbox.Transient {
			t.Errorf("got %v, want something that passes", fault)
		}
		d.Exec(t, insert("after"))
		if got := idsOf(resume(t, d, f.last).wait(1)); got != "after" {
			t.Errorf("got %s", got)
		}
	})
}

// TestCutInsideATransaction: the server drops us in the middle of 20,000 rows; each comes once.
func TestCutInsideATransaction(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := fullNames(t, version)
		d.Exec(t, tablesSQL)
		const n = 20_000
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		var rows []string
		for i := range n {
			rows = append(rows, fmt.Sprintf("('c%05d', 'o', 'k', 't', '%s')", i, strings.Repeat("x", 100)))
		}
		d.Exec(t, "BEGIN; INSERT INTO outbox VALUES "+strings.Join(rows[:n/2], ",")+"; INSERT INTO outbox VALUES "+strings.Join(rows[n/2:], ",")+"; COMMIT")
		var got []copied
		cuts := 0
		for len(got) < n {
			f := resume(t, d, at)
			f.until("a part", func() bool { return len(f.rows) > 0 })
			if cuts < 3 {
				d.Exec(t, "KILL "+d.Text(t, "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%' AND USER = 'outferry' LIMIT 1"))
				cuts++
				f.fault()
			} else {
				f.wait(n - len(got))
			}
			got, at = append(got, f.rows...), f.last
			f.stop()
		}
		for i, r := range got {
			if r.get("id") != fmt.Sprintf("c%05d", i) {
				t.Fatalf("row %d is %s", i, r.get("id"))
			}
		}
		if len(got) != n {
			t.Errorf("got %d rows", len(got))
		}
	})
}

// TestRowBeyondAPacket: an event larger than 16 MiB comes in several packets, and one beyond the limit stops.
func TestRowBeyondAPacket(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		redo := "innodb_log_file_size = 512M"
		if version[0] == '9' {
			redo = "innodb_redo_log_capacity = 1G"
		}
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Settings: []string{"max_allowed_packet = 256M", redo}})
		d := m.Database(t)
		d.Exec(t, tablesSQL)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		for _, size := range []int{16<<20 - 60, 16 << 20, 34 << 20} {
			d.Exec(t, fmt.Sprintf("INSERT INTO outbox VALUES ('s%d', 'o', 'k', 't', REPEAT('x', %d))", size, size))
			d.Exec(t, fmt.Sprintf("INSERT INTO other VALUES (%d); CREATE TABLE IF NOT EXISTS blobs (b longtext); INSERT INTO blobs VALUES (REPEAT('y', %d))", size, size))
		}
		for i, r := range f.wait(3) {
			if want := []int{16<<20 - 60, 16 << 20, 34 << 20}[i]; len(r.get("payload")) != want {
				t.Errorf("payload of %d bytes, want %d", len(r.get("payload")), want)
			}
		}
		d.Exec(t, "INSERT INTO outbox VALUES ('big', 'o', 'k', 't', REPEAT('x', 70000000))")
		wantFault(t, f.fault(), "row.too_large", outbox.Internal)
	})
}

// TestCompressedTransactionIsBounded: half a gigabyte of rows, packed to little.
func TestCompressedTransactionIsBounded(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Compress: true})
		d := m.Database(t)
		d.Exec(t, tablesSQL)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		const n = 20_000
		d.Exec(t, "CREATE TABLE seq (n int PRIMARY KEY AUTO_INCREMENT); INSERT INTO seq VALUES (), (), (), (), (), (), (), (), (), ()")
		d.Exec(t, "INSERT INTO seq (n) SELECT NULL FROM seq a, seq b, seq c, seq d, (SELECT 1 UNION SELECT 2) e")
		d.Exec(t, fmt.Sprintf("INSERT INTO outbox SELECT n, 'o', 'k', 't', REPEAT('p', 10000) FROM seq WHERE n <= %d ORDER BY n", n))
		cfg := file(t, d, noData)
		src := binlog.New(cfg, testLog(t), binlog.Options{})
		out := make(chan *outbox.Batch, 1)
		ended := make(chan error, 1)
		go func() { ended <- src.Run(t.Context(), at, out) }()
		debug.FreeOSMemory() // what other tests left
		var peak uint64
		rows := 0
		total := d.Text(t, "SELECT COUNT(*) FROM outbox")
		for fmt.Sprint(rows) != total {
			select {
			case b := <-out:
				rows += len(b.Rows)
				b.Release()
				var s runtime.MemStats
				runtime.ReadMemStats(&s)
				peak = max(peak, s.HeapInuse)
			case err := <-ended:
				t.Fatal(err)
			case <-time.After(time.Minute):
				t.Fatalf("%d rows of %s", rows, total)
			}
		}
		t.Logf("%d rows of 10 kB, heap %d MiB at most", rows, peak>>20)
		if peak > 120<<20 {
			t.Errorf("heap reached %d MiB", peak>>20)
		}
	})
}

// TestWidestWindowIsUnpacked: at its highest level MySQL packs with a window of 128 MiB.
func TestWidestWindowIsUnpacked(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return // it packs event by event, in another way
		}
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Compress: true, Settings: []string{"binlog_transaction_compression_level_zstd = 22"}}).Database(t)
		d.Exec(t, tablesSQL)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		const n = 140
		d.Exec(t, "BEGIN; "+strings.Repeat("INSERT INTO outbox SELECT UUID(), 'o', 'k', 't', REPEAT(SHA2(RAND(), 256), 16000);", n)+" COMMIT")
		f.wait(n)
	})
}

// TestAddedTableIsSaid once, whether the log has column names or not: its older rows are not published. So is one that is taken out.
func TestAddedTableIsSaid(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := fullNames(t, version)
		d.Exec(t, tablesSQL+"; CREATE TABLE Later LIKE outbox")
		later := strings.NewReplacer("outbox", "Later")
		two := func(c *configs.Pipeline) { c.Source.Tables = append(c.Source.Tables, d.Name+".Later") }
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		at := f.begun()
		f.stop()
		d.Exec(t, later.Replace(insert("b1")))
		for i, want := range []int{1, 0, 0} {
			if i == 2 {
				two = func(*configs.Pipeline) {}
			}
			f, log := startSaying(t, file(t, d, noData, two), at)
			d.Exec(t, insert(fmt.Sprintf("a%d", i)))
			f.wait(1 + want)
			f.stop()
			at = f.last
			if n := strings.Count(log.String(), "[WARN]  table added"); n != want || want > 0 && !strings.Contains(log.String(), d.Name+".Later") {
				t.Errorf("start %d warns %d times, want %d: %s", i, n, want, log.String())
			}
			if strings.Contains(log.String(), "[WARN]  table taken out") != (i == 2) {
				t.Errorf("start %d: %s", i, log.String())
			}
		}
	})
}

// TestNamesAtTheirLimits: a dollar sign, and as many characters as a server keeps.
func TestNamesAtTheirLimits(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := fullNames(t, version)
		d.Exec(t, tablesSQL)
		for _, name := range []string{"out$box", strings.Repeat("é", 64)} {
			d.Exec(t, "CREATE TABLE "+name+" LIKE outbox")
			into := strings.NewReplacer("outbox", name)
			d.Exec(t, into.Replace(insert("a0")))
			f := start(t, file(t, d, func(c *configs.Pipeline) { c.Source.Tables = []string{d.Name + "." + name} }), nil, binlog.Options{})
			f.until("the stream", func() bool { return strings.Contains(string(f.last), `"phase":"stream"`) })
			d.Exec(t, into.Replace(insert("a1")+"; ALTER TABLE outbox ADD COLUMN extra int FIRST; "+insert("a2")))
			if got := idsOf(f.wait(3)); got != "a0 a1 a2" {
				t.Errorf("%s: got %s", name, got)
			}
			f.stop()
		}
	})
}

// TestIdleOutboxMovesItsPosition while others work.
func TestIdleOutboxMovesItsPosition(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d, f := streaming(t, version)
		at := f.last.String()
		f.until("the position to move", func() bool {
			d.Exec(t, "INSERT INTO other VALUES (1)")
			return f.last.String() != at
		})
	})
}

// TestTaggedGTIDs: of MySQL 8.3 and newer.
func TestTaggedGTIDs(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if version[0] != '9' {
			return
		}
		d, f := streaming(t, version)
		d.Exec(t, "SET GTID_NEXT = 'AUTOMATIC:big'; "+insert("t1")+"; "+insert("t2")+"; SET GTID_NEXT = 'AUTOMATIC'; "+insert("u1"))
		f.wait(3)
		f.stop()
		if !strings.Contains(f.last.String(), ":big:1-2") {
			t.Errorf("position %s", f.last)
		}
		d.Exec(t, "SET GTID_NEXT = 'AUTOMATIC:big'; "+insert("t3")+"; SET GTID_NEXT = 'AUTOMATIC'")
		if got := idsOf(resume(t, d, f.last).wait(1)); got != "t3" {
			t.Errorf("got %s", got)
		}
	})
}

// TestTLS: names and authorities are checked as the file says, and the log flows under it.
func TestTLS(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		ca := servers.NewCA(t)
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, TLS: ca})
		d := m.Database(t)
		d.Exec(t, tablesSQL+"; ALTER USER outferry REQUIRE X509")
		cert, key := ca.Client(t, "outferry")
		full := func(c *configs.Pipeline) {
			c.Source.TLS = configs.TLS{Mode: "verify-full", CAFile: ca.File, CertFile: cert, KeyFile: key}
		}
		f := start(t, file(t, d, noData, full), nil, binlog.Options{})
		f.begun()
		d.Exec(t, insert("a1"))
		f.wait(1)
		for name, edit := range map[string]func(*configs.TLS){
			"other authority": func(c *configs.TLS) { c.CAFile = servers.NewCA(t).File },
			"other name":      func(c *configs.TLS) { c.ServerName = "db.example.com" },
		} {
			_, err := binlog.New(file(t, d, noData, full, func(c *configs.Pipeline) { edit(&c.Source.TLS) }), testLog(t), binlog.Options{}).Look(t.Context())
			t.Log(name)
			wantFault(t, asFault(t, err), "mysql.tls", outbox.Environment)
		}
		_, err := binlog.New(file(t, d, noData, full, func(c *configs.Pipeline) { c.Source.TLS.CertFile, c.Source.TLS.KeyFile = "", "" }), testLog(t), binlog.Options{}).Look(t.Context())
		wantFault(t, asFault(t, err), "mysql.auth", outbox.Environment)
	})
}

// TestWhatStandsInTheWay: one fault with its remedy for each.
func TestWhatStandsInTheWay(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version})
		d := m.Database(t)
		look := func() *outbox.Fault {
			_, err := binlog.New(file(t, d), testLog(t), binlog.Options{}).Look(t.Context())
			return asFault(t, err)
		}
		wantFault(t, look(), "mysql.table_missing", outbox.Transient)
		d.Exec(t, tablesSQL)
		tables, err := binlog.New(file(t, d), testLog(t), binlog.Options{}).Look(t.Context())
		if err != nil || len(tables) != 1 || len(tables[0].Columns) != 5 {
			t.Fatalf("got %v, %v", tables, err)
		}
		d.Exec(t, "CREATE VIEW v AS SELECT * FROM outbox")
		_, err = binlog.New(file(t, d, func(c *configs.Pipeline) { c.Source.Tables[0] = d.Name + ".v" }), testLog(t), binlog.Options{}).Look(t.Context())
		wantFault(t, asFault(t, err), "mysql.table_kind", outbox.Environment)
		for setting, want := range map[string][2]string{"binlog_row_image": {"MINIMAL", "mysql.row_image"}, "binlog_format": {"MIXED", "mysql.binlog_format"}} {
			was := d.Text(t, "SELECT @@GLOBAL."+setting)
			d.Exec(t, "SET GLOBAL "+setting+" = "+want[0])
			wantFault(t, look(), want[1], outbox.Environment)
			d.Exec(t, "SET GLOBAL "+setting+" = "+was)
		}
		d.Exec(t, "CREATE USER nobody IDENTIFIED BY 'nobody'; GRANT SELECT ON "+d.Name+".* TO nobody")
		_, err = binlog.New(file(t, d, func(c *configs.Pipeline) { c.Source.User, c.Source.Password = "nobody", configs.SecretText("nobody") }), testLog(t), binlog.Options{}).Look(t.Context())
		wantFault(t, asFault(t, err), "mysql.permission", outbox.Environment)
		_, err = binlog.New(file(t, d, func(c *configs.Pipeline) { c.Source.Password = configs.SecretText("wrong") }), testLog(t), binlog.Options{}).Look(t.Context())
		wantFault(t, asFault(t, err), "mysql.auth", outbox.Environment)
		m.Restart("binlog_ignore_db = " + d.Name)
		wantFault(t, look(), "mysql.binlog_filtered", outbox.Environment)
		m.Restart("skip_log_bin")
		wantFault(t, look(), "mysql.log_bin", outbox.Environment)
		_, err = binlog.New(file(t, d, as("nobody", "nobody")), testLog(t), binlog.Options{}).Look(t.Context())
		off := asFault(t, err)
		wantFault(t, off, "mysql.log_bin", outbox.Environment)
		if strings.Count(off.Error(), "set log_bin") != 1 || !strings.Contains(off.Remedy, "GRANT REPLICATION SLAVE") || !regexp.MustCompile("GRANT (BINLOG MONITOR|REPLICATION CLIENT)").MatchString(off.Remedy) {
			t.Errorf("the missing grants are not said: %v", off)
		}
		m.Stop()
		wantFault(t, look(), "mysql.unreachable", outbox.Transient)
	})
}

// TestStopEndsTheDump: the server would keep it until its next heartbeat, and with it the files that it reads.
func TestStopEndsTheDump(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		f := resume(t, d, at)
		const dumps = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'outferry' AND COMMAND LIKE 'Binlog Dump%'"
		servers.Eventually(t, sourcetest.Deadline, "the dump begins", func() bool { return d.Text(t, dumps) == "1" })
		f.stop()
		if n := d.Text(t, dumps); n != "0" {
			t.Errorf("%s dumps after the stop", n)
		}
	})
}
