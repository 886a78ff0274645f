package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"outferry/internal/postgres"
)

// PostgresOptions describe a private server. The zero value is PostgreSQL 15, tuned for speed.
type PostgresOptions struct {
	Version          int // major; default 15
	Fsync            bool
	WALSenderTimeout time.Duration // 0 is the server's default, a minute
	Settings         []string      // more lines of postgresql.conf
	HBA              []string      // lines of pg_hba.conf before those that ask everybody for a password
	TLS              *CA           // its server certificate, and client certificates of it are trusted
	From             string        // a directory that CopyData returned: the server starts from a copy of it
}

// PostgresServer is a server of one test. Accounts are postgres (superuser), outferry (may replicate, and
// nothing else) and app (owner of the databases); each one's password is its name. Its methods fail the test.
type PostgresServer struct {
	Version int
	Port    int
	DataDir string

	t        testing.TB
	dir      string
	options  PostgresOptions
	server   *postgres.Server
	standbys int
}

// StartPostgres starts a server that ends with the test.
func StartPostgres(t testing.TB, o PostgresOptions) *PostgresServer {
	t.Helper()
	p := preparePostgres(t, o)
	if o.From != "" {
		p.check(copyTree(o.From, filepath.Join(p.dir, "data"), nil))
	}
	p.check(p.start())
	return p
}

func preparePostgres(t testing.TB, o PostgresOptions) *PostgresServer {
	t.Helper()
	if o.Version == 0 {
		o.Version = 15
	}
	return &PostgresServer{Version: o.Version, t: t, dir: private(t), options: o}
}

func (p *PostgresServer) start() (err error) {
	ctx, cancel := startContext()
	defer cancel()
	p.server, err = launchPostgres(ctx, p.dir, p.options)
	if err != nil {
		return err
	}
	p.Port, p.DataDir = p.server.Port, p.server.DataDir()
	return nil
}

// launchPostgres starts a server in dir, registers it for its end, and makes the accounts.
func launchPostgres(ctx context.Context, dir string, o PostgresOptions) (*postgres.Server, error) {
	bin, err := postgres.Binaries(ctx, o.Version)
	if err != nil {
		return nil, err
	}
	settings, err := o.settings()
	if err != nil {
		return nil, err
	}
	s, err := postgres.Start(ctx, postgres.Options{Bin: bin, Dir: dir, Settings: settings, HBA: o.HBA})
	if err != nil {
		return nil, err
	}
	register(dir, s)
	return s, makePostgresAccounts(ctx, s)
}

func (o PostgresOptions) settings() ([]string, error) {
	var lines []string
	if o.Fsync {
		lines = append(lines, "fsync = on")
	}
	if o.WALSenderTimeout > 0 {
		lines = append(lines, fmt.Sprintf("wal_sender_timeout = %dms", o.WALSenderTimeout.Milliseconds()))
	}
	if o.TLS != nil {
		cert, key, err := o.TLS.serverFiles()
		if err != nil {
			return nil, err
		}
		lines = append(lines, "ssl = on", "ssl_cert_file = '"+cert+"'", "ssl_key_file = '"+key+"'", "ssl_ca_file = '"+o.TLS.File+"'")
	}
	return append(lines, o.Settings...), nil
}

func makePostgresAccounts(ctx context.Context, s *postgres.Server) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres", "postgres", "postgres"))
	if err != nil {
		return fmt.Errorf("make the accounts: %w", err)
	}
	defer conn.Close(ctx)
	// A copy of another server, and a standby, have them.
	_, err = conn.Exec(ctx, `DO $$ BEGIN
		IF NOT pg_is_in_recovery() AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'outferry') THEN
			CREATE ROLE outferry LOGIN REPLICATION PASSWORD 'outferry';
			CREATE ROLE app LOGIN PASSWORD 'app';
		END IF;
	END $$`)
	if err != nil {
		return fmt.Errorf("make the accounts: %w", err)
	}
	return nil
}

// Stop shuts the server down fast: sessions are cut, data is checkpointed.
func (p *PostgresServer) Stop() { p.t.Helper(); p.check(p.server.Stop()) }

// StopImmediate ends the server without a checkpoint, so that the next start recovers.
func (p *PostgresServer) StopImmediate() { p.t.Helper(); p.check(p.server.StopImmediate()) }

// Kill sends SIGKILL to the server and all its processes.
func (p *PostgresServer) Kill() { p.t.Helper(); p.check(p.server.Kill()) }

// Start starts the stopped server again, on the same port.
func (p *PostgresServer) Start() {
	p.t.Helper()
	ctx, cancel := startContext()
	defer cancel()
	p.check(p.server.Start(ctx))
}

// Restart is Stop and Start.
func (p *PostgresServer) Restart() { p.t.Helper(); p.Stop(); p.Start() }

// Reload adds lines to postgresql.conf, for good, and has the server read them.
func (p *PostgresServer) Reload(settings ...string) {
	p.t.Helper()
	p.check(p.server.Reload(settings...))
}

// Pid is that of the postmaster.
func (p *PostgresServer) Pid() int { return p.server.Pid() }

// DSN returns the URL of a database, for an account whose password is its name.
func (p *PostgresServer) DSN(user, database string) string { return p.server.URL(user, user, database) }

// Database makes a fresh database on this server.
func (p *PostgresServer) Database(t testing.TB) *Database {
	t.Helper()
	return newDatabase(t, p.Port)
}

func (p *PostgresServer) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("postgres %d: %v", p.Version, err)
	}
}

// PostgresVersions returns the major versions that a test for all of them runs on: those of the variable
// OUTFERRY_TEST_POSTGRES, as in 13,14, or else 15 and 18.
func PostgresVersions(t testing.TB) []int {
	t.Helper()
	versions, err := parseVersions(os.Getenv("OUTFERRY_TEST_POSTGRES"))
	if err != nil {
		t.Fatalf("OUTFERRY_TEST_POSTGRES: %v", err)
	}
	if len(versions) == 0 {
		return []int{15, 18}
	}
	return versions
}

var sharedPostgres memo[int, int]

// Postgres makes a fresh database on the shared server of a major version.
func Postgres(t testing.TB, version int) *Database {
	t.Helper()
	shared, err := given()
	if err != nil {
		t.Fatal(err)
	}
	port, ok := shared.Postgres[version]
	if !ok {
		if port, err = sharedPostgres.get(version, func() (int, error) { return sharePostgres(version) }); err != nil {
			t.Fatalf("postgres %d: %v", version, err)
		}
	}
	return newDatabase(t, port)
}

// sharePostgres starts a server that lives until EndAll, and returns its port.
func sharePostgres(version int) (port int, err error) {
	ctx, cancel := startContext()
	defer cancel()
	dir, err := newDir()
	if err != nil {
		return 0, err
	}
	s, err := launchPostgres(ctx, dir, PostgresOptions{Version: version})
	if err != nil {
		return 0, errors.Join(err, end(dir))
	}
	return s.Port, nil
}
