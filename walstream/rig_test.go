package walstream_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib"

	"outferry/configs"
	"outferry/internal/configtest"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/pipeline"
	"outferry/walstream"
)

func TestMain(m *testing.M) { servers.Main(m) }

const tablesSQL = `CREATE TABLE outbox (id varchar(64) PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL, type varchar(255), payload text);
	CREATE TABLE other (n int)`

// file is the pipeline of a test, on any database.
func file(t *testing.T, url string, more ...string) *configs.Pipeline {
	t.Helper()
	text := fmt.Sprintf("name: posts\nsource:\n  url: %s\n  tables: [public.outbox]\n  heartbeat_interval: 200ms\n%s\nkafka:\n  brokers: [127.0.0.1:9]\n", url, strings.Join(more, "\n"))
	return configtest.Load(t, text)
}

// rig is a source on a database: the pipeline's role is superuser here, since the suite is about the stream;
// what the least role may do has its own test.
func rig(t *testing.T, d *servers.Database, postgres ...string) *sourcetest.Rig {
	t.Helper()
	d.Exec(t, tablesSQL)
	cfg := file(t, d.URL("postgres"), "  postgres: {slot: "+d.Name+", publication: "+d.Name+strings.Join(postgres, "")+"}")
	db, err := sql.Open("pgx", d.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(0) // a server that was started again must not meet connections of its former life
	t.Cleanup(func() { db.Close() })
	return &sourcetest.Rig{
		Config: cfg,
		DB:     db,
		Source: func(single bool) pipeline.Source {
			return walstream.New(cfg, testLog(t), walstream.Options{Single: single})
		},
		Bulk: func(t *testing.T, ids []string) {
			rows := make([][]any, len(ids))
			for i, id := range ids {
				rows[i] = []any{id, "order", "key", "created", "{}"}
			}
			c := d.Connect(t, "postgres")
			if _, err := c.CopyFrom(t.Context(), pgx.Identifier{"outbox"}, []string{"id", "aggregatetype", "aggregateid", "type", "payload"}, pgx.CopyFromRows(rows)); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func testLog(t *testing.T) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: t.Output()})
}

// TestSuite runs the suite of all sources on every PostgreSQL version of this run.
func TestSuite(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			var own *servers.PostgresServer
			sourcetest.Run(t, func(t *testing.T) *sourcetest.Rig {
				if !strings.HasSuffix(t.Name(), "ServerKilledInsideATransaction") {
					return rig(t, servers.Postgres(t, version))
				}
				own = servers.StartPostgres(t, servers.PostgresOptions{Version: version, Fsync: true})
				r := rig(t, own.Database(t))
				r.Kill = func() { own.Kill(); own.Start() }
				return r
			})
		})
	}
}
