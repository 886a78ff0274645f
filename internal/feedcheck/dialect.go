package feedcheck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"strings"
)

// Dialect is what differs between the databases. Statements are written with ? for their parameters.
type Dialect interface {
	Open(dsn string) (*sql.DB, error)
	Place(query string) string                                                  // puts the driver's parameters for ?
	Tables(t Tables) []string                                                   // creates what is missing, the outbox included
	Bump(ctx context.Context, c *sql.Conn, t Tables, key string) (int64, error) // adds a version to the key and returns it; the key stays locked

	// A transaction that is prepared before it ends, where TwoPhase says so. Begin gets an empty gid for
	// any other kind, which then ends with COMMIT or ROLLBACK.
	Begin(gid string) string
	Prepare(gid string) []string
	Finish(gid string, commit bool) string
	TwoPhase(ctx context.Context, db *sql.DB) (bool, error)
	Prepared(ctx context.Context, db *sql.DB, prefix string) ([]string, error) // transactions left prepared

	Session(ctx context.Context, c *sql.Conn) (string, error)            // names the connection on the server
	Alive(ctx context.Context, db *sql.DB, session string) (bool, error) // whether the server still works for it
	CutAtCommit(c *sql.Conn, send bool) error                            // closes the socket, after a COMMIT was sent or without
	Broken(err error) bool                                               // the connection or the server is gone: try again later
}

// DialectOf returns the dialect of the database that a URL leads to.
func DialectOf(dsn string) Dialect {
	if strings.HasPrefix(dsn, "mysql:") || strings.HasPrefix(dsn, "mariadb:") {
		return MySQL{}
	}
	return Postgres{}
}

// Tables names what a run uses.
type Tables struct {
	Outbox  string // outbox
	Prefix  string // of the tables of the checker itself: feed
	Payload string // its column type: text, jsonb, longtext; the database's own words
}

func (t Tables) defaults() Tables {
	if t.Outbox == "" {
		t.Outbox = "outbox"
	}
	if t.Prefix == "" {
		t.Prefix = "feed"
	}
	if t.Payload == "" {
		t.Payload = "text"
	}
	return t
}

// check refuses names that would need quoting: they go into statements as they are.
func (t Tables) check() error {
	for _, s := range []string{t.Outbox, t.Prefix, t.Payload} {
		if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") != "" {
			return fmt.Errorf("tables: %q: want lower-case letters, digits, dots and underscores", s)
		}
	}
	return nil
}

func (t Tables) insert(rows int) string {
	return "INSERT INTO " + t.Outbox + " (id, aggregatetype, aggregateid, type, payload) VALUES " +
		strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?, ?), ", rows), ", ")
}

func (t Tables) remove() string { return "DELETE FROM " + t.Outbox + " WHERE id = ?" }

func (t Tables) enter() string {
	return "INSERT INTO " + t.Prefix + "_ledger (w, tx, versions, digest) VALUES (?, ?, ?, ?)"
}

// cutOff ends a connection, behind a COMMIT whose answer nobody reads if that is sent.
func cutOff(socket net.Conn, commit string, send bool) error {
	if send {
		if _, err := io.WriteString(socket, commit); err != nil {
			return err
		}
	}
	socket.Close()
	return driver.ErrBadConn // so that the pool forgets it
}
