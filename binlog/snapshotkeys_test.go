package binlog_test

import (
	"fmt"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// TestSnapshotGoesOnByAnyKey: cut after each few rows, it brings every row once, whatever the key is made of.
func TestSnapshotGoesOnByAnyKey(t *testing.T) {
	keys := map[string]string{
		"bigint":                           "9007199254740992, 9007199254740993, 9007199254740994, -9223372036854775808, 9223372036854775806, 9223372036854775807",
		"bigint unsigned":                  "0, 18446744073709551613, 18446744073709551614, 18446744073709551615",
		"decimal(40,10)":                   "1.1, -1.1, 123456789012345678901234567890.0000000001, 123456789012345678901234567890.0000000002",
		"enum('b','a','c')":                "'a', 'b', 'c'",
		"set('y','x')":                     "'x', 'y', 'x,y', ''",
		"bit(60)":                          "0, 1, 1152921504606846974, 1152921504606846975",
		"double":                           "0.1, -0.1, 1e300, 1e-300, 0.30000000000000004, 0.3",
		"double(20,5)":                     "-0.00001, 0.00003, 1.00001, 123456789012345.12345, -5",
		"float":                            "0.1, 1.1, 16777216",
		"year":                             "1901, 2024, 2155",
		"date":                             "'2024-02-29', '0000-00-00', '9999-12-31'",
		"datetime(6)":                      "'2024-02-29 10:11:12.000001', '2024-02-29 10:11:12.000002', '0000-00-00'",
		"timestamp(3)":                     "'2024-02-29 10:11:12.001', '2024-02-29 10:11:12.002'",
		"time(2)":                          "'-838:59:59', '10:11:12.01', '10:11:12.02', '-00:00:00.01'",
		"varbinary(4)":                     "X'', X'00', X'0027', X'5c27ff'",
		"varchar(9) CHARACTER SET utf8mb4": `'a', 'B', 'ä b', 'it''s', 'c\\', '😀', ''`,
		"varchar(9) COLLATE utf8mb4_bin":   "'a', 'A', 'a!', 'b'",
		"varchar(9) CHARACTER SET sjis":    "'ア', 'ソ', '表', 'a'",
		"varchar(9) CHARACTER SET cp932":   "X'ED40', X'EEEF', 'a'", // both have another code too, behind these
		"varchar(9) CHARACTER SET ujis":    "X'8FA2B7', X'A1C1', 'a'",
		"varchar(9) CHARACTER SET ucs2":    "'a', 'b', '表'",
	}
	each(t, func(t *testing.T, version string) {
		d := servers.MySQL(t, version)
		var names []string
		total := 0
		for kind, values := range keys {
			name := fmt.Sprintf("%s.outbox%d", d.Name, len(names))
			names = append(names, name)
			d.Exec(t, fmt.Sprintf("CREATE TABLE %s (k %s NOT NULL, id int, PRIMARY KEY (k, id)) CHARACTER SET utf8mb4", name, kind))
			list := "(" + strings.ReplaceAll(values, ", ", ", %[1]d), (") + ", %[1]d)"
			for id := range 2 {
				d.Exec(t, "SET sql_mode = ''; INSERT INTO "+name+" VALUES "+fmt.Sprintf(list, id))
			}
			total += 2 * (strings.Count(values, ", ") + 1)
		}
		cfg := file(t, d, func(c *configs.Pipeline) { c.Source.Tables = names })
		seen := map[string]int{}
		f := start(t, cfg, nil, binlog.Options{Single: true})
		over := func() bool { return strings.Contains(f.last.String(), `"phase":"stream"`) }
		for !over() {
			f.until("a few rows", func() bool { return len(f.rows) >= 5 || over() })
			for _, r := range f.rows {
				seen[fmt.Sprintf("%s (%s) %q", r.table, r.table.Columns[0].TypeName, r.values)]++
			}
			f.stop()
			if !over() {
				f = start(t, cfg, f.last, binlog.Options{Single: true})
			}
		}
		for row, n := range seen {
			if n > 1 {
				t.Errorf("%s: %d times", row, n)
			}
		}
		if len(seen) != total {
			t.Errorf("got %d rows, want %d", len(seen), total)
		}
	})
}

// TestSnapshotWaitsForTheLastBatches: where Kafka is the slower side, all batches are out when the snapshot ends.
func TestSnapshotWaitsForTheLastBatches(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t)
		d.Exec(t, tablesSQL)
		for n := range 4 {
			values := strings.Repeat("(UUID(), 'o', 'k', 't', REPEAT('x', 1000)), ", 100)
			d.Exec(t, fmt.Sprintf("INSERT INTO outbox VALUES %s('last%d', 'o', 'k', 't', '')", values, n))
		}
		src := binlog.New(file(t, d, func(c *configs.Pipeline) { c.Kafka.MaxBuffered = 2 * outbox.BatchBytes }), testLog(t), binlog.Options{})
		sourcetest.LastBatchesAreHeld(t, src, 404, func() bool { // it has a connection beside those for log, catalog and number
			return d.Text(t, "SELECT COUNT(*) <= 3 FROM information_schema.PROCESSLIST WHERE USER = 'outferry'") == "1"
		})
	})
}

// TestSnapshotPublishesNoEmptyDocument: MySQL gives a JSON text that is too long for max_allowed_packet as an empty one.
func TestSnapshotPublishesNoEmptyDocument(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if isMaria(version) {
			return // JSON is text there
		}
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t)
		d.Exec(t, "CREATE TABLE outbox (id int PRIMARY KEY, payload json); INSERT INTO outbox VALUES (1, '1'), (2, JSON_ARRAY(REPEAT('x', 300000))), (3, '\"\"'), (4, NULL)")
		d.Exec(t, "SET GLOBAL max_allowed_packet = 65536")
		f := start(t, file(t, d), nil, binlog.Options{})
		fault := f.fault()
		wantFault(t, fault, "mysql.max_allowed_packet", outbox.Environment)
		if want := "snapshot of " + d.Name + ".outbox: row 2: column payload: "; !strings.Contains(fault.Error(), want) || len(f.rows) > 1 {
			t.Errorf("got %d rows, and %v", len(f.rows), fault)
		}
		remedy, _, _ := strings.Cut(fault.Remedy, ",")
		d.Exec(t, remedy)
		f = start(t, file(t, d), f.last, binlog.Options{})
		rows := f.wait(4)
		if n := len(rows[1].get("payload")); idsOf(rows) != "1 2 3 4" || n != 300_004 {
			t.Errorf("got %s, and %d bytes", idsOf(rows), n)
		}
	})
}

// TestSnapshotNeedsAPrimaryKey: rows without one have no order by which a snapshot that was cut off could go on. It stops
// before there is a position, so that the file may say no_data.
func TestSnapshotNeedsAPrimaryKey(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.MySQL(t, version)
		d.Exec(t, tablesSQL+"; ALTER TABLE outbox DROP PRIMARY KEY; "+insert("old"))
		f := start(t, file(t, d), nil, binlog.Options{})
		wantFault(t, f.fault(), "mysql.no_primary_key", outbox.Environment)
		if !f.last.IsZero() {
			t.Fatalf("it handed over %s first", f.last)
		}
		f = start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		d.Exec(t, insert("new"))
		if got := f.wait(1)[0].get("id"); got != "new" {
			t.Errorf("got row %s", got)
		}
	})
}

// TestSnapshotGoesOnByTheSameKeyOnly: by another one it would leave rows out or repeat them.
func TestSnapshotGoesOnByTheSameKeyOnly(t *testing.T) {
	for _, test := range []struct{ name, alter, timestamp, code string }{
		{name: "no key", alter: "ALTER TABLE outbox DROP PRIMARY KEY", code: "mysql.no_primary_key"},
		{name: "another key", alter: "ALTER TABLE outbox DROP PRIMARY KEY, ADD PRIMARY KEY (id, aggregateid)", code: "mysql.key_changed"},
		{name: "a key of the same size", alter: "UPDATE outbox SET aggregateid = id; ALTER TABLE outbox DROP PRIMARY KEY, ADD PRIMARY KEY (aggregateid)", code: "mysql.key_changed"},
		{name: "another name of its column", alter: "ALTER TABLE outbox CHANGE id event_id varchar(64)", code: "mysql.key_changed"},
		{name: "another type", alter: "ALTER TABLE outbox MODIFY id varbinary(64)", code: "mysql.key_changed"},
		{name: "another collation", alter: "ALTER TABLE outbox MODIFY id varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", code: "mysql.key_changed"},
		{name: "another character set", alter: "ALTER TABLE outbox CONVERT TO CHARACTER SET latin1", code: "mysql.key_changed"},
		{name: "another time of the row", alter: "ALTER TABLE outbox ADD COLUMN happened datetime NOT NULL DEFAULT '2024-01-01'", timestamp: "happened", code: "mysql.key_changed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, version string) {
				d := fullNames(t, version)
				d.Exec(t, tablesSQL)
				for n := range 50 {
					d.Exec(t, insert(fmt.Sprintf("old-%02d", n)))
				}
				f := start(t, file(t, d), nil, binlog.Options{Single: true})
				f.wait(1)
				f.stop()
				d.Exec(t, insert("new")+"; "+test.alter)
				again := start(t, file(t, d, func(c *configs.Pipeline) { c.Router.Columns.Timestamp = test.timestamp }), f.last, binlog.Options{})
				class := outbox.PositionLost
				if test.code == "mysql.no_primary_key" {
					class = outbox.Environment
				}
				fault := again.fault()
				wantFault(t, fault, test.code, class)
				if strings.Contains(fault.Remedy, "no_data") {
					t.Errorf("the remedy does nothing once there is a position: %s", fault.Remedy)
				}
				if len(again.rows) > 0 {
					t.Errorf("it published %d rows first", len(again.rows))
				}
			})
		})
	}
}

// TestServersLimitLeavesASnapshotWhole: sql_select_limit, which a session takes over from the server, ends a SELECT early
// without an error.
func TestServersLimitLeavesASnapshotWhole(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t)
		d.Exec(t, tablesSQL)
		var ids []string
		for n := range 5002 {
			ids = append(ids, fmt.Sprintf("old-%04d", n))
		}
		bulk(t, d.Connect(t, "app"), ids)
		d.Exec(t, "SET GLOBAL sql_select_limit = 5000")
		f := start(t, file(t, d), nil, binlog.Options{})
		f.until("the snapshot is over", f.streams)
		if got := idsOf(f.rows); got != strings.Join(ids, " ") {
			t.Errorf("got %d rows, want %d", len(f.rows), len(ids))
		}
	})
}

// TestServersTimeoutsAreNotOurs: a session takes them over from the server, and a snapshot that must sort or a connection that is
// idle for a while would end each time.
func TestServersTimeoutsAreNotOurs(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t)
		d.Exec(t, tablesSQL+"; ALTER TABLE outbox ADD COLUMN happened datetime NOT NULL DEFAULT '2024-01-01'")
		var ids []string
		for n := range 5002 {
			ids = append(ids, fmt.Sprintf("old-%04d", n))
		}
		bulk(t, d.Connect(t, "app"), ids)
		limit := "max_execution_time = 1"
		if isMaria(version) {
			limit = "max_statement_time = 0.001"
		}
		d.Exec(t, "SET GLOBAL wait_timeout = 1, GLOBAL "+limit)
		looked := make(chan struct{}, 1)
		looks := func(outbox.Lag) {
			select {
			case looked <- struct{}{}:
			default:
			}
		}
		f := start(t, file(t, d, func(c *configs.Pipeline) { c.Router.Columns.Timestamp = "happened" }), nil, binlog.Options{Lag: looks})
		f.until("the snapshot is over", f.streams)
		if got := idsOf(f.rows); got != strings.Join(ids, " ") {
			t.Errorf("got %d rows, want %d", len(f.rows), len(ids))
		}
		f.until("a look at the log's end", func() bool { return len(looked) > 0 })
	})
}

// streams reports whether the last position is that of a stream.
func (f *feed) streams() bool { return strings.Contains(f.last.String(), `"phase":"stream"`) }

// TestSnapshotGoesOnWithTheSameTablesOnly: its place is a number among them, and what it leaves to the log depends on whether
// one follows.
func TestSnapshotGoesOnWithTheSameTablesOnly(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := fullNames(t, version)
		d.Exec(t, tablesSQL+"; CREATE TABLE second LIKE outbox")
		for n := range 20 {
			d.Exec(t, insert(fmt.Sprintf("old-%02d", n)))
		}
		d.Exec(t, "INSERT INTO second SELECT CONCAT('2', id), aggregatetype, aggregateid, type, payload FROM outbox")
		begun := func(c *configs.Pipeline) { c.Source.Tables = []string{"outbox", "second"} }
		f := start(t, file(t, d, begun), nil, binlog.Options{Single: true})
		f.wait(30)
		f.stop()
		for name, edit := range map[string]func(*configs.Pipeline){
			"another order":  func(c *configs.Pipeline) { c.Source.Tables = []string{"second", "outbox"} },
			"one less":       func(c *configs.Pipeline) { c.Source.Tables = []string{"second"} },
			"one more":       func(c *configs.Pipeline) { c.Source.Tables = []string{"outbox", "second", "other"} },
			"no log follows": func(c *configs.Pipeline) { begun(c); c.Source.Snapshot = "initial_only" },
		} {
			again := start(t, file(t, d, edit), f.last, binlog.Options{})
			t.Log(name)
			wantFault(t, again.fault(), "config.changed_inside_snapshot", outbox.Config)
			if len(again.rows) > 0 {
				t.Errorf("%s: it published %d rows first", name, len(again.rows))
			}
		}
		again := start(t, file(t, d, begun), f.last, binlog.Options{})
		again.until("the snapshot is over", again.streams)
		if n := len(f.rows) + len(again.rows); n != 40 {
			t.Errorf("got %d rows, want 40", n)
		}
	})
}

// TestADoneSnapshotIsNoStream: no one may take for delivered what was committed since.
func TestADoneSnapshotIsNoStream(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.MySQL(t, version)
		d.Exec(t, tablesSQL+"; "+insert("old"))
		only := func(c *configs.Pipeline) { c.Source.Snapshot = "initial_only" }
		f := start(t, file(t, d, only), nil, binlog.Options{})
		f.until("the snapshot is over", func() bool { return strings.Contains(f.last.String(), `"phase":"done"`) })
		f.stop()
		wantFault(t, start(t, file(t, d), f.last, binlog.Options{}).fault(), "config.snapshot_done", outbox.Config)
		again := start(t, file(t, d, only), f.last, binlog.Options{})
		if err := <-again.ended; err != nil {
			t.Errorf("nothing more was asked for, and nothing is wrong: %v", err)
		}
		again.ended <- nil
	})
}
