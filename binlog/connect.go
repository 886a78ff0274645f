package binlog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"outferry/internal/transport"
	"outferry/outbox"
)

// connect opens a connection whose texts are UTF-8 and whose times are UTC.
func (s *Source) connect(ctx context.Context) (*client.Conn, error) {
	password, err := s.cfg.Source.Password.Get()
	if err != nil {
		return nil, &outbox.Fault{Code: "mysql.config", Class: outbox.Config, Err: fmt.Errorf("read source.password: %w", err)}
	}
	secure, err := transport.TLS(s.cfg.Source.TLS, s.cfg.Source.Host)
	if err != nil {
		return nil, &outbox.Fault{Code: "mysql.config", Class: outbox.Config, Err: err}
	}
	c, err := s.dial(ctx, password, secure)
	if err != nil && s.cfg.Source.TLS.Mode == "prefer" && !isServerError(err) && !isDialError(err) {
		c, err = s.dial(ctx, password, nil)
		if err == nil && !transport.Loopback(s.cfg.Source.Host) {
			s.log.Warn("connection is not encrypted", "host", s.cfg.Source.Host, "remedy", "set source.tls.mode to require or verify-full")
		}
	}
	if err != nil {
		return nil, s.connectFault(err)
	}
	defer closing(ctx, c)()
	if err := setUp(c); err != nil {
		c.Close()
		return nil, transient("mysql.connection", "set up a connection: %w", err)
	}
	return c, nil
}

func (s *Source) address() string {
	src := &s.cfg.Source
	if strings.HasPrefix(src.Host, "/") {
		return src.Host
	}
	return net.JoinHostPort(src.Host, strconv.Itoa(src.Port))
}

// dial ends with the context also where the server is reached and does not answer: the library gives up then after its
// read timeout alone.
func (s *Source) dial(ctx context.Context, password string, secure *tls.Config) (*client.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Source.ConnectTimeout)
	defer cancel()
	unhook := func() bool { return true }
	c, err := client.ConnectWithDialer(ctx, "", s.address(), s.cfg.Source.User, password, "", func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			unhook = context.AfterFunc(ctx, func() { _ = conn.Close() })
		}
		return conn, err
	}, s.prepare(secure))
	if unhook() {
		return c, err
	}
	if c != nil {
		_ = c.Close()
	}
	return nil, fmt.Errorf("wait for the server's answer: %w", ctx.Err())
}

// prepare sets up a connection that says nothing yet.
func (s *Source) prepare(secure *tls.Config) client.Option {
	return func(c *client.Conn) error {
		c.ReadTimeout, c.WriteTimeout = s.set.readTimeout, s.set.readTimeout
		// Rows of a snapshot are read off the wire by ourselves, in the plain form.
		c.UnsetCapability(mysql.CLIENT_QUERY_ATTRIBUTES)
		c.UnsetCapability(mysql.CLIENT_DEPRECATE_EOF)
		c.SetAttributes(map[string]string{"program_name": "outferry-" + s.cfg.Name})
		if secure != nil {
			c.SetTLSConfig(secure)
		}
		return nil
	}
}

// setUp makes the server's texts those that package outbox names, and its answers whole: a session begins with the global
// sql_select_limit, which ends a SELECT early without a word, and with limits of time that would end a long one, a connection
// that is idle for some seconds, or the wait for a table's lock, at each attempt. A key that MySQL makes for a table without one is in the log, and may be kept
// out of the catalog. Each server takes what is in the other's comment for one.
func setUp(c *client.Conn) error {
	for _, sql := range []string{
		"SET NAMES utf8mb4",
		"SET SESSION time_zone = '+00:00', SESSION sql_mode = '', SESSION net_write_timeout = 3600, SESSION autocommit = 1",
		"SET SESSION sql_select_limit = 18446744073709551615, SESSION sql_big_selects = 1",
		// Longer than we wait, since MariaDB's catalog shows no columns of a table that it has waited for in vain.
		fmt.Sprintf("SET SESSION lock_wait_timeout = %d", 2*int(c.ReadTimeout.Seconds()+1)),
		"SET SESSION wait_timeout = @@SESSION.wait_timeout + 60 /*!80000 , SESSION max_execution_time = 0 */ /*M!100101 , SESSION max_statement_time = 0 */ " +
			"/*!80030 , SESSION show_gipk_in_create_table_and_information_schema = ON */ " +
			"/*M!100300 , SESSION idle_transaction_timeout = 0, SESSION idle_readonly_transaction_timeout = 0 */",
	} {
		if _, err := c.Execute(sql); err != nil {
			return plain(err)
		}
	}
	return nil
}

// connectFault sorts a failed connection by the server's error number: what a person must mend, and what
// time mends.
func (s *Source) connectFault(err error) error {
	f := &outbox.Fault{Code: "mysql.unreachable", Class: outbox.Transient, Err: fmt.Errorf("connect to mysql at %s: %w", s.address(), plain(err))}
	switch code := errorCode(err); {
	case code == 1045 || code == 1698 || code == 1251 || code == 1820 || code == 1862:
		f.Code, f.Class, f.Remedy = "mysql.auth", outbox.Environment, s.authRemedy()
	case code != 0 && strings.Contains(err.Error(), "insecure transport"): // MariaDB 11 has a number of its own for it, 10 says 1045
		f.Code, f.Class, f.Remedy = "mysql.tls", outbox.Environment, "the server asks for TLS (require_secure_transport): set source.tls.mode: require or verify-full"
	case code == 1130:
		f.Code, f.Class, f.Remedy = "mysql.auth", outbox.Environment, "allow the account to log in from this host"
	case code == 1040 || code == 1203:
		f.Code, f.Remedy = "mysql.too_many_connections", "raise max_connections"
	case code != 0:
	case isTLS(err):
		f.Code, f.Class, f.Remedy = "mysql.tls", outbox.Environment, "check source.tls: mode, ca_file, server_name and the server's certificate"
	case strings.Contains(err.Error(), "auth plugin"):
		f.Code, f.Class, f.Remedy = "mysql.auth", outbox.Environment, "give the account caching_sha2_password, mysql_native_password or ed25519"
	}
	return f
}

// authRemedy speaks of TLS where it may be off: who is required to use it gets the answer to a wrong password.
func (s *Source) authRemedy() string {
	remedy := "check source.user and source.password, and from which hosts the account may log in"
	switch s.cfg.Source.TLS.Mode {
	case "", "disable", "prefer":
		remedy += "; if TLS is required (REQUIRE SSL, require_secure_transport), set source.tls.mode: require or verify-full"
	}
	return remedy
}

// plain drops what the library adds around a cause: stacks and words.
func plain(err error) error {
	var me *mysql.MyError
	if errors.As(err, &me) {
		return &serverError{code: int(me.Code), message: me.Message}
	}
	return err
}

func errorCode(err error) int {
	var me *mysql.MyError
	if errors.As(err, &me) {
		return int(me.Code)
	}
	var se *serverError
	if errors.As(err, &se) {
		return se.code
	}
	return 0
}

func isServerError(err error) bool { return errorCode(err) != 0 }

func isDialError(err error) bool {
	var op *net.OpError
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &op) && op.Op == "dial"
}

func isTLS(err error) bool {
	return transport.Failed(err) || strings.Contains(err.Error(), "does not support TLS")
}

// row is one row of an answer; NULL is an empty text.
type row []string

// query runs a statement on a connection that nobody else uses at the time.
func query(c *client.Conn, sql string) ([]row, error) {
	r, err := c.Execute(sql)
	if err != nil {
		return nil, plain(err)
	}
	defer r.Close()
	if r.Resultset == nil {
		return nil, nil
	}
	rows := make([]row, r.RowNumber())
	for i := range rows {
		rows[i] = make(row, r.ColumnNumber())
		for j := range rows[i] {
			text, err := r.GetString(i, j)
			if err != nil {
				return nil, err
			}
			rows[i][j] = strings.Clone(text) // it lies in a buffer that the library uses again
		}
	}
	return rows, nil
}

func (r row) int(i int) int64 {
	v, _ := strconv.ParseInt(r[i], 10, 64)
	return v
}

// closing ends a connection when the context does, so that no read outlives it. It closes the socket alone:
// the rest belongs to the goroutine that reads.
func closing(ctx context.Context, c *client.Conn) (stop func() bool) {
	socket := transport.Bare(socketOf(c))
	return context.AfterFunc(ctx, func() { _ = socket.Close() })
}

// quoteText and quoteName are the only ways by which a text gets into a statement.
func quoteText(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "''", "\x00", "\\0").Replace(s) + "'"
}

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
