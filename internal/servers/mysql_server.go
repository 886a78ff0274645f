package servers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"outferry/internal/install"
	"outferry/internal/process"
)

// mysqlServer is the process behind a MySQLServer.
type mysqlServer struct {
	port    int
	dir     string
	program mysqlProgram
	options MySQLOptions
	user    *process.User
	process *process.Process
	fresh   bool // the accounts are to be made at the next start
}

// launchMySQL starts a server in dir and registers it for its end.
func launchMySQL(ctx context.Context, dir string, o MySQLOptions) (*mysqlServer, error) {
	kind, ok := mysqlKinds[o.Version]
	if !ok {
		return nil, fmt.Errorf("unknown version %q: want 8.0, 9, mariadb10 or mariadb11", o.Version)
	}
	program, err := kind()
	if err != nil {
		return nil, err
	}
	m := &mysqlServer{dir: dir, program: program, options: o, fresh: program.mariadb}
	if m.user, err = process.Unprivileged(); err != nil {
		return nil, err
	}
	if m.port, err = process.FreePort(); err != nil {
		return nil, err
	}
	if err := m.makeData(); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	register(dir, m)
	return m, m.start(ctx)
}

// makeData copies the data directory that was made once for all servers of this version: making one takes
// MySQL six seconds. Without its auto.cnf each copy gets a server UUID of its own.
func (m *mysqlServer) makeData() error {
	template, err := install.Once(m.program.name+"-data", func(dir string) error {
		maker := &mysqlServer{dir: dir, program: m.program, user: m.user}
		return maker.initialize()
	})
	if err != nil {
		return err
	}
	if err := run(exec.Command("cp", "-R", "--sparse=always", filepath.Join(template, "data"), m.dir)); err != nil {
		return err
	}
	return m.user.Own(m.dir)
}

func (m *mysqlServer) initialize() error {
	if err := m.configure(); err != nil {
		return err
	}
	if m.program.mariadb {
		return m.bootstrapMariaDB()
	}
	if err := m.write("accounts.sql", mysqlAccounts); err != nil {
		return err
	}
	_, err := process.Run(m.spec("--initialize-insecure", "--init-file="+m.path("accounts.sql"), "--skip-log-bin"))
	return errors.Join(err, os.RemoveAll(m.path("data/auto.cnf")))
}

// bootstrapMariaDB feeds the server what mariadb-install-db, a script of another package, would.
func (m *mysqlServer) bootstrapMariaDB() error {
	sql := []byte("CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n")
	for _, pattern := range []string{
		"m*_system_tables.sql", "m*_performance_tables.sql", "m*_system_tables_data.sql",
		"fill_help_tables.sql", "maria_add_gis_sp_bootstrap.sql", "m*_sys_schema.sql",
	} {
		file, err := firstOf(m.program.share, pattern)
		if err != nil {
			return err
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		sql = append(sql, b...)
	}
	spec := m.spec("--bootstrap", "--skip-log-bin", "--log-warnings=0", "--enforce-storage-engine=", "--max_allowed_packet=8M", "--net_buffer_length=16K")
	spec.Stdin = strings.NewReader(string(sql))
	_, err := process.Run(spec)
	return err
}

func (m *mysqlServer) spec(args ...string) process.Spec {
	all := append(append([]string{}, m.program.args...), "--defaults-file="+m.path("my.cnf"))
	return process.Spec{Args: append(all, args...), Dir: m.dir, Env: m.program.env, User: m.user, Log: m.path("server.log")}
}

func (m *mysqlServer) path(name string) string { return filepath.Join(m.dir, name) }

func (m *mysqlServer) write(name, text string) error {
	if err := os.WriteFile(m.path(name), []byte(text), 0o600); err != nil {
		return err
	}
	return m.user.Own(m.path(name))
}

// start starts a new or a stopped server and waits until it accepts connections.
func (m *mysqlServer) start(ctx context.Context) (err error) {
	if m.process != nil && m.process.Running() {
		return nil
	}
	if err := m.configure(); err != nil {
		return fmt.Errorf("configure in %s: %w", m.dir, err)
	}
	var args []string
	if m.fresh {
		// Not logged, so that a reader of the whole binlog finds the rows of tests only.
		if err := m.write("accounts.sql", "SET sql_log_bin = 0;\nDROP USER IF EXISTS root@'127.0.0.1', root@'::1';\n"+mysqlAccounts); err != nil {
			return err
		}
		args = append(args, "--init-file="+m.path("accounts.sql"))
	}
	if m.process, err = process.Start(m.spec(args...)); err != nil {
		return err
	}
	if err := m.waitReady(ctx); err != nil {
		return errors.Join(fmt.Errorf("wait for the server in %s: %w", m.dir, err), m.Kill())
	}
	m.fresh = false
	return nil
}

func (m *mysqlServer) waitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if m.ping(ctx) == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-m.process.Done():
			return m.process.Ended()
		case <-ctx.Done():
			return fmt.Errorf("%w; last lines of its log: %s", ctx.Err(), m.process.LastLines(15))
		}
	}
}

func (m *mysqlServer) ping(ctx context.Context) error {
	db, err := openMySQL(m.port, "root", "")
	if err != nil {
		return err
	}
	defer db.Close()
	return db.PingContext(ctx)
}

// openMySQL has the driver keep quiet: it would print each refused connection of a starting server.
func openMySQL(port int, user, database string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr = "tcp", address(port)
	c.User, c.Passwd, c.DBName = user, user, database
	c.MultiStatements = true
	c.InterpolateParams = true
	c.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func (m *mysqlServer) stop() error { return m.process.Stop(syscall.SIGTERM, 2*time.Minute) }

// Kill implements anyServer.
func (m *mysqlServer) Kill() error {
	if m.process == nil || !m.process.Running() {
		return nil
	}
	if err := m.process.Kill(); err != nil {
		return err
	}
	// Its number in them may be another process's by the next start, which would then refuse.
	return errors.Join(os.RemoveAll(m.path("mysqld.pid")), os.RemoveAll(m.path("mysqld.sock.lock")), os.RemoveAll(m.path("mysqld.sock")))
}

// LastLines implements anyServer.
func (m *mysqlServer) LastLines(n int) string {
	if m.process == nil {
		return ""
	}
	return m.process.LastLines(n)
}
