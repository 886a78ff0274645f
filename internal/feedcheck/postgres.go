package feedcheck

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib" // registers the driver pgx
)

// Postgres is the dialect of PostgreSQL.
type Postgres struct{}

func (Postgres) Open(dsn string) (*sql.DB, error) { return sql.Open("pgx", dsn) }

func (Postgres) Place(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

func (Postgres) Tables(t Tables) []string {
	return []string{
		"CREATE TABLE IF NOT EXISTS " + t.Outbox + ` (
	id            uuid PRIMARY KEY,
	aggregatetype varchar(255) NOT NULL,
	aggregateid   varchar(255) NOT NULL,
	type          varchar(255) NOT NULL,
	payload       ` + t.Payload + `)`,
		"CREATE TABLE IF NOT EXISTS " + t.Prefix + "_agg (k varchar(255) PRIMARY KEY, v bigint NOT NULL)",
		"CREATE TABLE IF NOT EXISTS " + t.Prefix + "_ledger (w integer, tx bigint, versions text NOT NULL, digest bigint NOT NULL, PRIMARY KEY (w, tx))",
		"CREATE TABLE IF NOT EXISTS " + t.Prefix + "_run (spec text NOT NULL, begun bigint NOT NULL)",
	}
}

func (d Postgres) Bump(ctx context.Context, c *sql.Conn, t Tables, key string) (v int64, err error) {
	agg := t.Prefix + "_agg"
	err = c.QueryRowContext(ctx, "INSERT INTO "+agg+" AS a (k, v) VALUES ($1, 1) ON CONFLICT (k) DO UPDATE SET v = a.v + 1 RETURNING v", key).Scan(&v)
	return v, err
}

func (Postgres) Begin(string) string { return "BEGIN" }

func (Postgres) Prepare(gid string) []string { return []string{"PREPARE TRANSACTION '" + gid + "'"} }

func (Postgres) Finish(gid string, commit bool) string {
	if commit {
		return "COMMIT PREPARED '" + gid + "'"
	}
	return "ROLLBACK PREPARED '" + gid + "'"
}

func (Postgres) TwoPhase(ctx context.Context, db *sql.DB) (bool, error) {
	var n string
	if err := db.QueryRowContext(ctx, "SHOW max_prepared_transactions").Scan(&n); err != nil {
		return false, fmt.Errorf("show max_prepared_transactions: %w", err)
	}
	return n != "0", nil
}

func (Postgres) Prepared(ctx context.Context, db *sql.DB, prefix string) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT gid FROM pg_prepared_xacts WHERE database = current_database() AND starts_with(gid, $1)", prefix)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var gids []string
	for rows.Next() {
		var gid string
		if err := rows.Scan(&gid); err != nil {
			return nil, err
		}
		gids = append(gids, gid)
	}
	return gids, rows.Err()
}

func (Postgres) Session(ctx context.Context, c *sql.Conn) (s string, err error) {
	err = c.QueryRowContext(ctx, "SELECT pid || ' ' || backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").Scan(&s)
	return s, err
}

func (Postgres) Alive(ctx context.Context, db *sql.DB, session string) (alive bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid || ' ' || backend_start = $1)", session).Scan(&alive)
	return alive, err
}

func (Postgres) CutAtCommit(c *sql.Conn, send bool) error {
	return c.Raw(func(dc any) error {
		return cutOff(dc.(*stdlib.Conn).Conn().PgConn().Conn(), "Q\x00\x00\x00\x0bCOMMIT\x00", send)
	})
}

// Broken holds for lost connections, for a server that shuts down or comes up, and for what a
// standby that was just promoted may still say.
func (Postgres) Broken(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:2] {
		case "08", "57", "53", "40", "58":
			return true
		}
		return pg.Code == "25006"
	}
	var netErr net.Error
	var connect *pgconn.ConnectError
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &netErr) || errors.As(err, &connect) ||
		pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed")
}

// SlotConfirmed returns what the Sampler asks of PostgreSQL.
func SlotConfirmed(db *sql.DB, slot string) Confirmed {
	return func(ctx context.Context) (uint64, bool) {
		var text sql.NullString
		err := db.QueryRowContext(ctx, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", slot).Scan(&text)
		if err != nil || !text.Valid {
			return 0, false
		}
		return parseLSN(text.String)
	}
}
