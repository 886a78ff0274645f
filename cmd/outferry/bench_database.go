package main

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"outferry/configs"
	workload "outferry/internal/bench/load"
	"outferry/internal/transport"
)

// benchDatabase is where a benchmark writes.
type benchDatabase interface {
	find(ctx context.Context) (what []string, err error) // whatever has one of our names
	create(ctx context.Context, s *workload.Shape) error
	open(ctx context.Context, s *workload.Shape) (workload.Inserter, func(), error)
	empty(ctx context.Context) error
	drop(ctx context.Context) error
}

func newBenchDatabase(src configs.Source, schema string) benchDatabase {
	if src.Type == "postgres" {
		return &benchPostgres{src, pgx.Identifier{schema, benchTable}.Sanitize()}
	}
	return &benchMySQL{src, "`" + strings.ReplaceAll(schema, "`", "``") + "`." + benchTable}
}

type benchPostgres struct {
	src   configs.Source
	table string
}

func (p *benchPostgres) connect(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig("host=localhost port=5432 user=postgres database=postgres password=x sslmode=disable") // nothing of the environment counts
	if err != nil {
		return nil, err
	}
	cfg.Host, cfg.Port, cfg.Database, cfg.User = p.src.Host, uint16(p.src.Port), p.src.Database, p.src.User
	if cfg.Password, err = p.src.Password.Get(); err != nil {
		return nil, err
	}
	if cfg.TLSConfig, err = transport.TLS(p.src.TLS, p.src.Host); err != nil {
		return nil, err
	}
	cfg.Fallbacks = nil
	if p.src.TLS.Mode == "prefer" {
		cfg.Fallbacks = []*pgconn.FallbackConfig{{Host: cfg.Host, Port: cfg.Port}}
	}
	cfg.RuntimeParams = map[string]string{"application_name": "outferry bench"}
	return pgx.ConnectConfig(ctx, cfg)
}

func (p *benchPostgres) with(ctx context.Context, do func(*pgx.Conn) error) error {
	conn, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(conn)
}

func (p *benchPostgres) exec(ctx context.Context, sql string) error {
	return p.with(ctx, func(conn *pgx.Conn) error { _, err := conn.Exec(ctx, sql); return err })
}

func (p *benchPostgres) find(ctx context.Context) (what []string, err error) {
	err = p.with(ctx, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT 'slot outferry_bench' FROM pg_replication_slots WHERE slot_name = 'outferry_bench'
			UNION ALL SELECT 'publication outferry_bench' FROM pg_publication WHERE pubname = 'outferry_bench'
			UNION ALL SELECT 'table '||$1 WHERE to_regclass($1) IS NOT NULL`, p.table)
		if err == nil {
			what, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	return what, err
}

func (p *benchPostgres) create(ctx context.Context, s *workload.Shape) error {
	return p.exec(ctx, workload.PostgresTable(p.table, s))
}

func (p *benchPostgres) open(ctx context.Context, s *workload.Shape) (workload.Inserter, func(), error) {
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	return workload.PostgresInserter(conn, p.table, s), func() { conn.Close(context.WithoutCancel(ctx)) }, nil
}

func (p *benchPostgres) empty(ctx context.Context) error { return p.exec(ctx, "TRUNCATE "+p.table) }
func (p *benchPostgres) drop(ctx context.Context) error  { return p.exec(ctx, "DROP TABLE "+p.table) }

type benchMySQL struct {
	src   configs.Source
	table string
}

func (m *benchMySQL) connect(ctx context.Context) (*client.Conn, error) {
	password, err := m.src.Password.Get()
	if err != nil {
		return nil, err
	}
	secure, err := transport.TLS(m.src.TLS, m.src.Host)
	if err != nil {
		return nil, err
	}
	dial := func(encrypted bool) (*client.Conn, error) {
		return client.ConnectWithContext(ctx, net.JoinHostPort(m.src.Host, strconv.Itoa(m.src.Port)), m.src.User, password, "", 10*time.Second, func(c *client.Conn) error {
			if encrypted {
				c.SetTLSConfig(secure)
			}
			return nil
		})
	}
	c, err := dial(secure != nil)
	if err != nil && secure != nil && m.src.TLS.Mode == "prefer" {
		return dial(false)
	}
	return c, err
}

func (m *benchMySQL) exec(ctx context.Context, sql string) error {
	c, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Execute(sql)
	return err
}

func (m *benchMySQL) find(ctx context.Context) (what []string, err error) {
	c, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_, err = c.Execute("SELECT 1 FROM " + m.table + " LIMIT 0")
	var refused *mysql.MyError
	switch {
	case err == nil:
		return []string{"table " + m.table}, nil
	case errors.As(err, &refused) && refused.Code == mysql.ER_NO_SUCH_TABLE:
		return nil, nil
	}
	return nil, err
}

func (m *benchMySQL) create(ctx context.Context, s *workload.Shape) error {
	return m.exec(ctx, workload.MySQLTable(m.table, s))
}

func (m *benchMySQL) open(ctx context.Context, s *workload.Shape) (workload.Inserter, func(), error) {
	c, err := m.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	exec := func(_ context.Context, statement string, args ...any) error {
		_, err := c.Execute(statement, args...)
		return err
	}
	return workload.MySQLInserter(exec, m.table, s), func() { c.Close() }, nil
}

func (m *benchMySQL) empty(ctx context.Context) error { return m.exec(ctx, "DELETE FROM "+m.table) }
func (m *benchMySQL) drop(ctx context.Context) error  { return m.exec(ctx, "DROP TABLE "+m.table) }
