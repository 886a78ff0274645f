package servers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// MySQLOptions describe a private server. What is left zero is the server's own default, but for the
// binlog's format (ROW) and GTIDs (on).
type MySQLOptions struct {
	Version      string // 8.0 (default), 9, mariadb10 or mariadb11
	NoGTID       bool   // MySQL only: MariaDB always has them
	Compress     bool   // binlog_transaction_compression, or log_bin_compress on MariaDB
	RowImage     string // FULL, MINIMAL or NOBLOB
	RowMetadata  string // FULL or MINIMAL, and NO_LOG on MariaDB
	BinlogFormat string // ROW, MIXED or STATEMENT
	ServerID     int    // default: the port
	Durable      bool   // sync the binlog and InnoDB at each commit
	TLS          *CA    // its server certificate, and client certificates of it are trusted
	Settings     []string
}

// MySQLServer is a MySQL or MariaDB server of one test. Accounts are root, outferry (may replicate, and read
// the databases that tests make) and app (may do all in them); each one's password is its name. Its methods
// fail the test.
type MySQLServer struct {
	Version string
	Port    int
	DataDir string

	t      testing.TB
	server *mysqlServer
}

// StartMySQL starts a server that ends with the test.
func StartMySQL(t testing.TB, o MySQLOptions) *MySQLServer {
	t.Helper()
	if o.Version == "" {
		o.Version = "8.0"
	}
	ctx, cancel := startContext()
	defer cancel()
	m, err := launchMySQL(ctx, private(t), o)
	if err != nil {
		t.Fatalf("mysql %s: %v", o.Version, err)
	}
	return &MySQLServer{Version: o.Version, Port: m.port, DataDir: m.path("data"), t: t, server: m}
}

// Stop shuts the server down orderly.
func (m *MySQLServer) Stop() { m.t.Helper(); m.check(m.server.stop()) }

// Kill sends SIGKILL.
func (m *MySQLServer) Kill() { m.t.Helper(); m.check(m.server.Kill()) }

// Start starts the stopped server again, on the same port, with these settings added for good.
func (m *MySQLServer) Start(settings ...string) {
	m.t.Helper()
	m.server.options.Settings = append(m.server.options.Settings, settings...)
	ctx, cancel := startContext()
	defer cancel()
	m.check(m.server.start(ctx))
}

// Restart is Stop and Start.
func (m *MySQLServer) Restart(settings ...string) { m.t.Helper(); m.Stop(); m.Start(settings...) }

// Pid is that of the server.
func (m *MySQLServer) Pid() int { return m.server.process.Pid() }

// Database makes a fresh database on this server.
func (m *MySQLServer) Database(t testing.TB) *MySQLDatabase {
	t.Helper()
	return newMySQLDatabase(t, m.Version, m.Port)
}

// Admin is the server as root sees it, without a database of its own.
func (m *MySQLServer) Admin() *MySQLDatabase { return &MySQLDatabase{Version: m.Version, Port: m.Port} }

func (m *MySQLServer) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("mysql %s: %v", m.Version, err)
	}
}

// MySQLVersions returns the servers that a test for all of them runs on: those of the variable
// OUTFERRY_TEST_MYSQL, which may be none, or else 8.0 and mariadb10.
func MySQLVersions(testing.TB) []string {
	list, ok := os.LookupEnv("OUTFERRY_TEST_MYSQL")
	if !ok {
		list = "8.0,mariadb10"
	}
	return splitList(list)
}

var sharedMySQL memo[string, int]

// MySQL makes a fresh database on the shared server of a version, as MySQLOptions names it.
func MySQL(t testing.TB, version string) *MySQLDatabase {
	t.Helper()
	shared, err := given()
	if err != nil {
		t.Fatal(err)
	}
	port, ok := shared.MySQL[version]
	if !ok {
		if port, err = sharedMySQL.get(version, func() (int, error) { return shareMySQL(version) }); err != nil {
			t.Fatalf("mysql %s: %v", version, err)
		}
	}
	return newMySQLDatabase(t, version, port)
}

// shareMySQL starts a server that lives until EndAll, and returns its port.
func shareMySQL(version string) (port int, err error) {
	ctx, cancel := startContext()
	defer cancel()
	dir, err := newDir()
	if err != nil {
		return 0, err
	}
	m, err := launchMySQL(ctx, dir, MySQLOptions{Version: version})
	if err != nil {
		return 0, errors.Join(err, end(dir))
	}
	return m.port, nil
}

// MySQLDatabase is a fresh database of one test: app may do all in it, outferry may read it.
type MySQLDatabase struct {
	Version string
	Name    string
	Port    int
}

func newMySQLDatabase(t testing.TB, version string, port int) *MySQLDatabase {
	t.Helper()
	d := &MySQLDatabase{Version: version, Name: newName(), Port: port}
	server := &MySQLDatabase{Version: version, Port: port}
	server.Exec(t, fmt.Sprintf("CREATE DATABASE %[1]s; GRANT ALL ON %[1]s.* TO app; GRANT SELECT ON %[1]s.* TO outferry", d.Name))
	t.Cleanup(func() {
		drop := fmt.Sprintf("DROP DATABASE %[1]s; REVOKE ALL ON %[1]s.* FROM app; REVOKE ALL ON %[1]s.* FROM outferry", d.Name)
		if err := server.exec(drop); err != nil { // a test may have left its own server stopped
			t.Logf("drop database %s: %v", d.Name, err)
		}
	})
	return d
}

// URL returns the database's URL for an account whose password is its name.
func (d *MySQLDatabase) URL(user string) string {
	scheme := "mysql"
	if strings.HasPrefix(d.Version, "mariadb") {
		scheme = "mariadb"
	}
	return fmt.Sprintf("%s://%s:%s@%s/%s", scheme, user, user, address(d.Port), d.Name)
}

// Exec runs statements as root, several at once where wanted, in one session.
func (d *MySQLDatabase) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := d.exec(sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (d *MySQLDatabase) exec(sql string, args ...any) error {
	db, err := openMySQL(d.Port, "root", d.Name)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err = db.ExecContext(ctx, sql, args...)
	return err
}

// Text runs a query as root and returns its one value as text, empty for NULL.
func (d *MySQLDatabase) Text(t testing.TB, query string, args ...any) string {
	t.Helper()
	db, err := openMySQL(d.Port, "root", d.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var text sql.NullString
	if err := db.QueryRowContext(ctx, query, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return text.String
}

// Connect opens a pool that is closed at the test's end.
func (d *MySQLDatabase) Connect(t testing.TB, user string) *sql.DB {
	t.Helper()
	db, err := openMySQL(d.Port, user, d.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
