package feedcheck

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mysqlConfig is what the driver wants for a URL. The driver keeps quiet: lost connections are the plan.
func mysqlConfig(dsn string) (*mysql.Config, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme != "mysql" && u.Scheme != "mariadb" || u.Host == "" {
		return nil, fmt.Errorf("open the database: want mysql://user:password@host:port/database or mariadb://...")
	}
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	c.User, c.DBName = u.User.Username(), strings.TrimPrefix(u.Path, "/")
	c.Passwd, _ = u.User.Password()
	c.InterpolateParams = true
	c.Logger = &mysql.NopLogger{}
	return c, nil
}

// mysqlConn is the driver's connection, and the socket under it, which the driver keeps to itself.
type mysqlConn struct {
	driverConn
	socket net.Conn
}

// driverConn is what package sql asks of the driver's connection.
type driverConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// mysqlConnector has the driver's dial function leave each socket where the context says.
type mysqlConnector struct{ driver.Connector }

type socketKey struct{}

func newMySQLConnector(c *mysql.Config) (driver.Connector, error) {
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		socket, err := d.DialContext(ctx, network, addr)
		if err == nil {
			*ctx.Value(socketKey{}).(*net.Conn) = socket
		}
		return socket, err
	}
	connector, err := mysql.NewConnector(c)
	return mysqlConnector{connector}, err
}

func (m mysqlConnector) Connect(ctx context.Context) (driver.Conn, error) {
	var socket net.Conn
	c, err := m.Connector.Connect(context.WithValue(ctx, socketKey{}, &socket))
	if err != nil {
		return nil, err
	}
	return &mysqlConn{c.(driverConn), socket}, nil
}
