package binlog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"

	"outferry/outbox"
)

// Look asks the server whether the pipeline could run, without a trace on it: Busy while somebody else reads
// under our number, Transient for what comes by itself, Environment for what a person must set. It returns
// the tables as they are now.
func (s *Source) Look(ctx context.Context) ([]*outbox.Table, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer closing(ctx, c)()
	srv, err := askServer(c)
	if err != nil {
		return nil, err
	}
	if err := s.lookAtServer(c, srv); err != nil {
		return nil, err
	}
	if err := s.lookForOthers(c); err != nil {
		return nil, err
	}
	if err := srv.readCharsets(c); err != nil {
		return nil, err
	}
	var out []*outbox.Table
	for _, t := range s.tables(srv) {
		table, err := s.lookAtTable(c, srv, t)
		if err != nil {
			return nil, err
		}
		out = append(out, table)
	}
	return out, nil
}

func (s *Source) lookAtTable(c *client.Conn, srv *server, t tableName) (*outbox.Table, error) {
	if err := s.checkTable(c, t); err != nil {
		return nil, err
	}
	columns, err := columnsOf(c, t)
	if err != nil {
		return nil, err
	}
	return s.tableOf(srv, t, columns), nil
}

// lookAtServer checks what a log must be to be an outbox's, one fault with its remedy at a time.
func (s *Source) lookAtServer(c *client.Conn, srv *server) error {
	v := srv.vars
	switch {
	case srv.kind == mysqlKind && olderThan(srv.version, 8, 0), srv.kind == mariaKind && olderThan(srv.version, 10, 5):
		return environment("mysql.version", "use MySQL 8.0, MariaDB 10.5 or newer", "the server's version is %s", srv.version)
	case v["log_bin"] != "ON":
		return environment("mysql.log_bin", "set log_bin in the server's configuration and restart it", "the server writes no binary log")
	case v["binlog_format"] != "" && v["binlog_format"] != "ROW":
		return environment("mysql.binlog_format", "SET GLOBAL binlog_format = ROW, and in the server's configuration; sessions that are open keep the old value", "binlog_format is %s", v["binlog_format"])
	case v["binlog_row_image"] != "" && !strings.HasPrefix(v["binlog_row_image"], "FULL"):
		return environment("mysql.row_image", "SET GLOBAL binlog_row_image = FULL, and in the server's configuration; sessions that are open keep the old value", "binlog_row_image is %s", v["binlog_row_image"])
	case s.set.position == "gtid" && !srv.byGTID():
		return environment("mysql.gtid_off", "turn gtid_mode on, or set source.mysql.position to auto", "source.mysql.position is gtid and gtid_mode is %s", v["gtid_mode"])
	}
	if err := s.lookAtLog(c, srv); err != nil {
		return err
	}
	return s.lookAtReplication(c, srv)
}

// lookAtLog: the end of the log can only be asked for with the right that we need anyway.
func (s *Source) lookAtLog(c *client.Conn, srv *server) error {
	end, err := logStatus(c, srv)
	if err != nil {
		return s.denied(err, srv)
	}
	for _, t := range s.tables(srv) {
		if len(end.only) > 0 && !slices.Contains(end.only, t.schema) || slices.Contains(end.without, t.schema) {
			return environment("mysql.binlog_filtered", "take schema "+t.schema+" out of binlog_ignore_db, or put it into binlog_do_db, and restart the server",
				"the server leaves schema %q out of its log", t.schema)
		}
	}
	return nil
}

// denied turns the server's refusal into the statement that lifts it.
func (s *Source) denied(err error, srv *server) error {
	if code := errorCode(err); code != 1227 && code != 1142 && code != 1045 && code != 1044 {
		return err
	}
	grant := "REPLICATION SLAVE, REPLICATION CLIENT"
	if srv.kind == mariaKind {
		grant = "REPLICATION SLAVE, BINLOG MONITOR"
	}
	return environment("mysql.permission", fmt.Sprintf("run as an administrator: GRANT %s ON *.* TO the account %s", grant, s.cfg.Source.User),
		"account %s may not read the log: %w", s.cfg.Source.User, err)
}

// lookAtReplication: a replica that doesn't log what it replicates has no rows for us.
func (s *Source) lookAtReplication(c *client.Conn, srv *server) error {
	if srv.vars["log_slave_updates"] != "OFF" && srv.vars["log_replica_updates"] != "OFF" {
		return nil
	}
	sql := "SHOW REPLICA STATUS"
	if srv.kind == mysqlKind && olderThan(srv.version, 8, 1) {
		sql = "SHOW SLAVE STATUS"
	}
	rows, err := query(c, sql)
	if err != nil { // the account may not ask: what everybody may see speaks too
		rows, err = query(c, traces(srv))
	}
	if err == nil && len(rows) > 0 {
		return environment("mysql.replica_without_log", "set log_replica_updates in the replica's configuration and restart it, or point source.url at its source",
			"the server is a replica and does not log what it replicates")
	}
	return err
}

// traces selects a row where the server replicates, or has: without the right to ask for its state.
func traces(srv *server) string {
	if srv.kind == mariaKind {
		return "SELECT 1 FROM information_schema.global_status WHERE variable_name = 'SLAVES_RUNNING' AND variable_value > 0 OR @@gtid_slave_pos <> '' LIMIT 1"
	}
	return "SELECT 1 FROM performance_schema.replication_connection_configuration LIMIT 1"
}

// tableOf describes a table as the log would, as far as the catalog can say: for a look, and for snapshots.
func (s *Source) tableOf(srv *server, t tableName, columns []catalogColumn) *outbox.Table {
	out := &outbox.Table{Schema: t.schema, Name: t.name}
	for _, c := range columns {
		out.Columns = append(out.Columns, s.columnOf(srv, c))
	}
	return out
}
