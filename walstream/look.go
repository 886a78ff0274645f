package walstream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"outferry/outbox"
)

// Look asks the server whether the pipeline could run, without a trace on it: Busy while somebody else reads
// the slot, Transient for what comes by itself, Environment for what a person must set. It returns the
// tables as they are now.
func (s *Source) Look(ctx context.Context) ([]*outbox.Table, error) {
	c, err := s.connect(ctx, false)
	if err != nil {
		return nil, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.Close(ctx)
	}()
	ask := func(ctx context.Context, sql string) ([]row, error) { return query(ctx, c, sql) }
	version, err := s.lookAtServer(ctx, c)
	if err != nil {
		return nil, err
	}
	slot, err := s.slotState(ctx, ask, version)
	if err != nil {
		return nil, err
	}
	if slot != nil && slot.activePID != 0 {
		return nil, &outbox.Fault{Code: "pg.slot_busy", Class: outbox.Busy,
			Err: fmt.Errorf("slot %s is read by another connection (pid %d on the server)", s.cfg.Source.Postgres.Slot, slot.activePID)}
	}
	states, err := s.tableStates(ctx, ask)
	if err != nil {
		return nil, err
	}
	var tables []*outbox.Table
	for _, st := range states {
		t, err := tableOf(ctx, ask, st)
		if err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

func (s *Source) lookAtServer(ctx context.Context, c *pgconn.PgConn) (version int, err error) {
	r, err := queryOne(ctx, c, `SELECT current_setting('server_version_num'), current_setting('wal_level'), pg_is_in_recovery(),
		(SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) OR EXISTS
		(SELECT FROM pg_roles r WHERE r.rolname IN ('rds_replication', 'azure_pg_admin', 'cloudsqlsuperuser') AND pg_has_role(r.oid, 'member')), current_user`)
	if err != nil {
		return 0, transient("pg.connection", "look at the server: %w", plain(err))
	}
	version = int(r.int(0))
	switch {
	case version < 130000:
		return 0, environment("pg.version", "use PostgreSQL 13 or newer", "the server's version is %d", version)
	case r.bool(2):
		return 0, transient("pg.standby", "the server is a standby: waiting for its promotion, or for source.url to lead to the primary")
	case r[1] != "logical":
		return 0, environment("pg.wal_level", "ALTER SYSTEM SET wal_level = logical, then restart the server", "wal_level is %s", r[1])
	case !r.bool(3) && r[4] != s.cfg.Source.User:
		return 0, environment("pg.permission", "run as a superuser: "+s.resetRole(ctx, c), "role %s may not replicate: the server makes it of %s at each login, by a default for role", r[4], s.cfg.Source.User)
	case !r.bool(3):
		return 0, environment("pg.permission", fmt.Sprintf("run as a superuser: ALTER ROLE %s WITH REPLICATION", quoteIdent(s.cfg.Source.User)), "role %s may not replicate", s.cfg.Source.User)
	}
	return version, nil
}

// resetRole is what takes away the default by which we are not the role that logged in.
func (s *Source) resetRole(ctx context.Context, c *pgconn.PgConn) string {
	role, database := quoteIdent(s.cfg.Source.User), quoteIdent(s.cfg.Source.Database)
	rows, err := query(ctx, c, `SELECT setrole <> 0, setdatabase <> 0 FROM pg_db_role_setting WHERE setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
		AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())) AND EXISTS (SELECT FROM unnest(setconfig) e WHERE e LIKE 'role=%')`)
	var sql []string
	for _, r := range rows {
		switch {
		case r.bool(0) && r.bool(1):
			sql = append(sql, "ALTER ROLE "+role+" IN DATABASE "+database+" RESET role")
		case r.bool(0):
			sql = append(sql, "ALTER ROLE "+role+" RESET role")
		case r.bool(1):
			sql = append(sql, "ALTER DATABASE "+database+" RESET role")
		default:
			sql = append(sql, "ALTER ROLE ALL RESET role")
		}
	}
	if err != nil || len(sql) == 0 {
		return "RESET role, of the database or of " + role
	}
	return strings.Join(sql, "; ")
}
