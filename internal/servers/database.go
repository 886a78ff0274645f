package servers

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Database is a fresh database of one test. It belongs to app; outferry may connect and replicate, and gets
// the rest granted by the test.
type Database struct {
	Name string
	Port int

	mu   sync.Mutex
	conn *pgx.Conn // the superuser's, made when wanted
}

// newName makes a name for a database that no other has, a word in every dialect.
func newName() string { return "t" + strings.ToLower(rand.Text()[:10]) }

// newDatabase makes a database on the server at port and drops it, with its slots, at the test's end.
func newDatabase(t testing.TB, port int) *Database {
	t.Helper()
	d := &Database{Name: newName(), Port: port}
	server := &Database{Name: "postgres", Port: port}
	defer server.close()
	server.Exec(t, "CREATE DATABASE "+d.Name+" OWNER app")
	t.Cleanup(func() { d.drop(t) })
	// Until version 15 everybody may create tables in schema public.
	d.Exec(t, "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT ALL ON SCHEMA public TO app")
	return d
}

// URL returns the database's URL for an account whose password is its name.
func (d *Database) URL(user string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, user), Host: fmt.Sprintf("127.0.0.1:%d", d.Port),
		Path: "/" + d.Name, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Exec runs statements as the superuser: several at once where there are no arguments.
func (d *Database) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	err := d.with(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Text runs a query as the superuser and returns its one value as text, empty for NULL and for no row.
func (d *Database) Text(t testing.TB, sql string, args ...any) string {
	t.Helper()
	var text *string
	err := d.with(func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, "SELECT (("+sql+")::text)", args...).Scan(&text)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if text == nil {
		return ""
	}
	return *text
}

// Connect opens a connection that is closed at the test's end.
func (d *Database) Connect(t testing.TB, user string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.URL(user))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// with lends the superuser's connection, a new one where a restart of the server has cut the last.
func (d *Database) with(use func(context.Context, *pgx.Conn) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if d.conn == nil || d.conn.IsClosed() || d.conn.Ping(ctx) != nil {
		conn, err := pgx.Connect(ctx, d.URL("postgres"))
		if err != nil {
			return err
		}
		d.conn = conn
	}
	return use(ctx, d.conn)
}

func (d *Database) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn != nil {
		d.conn.Close(context.Background())
		d.conn = nil
	}
}

// drop is lenient: a test may have left its own server stopped.
func (d *Database) drop(t testing.TB) {
	d.close()
	server := &Database{Name: "postgres", Port: d.Port}
	defer server.close()
	err := server.with(func(ctx context.Context, conn *pgx.Conn) error {
		if err := dropSlots(ctx, conn, d.Name); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, "DROP DATABASE "+d.Name+" WITH (FORCE)")
		return err
	})
	if err != nil {
		t.Logf("drop database %s: %v", d.Name, err)
	}
}

// dropSlots tries again while a walsender that was told to end still holds its slot.
func dropSlots(ctx context.Context, conn *pgx.Conn, database string) error {
	for {
		_, err := conn.Exec(ctx, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = $1 AND active", database)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1 AND NOT active", database)
		if err != nil && ctx.Err() != nil {
			return err
		}
		var left int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_replication_slots WHERE database = $1", database).Scan(&left); err != nil {
			return err
		}
		if left == 0 {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}
