// Package database opens a service's own database, PostgreSQL or MySQL, by its URL. In goes SQL with ? for
// arguments; out come transactions. The three differences that the services would notice (placeholders,
// generated keys, inserts that may find their row) end here. The program imports the driver that it needs.
package database

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DB is a pool of connections to one database.
type DB struct {
	*sql.DB
	engine engine
}

type engine int

const (
	postgres engine = iota
	mysql
)

// Open makes a pool for postgres://... or mysql://user:password@host:port/database, and connects to nothing yet.
func Open(address string) (*DB, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("open the database: its URL is no URL") // and may hold a password
	}
	db := &DB{}
	switch u.Scheme {
	case "postgres", "postgresql":
		db.DB, err = sql.Open("pgx", address)
	case "mysql", "mariadb":
		db.engine = mysql
		db.DB, err = sql.Open("mysql", mysqlName(u))
	default:
		return nil, fmt.Errorf("open the database: want postgres:// or mysql://, got %q", u.Scheme)
	}
	if err != nil {
		return nil, fmt.Errorf("open the database at %s: %w", u.Host, err)
	}
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	return db, nil
}

// mysqlName writes a URL as the MySQL driver wants it.
func mysqlName(u *url.URL) string {
	password, _ := u.User.Password()
	return fmt.Sprintf("%s:%s@tcp(%s)%s?parseTime=true", u.User.Username(), password, u.Host, u.Path)
}

// Await returns when the database answers: it may be started after the service.
func (db *DB) Await(ctx context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the database: %w", err)
		}
	}
}

// Schema makes a service's tables where they are missing: statements that end with a semicolon and a new line.
type Schema struct{ Postgres, MySQL string }

// Make runs the statements of the schema that is this database's.
func (db *DB) Make(ctx context.Context, s Schema) error {
	text := s.Postgres
	if db.engine == mysql {
		text = s.MySQL
	}
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("make the tables: %w", err)
		}
	}
	return nil
}

// placeholders turns ? into $1, $2 and so on, where the engine counts them. No statement here holds a ? in a text.
func (e engine) placeholders(query string) string {
	if e == mysql {
		return query
	}
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r != '?' {
			b.WriteRune(r)
			continue
		}
		n++
		b.WriteString("$" + strconv.Itoa(n))
	}
	return b.String()
}
