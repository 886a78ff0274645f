package walstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"outferry/internal/transport"
	"outferry/outbox"
)

// session settings under which the server's text forms are those that package outbox names, those of types those that the
// encoding knows, and a key that the server wrote is read as it was. A role or database may have others.
var settings = map[string]string{
	"client_encoding":                     "UTF8",
	"DateStyle":                           "ISO, MDY",
	"IntervalStyle":                       "iso_8601",
	"TimeZone":                            "UTC",
	"extra_float_digits":                  "3",
	"bytea_output":                        "hex",
	"quote_all_identifiers":               "off",
	"array_nulls":                         "on",
	"search_path":                         searchPath,
	"lock_timeout":                        "0",
	"statement_timeout":                   "0",
	"idle_in_transaction_session_timeout": "0",
	"default_transaction_read_only":       "off", // the publication is ours to make
}

// searchPath is the server's default. It decides which names of types come with their schema.
const searchPath = `"$user", public`

// connect opens a connection: one that speaks the replication protocol too, or a plain one.
func (s *Source) connect(ctx context.Context, replication bool) (*pgconn.PgConn, error) {
	cfg, err := s.connConfig(replication)
	if err != nil {
		return nil, &outbox.Fault{Code: "pg.config", Class: outbox.Config, Err: err}
	}
	within, cancel := context.WithTimeout(ctx, s.cfg.Source.ConnectTimeout)
	defer cancel()
	c, err := s.dial(within, cfg)
	if errors.Is(ctx.Err(), context.Canceled) && err != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, s.connectFault(err, replication)
	}
	if _, secure := c.Conn().(*tls.Conn); !secure && s.cfg.Source.TLS.Mode == "prefer" && !transport.Loopback(cfg.Host) && replication {
		s.log.Warn("connection is not encrypted", "host", cfg.Host, "remedy", "set source.tls.mode to require or verify-full")
	}
	return c, nil
}

// dial makes the attempts of source.tls.mode. The library's own would come again without TLS after any error, and join
// those of both.
func (s *Source) dial(ctx context.Context, cfg *pgconn.Config) (*pgconn.PgConn, error) {
	c, err := pgconn.ConnectConfig(ctx, cfg)
	rejected := sqlState(err) == "28000" // by pg_hba.conf, which may let us in without TLS
	if err == nil || s.cfg.Source.TLS.Mode != "prefer" || !rejected && !isTLS(err) {
		return c, err
	}
	cfg.TLSConfig = nil
	c, without := pgconn.ConnectConfig(ctx, cfg)
	if rejected && sqlState(without) != "" {
		return nil, err
	}
	return c, without
}

func (s *Source) connConfig(replication bool) (*pgconn.Config, error) {
	src := &s.cfg.Source
	// Only what is written here counts: no PGHOST or the like of the environment, no password file.
	cfg, err := pgconn.ParseConfig("host=localhost port=5432 user=postgres database=postgres password=x sslmode=disable")
	if err != nil {
		return nil, fmt.Errorf("prepare connection: %w", err)
	}
	cfg.Host, cfg.Port, cfg.Database, cfg.User = src.Host, uint16(src.Port), src.Database, src.User
	if cfg.Password, err = src.Password.Get(); err != nil {
		return nil, fmt.Errorf("read source.password: %w", err)
	}
	if cfg.TLSConfig, err = transport.TLS(src.TLS, src.Host); err != nil {
		return nil, err
	}
	cfg.Fallbacks = nil
	cfg.RuntimeParams = map[string]string{"application_name": "outferry-" + s.cfg.Name}
	for k, v := range settings {
		cfg.RuntimeParams[k] = v
	}
	if replication {
		cfg.RuntimeParams["replication"] = "database"
		cfg.DialFunc = transport.Dial
	}
	cfg.AfterConnect = untimed
	cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		s.log.Debug("notice", "severity", n.SeverityUnlocalized, "sqlstate", n.Code, "message", n.Message)
	}
	return cfg, nil
}

// untimed lifts limits that only newer servers know: as a setting of the start an older one refuses them. A connection
// that replicates is idle in a transaction while it keeps the snapshot of its slot.
func untimed(ctx context.Context, c *pgconn.PgConn) error {
	return exec(ctx, c, "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout')")
}

// connectFault sorts a failed connection by SQLSTATE: what a person must mend, and what time mends.
func (s *Source) connectFault(err error, replication bool) error {
	where := fmt.Sprintf("%s:%d/%s", s.cfg.Source.Host, s.cfg.Source.Port, s.cfg.Source.Database)
	f := &outbox.Fault{Code: "pg.unreachable", Class: outbox.Transient, Err: fmt.Errorf("connect to postgres at %s: %w", where, plain(err))}
	role := quoteIdent(s.cfg.Source.User)
	switch code := sqlState(err); {
	case code == "28000":
		f.Code, f.Class, f.Remedy = "pg.auth", outbox.Environment, "let the role in by the server's pg_hba.conf, which may ask for TLS or a client certificate; or, where it may not log in at all, run as a superuser: ALTER ROLE "+role+" WITH LOGIN"
	case code == "28P01":
		f.Code, f.Class, f.Remedy = "pg.auth", outbox.Environment, "check source.user and source.password, and the server's pg_hba.conf (a replication role connects to its database, not to \"replication\")"
	case code == "42501" && !replication:
		f.Code, f.Class, f.Remedy = "pg.permission", outbox.Environment, fmt.Sprintf("run as the database's owner: GRANT CONNECT ON DATABASE %s TO %s", quoteIdent(s.cfg.Source.Database), role)
	case code == "42501" || strings.HasPrefix(code, "0A"):
		f.Code, f.Class, f.Remedy = "pg.permission", outbox.Environment, fmt.Sprintf("run as a superuser: ALTER ROLE %s WITH REPLICATION LOGIN", role)
	case code == "3D000":
		f.Code = "pg.database_missing"
	case code == "53300":
		f.Code, f.Remedy = "pg.too_many_connections", "raise max_connections or max_wal_senders"
	case code == "57P03":
		f.Code = "pg.starting"
	case code != "": // of the server as it is now: out of memory, a library or a file that is missing
	case isTLS(err):
		f.Code, f.Class, f.Remedy = "pg.tls", outbox.Environment, "check source.tls: mode, ca_file, server_name and the server's certificate"
	}
	return f
}

// plain drops what the driver adds around a cause: it quotes user and database again.
func plain(err error) error {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s (SQLSTATE %s)", pe.Message, pe.Code)
	}
	return err
}

// isTLS reports that TLS is what keeps us out, at every address of the host that is reached at all.
func isTLS(err error) bool {
	found := false
	for _, e := range addresses(err) {
		var op *net.OpError
		if errors.As(e, &op) && op.Op == "dial" {
			continue
		}
		if !transport.Failed(e) && !strings.Contains(e.Error(), "refused TLS connection") {
			return false
		}
		found = true
	}
	return found
}

// addresses takes apart what the library joins: an error for each address of the host.
func addresses(err error) []error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			return joined.Unwrap()
		}
	}
	return []error{err}
}

// sqlState returns the SQLSTATE of a server's error, or "".
func sqlState(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}
