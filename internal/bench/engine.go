package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"outferry/internal/servers"

	"outferry/internal/bench/load"
)

// Engine is a database server, and the one database of the shape at hand in it.
type Engine interface {
	Name() string
	Version() string
	URL(user string) string
	Port() int
	Database() string
	Table() string // as a pipeline file names it
	// New makes a fresh database with the shape's tables, and takes the last away.
	New(s *Shape) error
	// Load writes rows from (included) to to (excluded).
	Load(ctx context.Context, s *Shape, from, to int) error
	// Writer is one connection that writes rows, a transaction at a time.
	Writer(ctx context.Context, s *Shape) (load.Inserter, func(), error)
	Exec(sql string)
	Text(sql string) string
}

// newEngine starts a server: postgres15, mysql8.0, mariadb10 and their like.
func newEngine(t *stand, name string) (Engine, error) {
	switch {
	case strings.HasPrefix(name, "postgres"):
		var major int
		if _, err := fmt.Sscanf(name, "postgres%d", &major); err != nil {
			return nil, fmt.Errorf("engine %q: want postgres15 or its like", name)
		}
		p := &postgresEngine{stand: t, server: servers.StartPostgres(t, servers.PostgresOptions{Version: major, Fsync: true, Settings: []string{
			"max_wal_size = 16GB", "max_replication_slots = 60", "max_wal_senders = 60", "shared_buffers = 256MB", "checkpoint_timeout = 30min", "synchronous_commit = off",
		}})}
		return p, nil
	case strings.HasPrefix(name, "mysql"), strings.HasPrefix(name, "mariadb"):
		version := strings.TrimPrefix(name, "mysql")
		m := &mysqlEngine{stand: t, server: servers.StartMySQL(t, servers.MySQLOptions{Version: version, RowMetadata: "FULL", Settings: []string{
			"innodb_buffer_pool_size = 512M", "max_binlog_size = 1G", "innodb_log_file_size = 512M",
		}})}
		return m, nil
	}
	return nil, fmt.Errorf("engine %q: want postgres15, mysql8.0, mariadb10 or their like", name)
}

type postgresEngine struct {
	stand  *stand
	server *servers.PostgresServer
	own    *stand
	db     *servers.Database
}

func (p *postgresEngine) Name() string           { return fmt.Sprintf("postgres%d", p.server.Version) }
func (p *postgresEngine) Version() string        { return p.Text("SELECT current_setting('server_version')") }
func (p *postgresEngine) URL(user string) string { return p.db.URL(user) }
func (p *postgresEngine) Port() int              { return p.db.Port }
func (p *postgresEngine) Database() string       { return p.db.Name }
func (p *postgresEngine) Table() string          { return "public.outbox" }
func (p *postgresEngine) Exec(sql string)        { p.db.Exec(p.stand, sql) }
func (p *postgresEngine) Text(sql string) string { return p.db.Text(p.stand, sql) }

func (p *postgresEngine) New(s *Shape) error {
	if p.own != nil {
		p.own.close()
	}
	p.own = &stand{}
	p.db = p.server.Database(p.own)
	p.Exec(fmt.Sprintf(`GRANT CREATE ON DATABASE %s TO outferry; GRANT ALL ON SCHEMA public TO outferry; SET ROLE outferry;
		%s; CREATE TABLE docs (n int PRIMARY KEY, text text); CREATE TABLE other (n bigint, text text); RESET ROLE; GRANT INSERT ON outbox TO app`, p.db.Name, load.PostgresTable("outbox", s)))
	texts := s.Texts()
	p.db.Exec(p.stand, "INSERT INTO docs SELECT n - 1, text FROM unnest($1::text[]) WITH ORDINALITY d(text, n)", texts)
	foreign := ""
	if s.Foreign > 0 {
		foreign = fmt.Sprintf("INSERT INTO other SELECT g, d.text FROM generate_series(1, %d) g JOIN docs d ON d.n = g %% %d;", s.Foreign, len(texts))
	}
	p.Exec(fmt.Sprintf(`ANALYZE docs; CREATE PROCEDURE load(a bigint, b bigint, per int) LANGUAGE plpgsql AS $$
		DECLARE i bigint := a; chunk int := least(per, 1000);
		BEGIN
			WHILE i < b LOOP
				%s
				INSERT INTO outbox SELECT %s
					FROM generate_series(i, least(i + chunk, b) - 1) g JOIN docs d ON d.n = g %% %d;
				i := i + chunk;
				IF (i - a) %% per = 0 THEN COMMIT; END IF;
			END LOOP;
		END $$`, foreign, load.PostgresRow(s, "g", "d.text"), len(texts)))
	return nil
}

func (p *postgresEngine) Load(ctx context.Context, s *Shape, from, to int) error {
	own := &stand{}
	defer own.close()
	_, err := p.db.Connect(own, "postgres").Exec(ctx, fmt.Sprintf("CALL load(%d, %d, %d)", from, to, s.PerTx))
	return err
}

type mysqlEngine struct {
	stand  *stand
	server *servers.MySQLServer
	own    *stand
	db     *servers.MySQLDatabase
}

func (m *mysqlEngine) Name() string {
	if m.maria() {
		return m.server.Version
	}
	return "mysql" + m.server.Version
}
func (m *mysqlEngine) maria() bool            { return strings.HasPrefix(m.server.Version, "mariadb") }
func (m *mysqlEngine) Version() string        { return m.Text("SELECT version()") }
func (m *mysqlEngine) URL(user string) string { return m.db.URL(user) }
func (m *mysqlEngine) Port() int              { return m.db.Port }
func (m *mysqlEngine) Database() string       { return m.db.Name }
func (m *mysqlEngine) Table() string          { return "outbox" }
func (m *mysqlEngine) Exec(sql string)        { m.db.Exec(m.stand, sql) }
func (m *mysqlEngine) Text(sql string) string { return m.db.Text(m.stand, sql) }

func (m *mysqlEngine) New(s *Shape) error {
	if m.own != nil {
		m.own.close()
	}
	m.own = &stand{}
	m.db = m.server.Database(m.own)
	m.reset()
	m.Exec(load.MySQLTable("outbox", s) + `; CREATE TABLE docs (n int PRIMARY KEY, text mediumtext); CREATE TABLE nums (n int PRIMARY KEY); CREATE TABLE other (n bigint, text mediumtext)`)
	texts := s.Texts()
	for at := 0; at < len(texts); at += 500 {
		some := texts[at:min(at+500, len(texts))]
		var args []any
		for i, text := range some {
			args = append(args, at+i, text)
		}
		m.db.Exec(m.stand, "INSERT INTO docs VALUES (?, ?)"+strings.Repeat(", (?, ?)", len(some)-1), args...)
	}
	m.Exec("INSERT INTO nums WITH RECURSIVE r AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 999) SELECT n FROM r")
	foreign := ""
	if s.Foreign > 0 {
		foreign = fmt.Sprintf("INSERT INTO other SELECT nums.n, docs.text FROM nums JOIN docs ON docs.n = nums.n %% %d WHERE nums.n < %d;", len(texts), s.Foreign)
	}
	m.Exec(fmt.Sprintf(`CREATE PROCEDURE load_rows(a bigint, b bigint, per int) BEGIN
		DECLARE i bigint DEFAULT a; DECLARE chunk int DEFAULT least(per, 1000);
		START TRANSACTION;
		WHILE i < b DO
			%s
			INSERT INTO outbox SELECT STRAIGHT_JOIN %s
				FROM nums JOIN docs ON docs.n = (i + nums.n) %% %d WHERE nums.n < least(chunk, b - i);
			SET i = i + chunk;
			IF (i - a) %% per = 0 THEN COMMIT; START TRANSACTION; END IF;
		END WHILE;
		COMMIT;
	END`, foreign, load.MySQLRow(s, "i + nums.n", "docs.text"), len(texts)))
	return nil
}

// reset has the log begin here, since a Debezium connector reads it from its beginning.
func (m *mysqlEngine) reset() {
	statement := "RESET MASTER"
	if m.server.Version == "9" {
		statement = "RESET BINARY LOGS AND GTIDS"
	}
	m.Exec(statement)
}

func (m *mysqlEngine) Load(ctx context.Context, s *Shape, from, to int) error {
	db := m.db.Connect(&stand{}, "root")
	defer db.Close()
	_, err := db.ExecContext(ctx, fmt.Sprintf("CALL load_rows(%d, %d, %d)", from, to, s.PerTx))
	return err
}

// Writer implements Engine.
func (p *postgresEngine) Writer(ctx context.Context, s *Shape) (load.Inserter, func(), error) {
	conn, err := pgx.Connect(ctx, p.URL("app"))
	if err != nil {
		return nil, nil, err
	}
	_, err = conn.Exec(ctx, "SET synchronous_commit = on")
	return load.PostgresInserter(conn, "outbox", s), func() { conn.Close(context.WithoutCancel(ctx)) }, err
}

// Writer implements Engine.
func (m *mysqlEngine) Writer(_ context.Context, s *Shape) (load.Inserter, func(), error) {
	own := &stand{}
	db := m.db.Connect(own, "app")
	db.SetMaxOpenConns(1)
	exec := func(ctx context.Context, statement string, args ...any) error {
		_, err := db.ExecContext(ctx, statement, args...)
		return err
	}
	return load.MySQLInserter(exec, "outbox", s), own.close, nil
}
