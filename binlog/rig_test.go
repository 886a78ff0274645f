package binlog_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/configtest"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/pipeline"
)

func TestMain(m *testing.M) { servers.Main(m) }

const tablesSQL = `CREATE TABLE outbox (id varchar(64) PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL, type varchar(255), payload longtext) CHARACTER SET utf8mb4;
	CREATE TABLE other (n int)`

// file is the pipeline of a test, on any database.
func file(t *testing.T, d *servers.MySQLDatabase, edit ...func(*configs.Pipeline)) *configs.Pipeline {
	t.Helper()
	text := fmt.Sprintf("name: %s\nsource:\n  url: %s\n  tables: [outbox]\n  heartbeat_interval: 200ms\nkafka:\n  brokers: [127.0.0.1:9]\n", d.Name, d.URL("outferry"))
	cfg := configtest.Load(t, text)
	for _, e := range edit {
		e(cfg)
	}
	return cfg
}

func noData(c *configs.Pipeline) { c.Source.Snapshot = "no_data" }

// rig is a source on a database, with the least rights that a reader needs.
func rig(t *testing.T, d *servers.MySQLDatabase, edit ...func(*configs.Pipeline)) *sourcetest.Rig {
	t.Helper()
	d.Exec(t, strings.ReplaceAll(tablesSQL, "CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
	cfg := file(t, d, edit...)
	return &sourcetest.Rig{
		Config: cfg,
		DB:     d.Connect(t, "app"),
		Source: func(single bool) pipeline.Source {
			return binlog.New(cfg, testLog(t), binlog.Options{Single: single})
		},
		After: "AFTER id",
		Bulk:  func(t *testing.T, ids []string) { bulk(t, d.Connect(t, "app"), ids) },
	}
}

// bulk inserts many rows in one statement, as LOAD DATA would log them.
func bulk(t *testing.T, db *sql.DB, ids []string) {
	t.Helper()
	var rows []string
	for _, id := range ids {
		rows = append(rows, fmt.Sprintf("('%s', 'order', 'key', 'created', '{}')", id))
	}
	if _, err := db.Exec("INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES " + strings.Join(rows, ",")); err != nil {
		t.Fatal(err)
	}
}

func testLog(t *testing.T) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: t.Output()})
}

// fullNames has the shared server log column names from now on.
func fullNames(t *testing.T, version string) *servers.MySQLDatabase {
	t.Helper()
	d := servers.MySQL(t, version)
	d.Exec(t, "SET GLOBAL binlog_row_metadata = FULL")
	return d
}

// TestSuite runs the suite of all sources on every server of this run.
func TestSuite(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			sourcetest.Run(t, func(t *testing.T) *sourcetest.Rig {
				if !strings.HasSuffix(t.Name(), "ServerKilledInsideATransaction") {
					return rig(t, fullNames(t, version))
				}
				own := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Durable: true})
				r := rig(t, own.Database(t))
				r.Kill = func() { own.Kill(); own.Start() }
				return r
			})
		})
	}
}
