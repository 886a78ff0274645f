package feedcheck

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// MySQL is the dialect of MySQL and MariaDB.
type MySQL struct{}

// Open takes a URL, mysql:// or mariadb://.
func (MySQL) Open(dsn string) (*sql.DB, error) {
	c, err := mysqlConfig(dsn)
	if err != nil {
		return nil, err
	}
	connector, err := newMySQLConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (MySQL) Place(query string) string { return query }

// Tables compare texts by byte, as Kafka and the oracle do.
func (MySQL) Tables(t Tables) []string {
	const end = ") ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	return []string{
		"CREATE TABLE IF NOT EXISTS " + t.Outbox + ` (
	id            char(36) PRIMARY KEY,
	aggregatetype varchar(255) NOT NULL,
	aggregateid   varchar(255) NOT NULL,
	type          varchar(255) NOT NULL,
	payload       ` + t.Payload + end,
		"CREATE TABLE IF NOT EXISTS " + t.Prefix + "_agg (k varchar(255) PRIMARY KEY, v bigint NOT NULL" + end,
		"CREATE TABLE IF NOT EXISTS " + t.Prefix + "_ledger (w integer, tx bigint, versions text NOT NULL, digest bigint NOT NULL, PRIMARY KEY (w, tx)" + end,
		"CREATE TABLE IF NOT EXISTS " + t.Prefix + "_run (spec text NOT NULL, begun bigint NOT NULL" + end,
	}
}

func (MySQL) Bump(ctx context.Context, c *sql.Conn, t Tables, key string) (int64, error) {
	r, err := c.ExecContext(ctx, "INSERT INTO "+t.Prefix+"_agg (k, v) VALUES (?, LAST_INSERT_ID(1)) ON DUPLICATE KEY UPDATE v = LAST_INSERT_ID(v + 1)", key)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// XA is left out: a pipeline stops at outbox rows in it, and says so.

func (MySQL) Begin(string) string                                                { return "BEGIN" }
func (MySQL) Prepare(string) []string                                            { return nil }
func (MySQL) TwoPhase(context.Context, *sql.DB) (bool, error)                    { return false, nil }
func (MySQL) Prepared(context.Context, *sql.DB, string) (gids []string, _ error) { return nil, nil }

func (MySQL) Finish(_ string, commit bool) string {
	if commit {
		return "COMMIT"
	}
	return "ROLLBACK"
}

// Session names the connection by a lock of the server's: numbers of connections come again after a
// restart, and a lock goes only when the connection's transaction has ended. Gaps are not locked, so
// that writers of new keys don't block each other.
func (MySQL) Session(ctx context.Context, c *sql.Conn) (string, error) {
	if _, err := c.ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"); err != nil {
		return "", err
	}
	name := "feed-" + rand.Text()
	var got sql.NullInt64
	if err := c.QueryRowContext(ctx, "SELECT GET_LOCK(?, 0)", name).Scan(&got); err != nil {
		return "", err
	}
	if got.Int64 != 1 {
		return "", fmt.Errorf("take lock %s: not given", name)
	}
	return name, nil
}

func (MySQL) Alive(ctx context.Context, db *sql.DB, session string) (alive bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT IS_USED_LOCK(?) IS NOT NULL", session).Scan(&alive)
	return alive, err
}

func (MySQL) CutAtCommit(c *sql.Conn, send bool) error {
	return c.Raw(func(dc any) error {
		return cutOff(dc.(*mysqlConn).socket, "\x07\x00\x00\x00\x03COMMIT", send)
	})
}

// Broken holds for lost connections, for a server that shuts down or comes up, for one that takes no
// writes because another has or will, and for a transaction that the server gave up.
func (MySQL) Broken(err error) bool {
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		switch my.Number {
		case 1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 1290, 1317, 1836, 1927, 3169, 4031:
			return true
		}
		return false
	}
	if strings.HasSuffix(err.Error(), "bad connection") { // of the driver too, which keeps its own to itself: a server that went away during the handshake
		return true
	}
	var netErr net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &netErr)
}
