package binlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"

	"outferry/outbox"
)

// preflight says all that stands in the way of a pipeline at once.
func (s *Source) preflight(ctx context.Context, c *client.Conn, srv *server) error {
	if srv.kind == mysqlKind && olderThan(srv.version, 8, 0) || srv.kind == mariaKind && olderThan(srv.version, 10, 5) {
		return environment("mysql.version", "use MySQL 8.0, MariaDB 10.5 or newer", "the server's version is %s", srv.version)
	}
	var w inTheWay
	w.add(s.lookForTwice(srv))
	s.lookAtSettings(&w, srv)
	w.add(s.lookAtLog(c, srv))
	w.add(s.lookAtGrant(ctx, c, srv))
	if srv.logs() {
		w.add(s.lookAtReplication(c, srv))
	}
	for _, t := range s.tables(srv) {
		w.add(s.checkTable(c, srv, t))
	}
	return w.fault()
}

// inTheWay is what a person must mend, or what keeps us from seeing it.
type inTheWay struct {
	faults []*outbox.Fault
	err    error
}

func (w *inTheWay) add(err error) {
	var f *outbox.Fault
	switch {
	case err == nil, w.err != nil:
	case errors.As(err, &f) && (f.Class == outbox.Environment || f.Code == "mysql.table_missing"):
		w.faults = append(w.faults, f)
	default:
		w.err = err
	}
}

// fault is the first one, with the others behind its remedy. A table that is not there yet is worth waiting for, but not
// if something else is wrong.
func (w *inTheWay) fault() error {
	if w.err != nil || len(w.faults) == 0 {
		return w.err
	}
	slices.SortStableFunc(w.faults, func(a, b *outbox.Fault) int { return int(b.Class) - int(a.Class) })
	all := *w.faults[0]
	for _, f := range w.faults[1:] {
		all.Remedy += "; also: " + f.Error()
	}
	return &all
}

// lookForTwice: names that differ in their case only are one table's, unless the server tells them apart.
func (s *Source) lookForTwice(srv *server) error {
	folds := srv.vars["lower_case_table_names"]
	if folds == "0" {
		return nil
	}
	seen := map[string]string{}
	for i, t := range s.tables(srv) {
		folded, written := strings.ToLower(t.String()), s.cfg.Source.Tables[i]
		if first, ok := seen[folded]; ok {
			return environment("mysql.table_twice", "keep one of them in source.tables", "%s and %s of source.tables are one table: lower_case_table_names is %s", first, written, folds)
		}
		seen[folded] = written
	}
	return nil
}

func (s *Source) lookAtSettings(w *inTheWay, srv *server) {
	v := srv.vars
	if !srv.logs() {
		w.add(environment("mysql.log_bin", "set log_bin in the server's configuration and restart it", "the server writes no binary log"))
	}
	if f := v["binlog_format"]; f != "" && f != "ROW" {
		w.add(environment("mysql.binlog_format", "SET GLOBAL binlog_format = ROW, and in the server's configuration; sessions that are open keep the old value", "binlog_format is %s", f))
	}
	if i := v["binlog_row_image"]; i != "" && !strings.HasPrefix(i, "FULL") {
		w.add(environment("mysql.row_image", "SET GLOBAL binlog_row_image = FULL, and in the server's configuration; sessions that are open keep the old value", "binlog_row_image is %s", i))
	}
	if srv.kind == mysqlKind && v["server_id"] == "0" { // MariaDB sends its log all the same
		w.add(environment("mysql.server_id", "SET GLOBAL server_id = 1, or another number that no server and no replica has, and in the server's configuration", "server_id is 0, with which the server sends nobody its log"))
	}
	if s.set.position == "gtid" && !srv.byGTID() {
		w.add(environment("mysql.gtid_off", "turn gtid_mode on, or set source.mysql.position to auto", "source.mysql.position is gtid and gtid_mode is %s", v["gtid_mode"]))
	}
}

// lookAtLog: the end of the log can only be asked for with a right that we need anyway.
func (s *Source) lookAtLog(c *client.Conn, srv *server) error {
	end, err := logStatus(c, srv)
	if isDenied(err) {
		return s.missing(clientGrant(srv), srv, err)
	}
	if err != nil && srv.logs() {
		return err
	}
	for _, t := range s.tables(srv) {
		if len(end.only) > 0 && !slices.Contains(end.only, t.schema) || slices.Contains(end.without, t.schema) {
			return environment("mysql.binlog_filtered", "take schema "+t.schema+" out of binlog_ignore_db, or put it into binlog_do_db, and restart the server",
				"the server leaves schema %q out of its log", t.schema)
		}
	}
	return nil
}

// lookAtGrant: SHOW GRANTS speaks of the active roles too. What it doesn't show is tried before it counts as missing.
func (s *Source) lookAtGrant(ctx context.Context, c *client.Conn, srv *server) error {
	rows, err := query(c, "SHOW GRANTS")
	if err != nil || slices.ContainsFunc(rows, func(r row) bool { return grantsReplication(r[0]) }) {
		return nil // the log itself will tell
	}
	end, err := logStatus(c, srv)
	if isDenied(err) || !srv.logs() { // then nothing can be tried
		return s.missing("REPLICATION SLAVE", srv, errors.New("SHOW GRANTS has no REPLICATION SLAVE"))
	}
	if err != nil {
		return err
	}
	h := &session{Source: s, srv: srv, ctx: ctx}
	if _, err = h.fileCreated(end.file); errors.Is(err, errNotSeen) {
		err = nil
	}
	return err
}

func grantsReplication(line string) bool {
	rights, on, ok := strings.Cut(strings.TrimPrefix(line, "GRANT "), " ON ")
	return ok && strings.HasPrefix(on, "*.*") && (rights == "ALL PRIVILEGES" || slices.Contains(strings.Split(rights, ", "), "REPLICATION SLAVE"))
}

func clientGrant(srv *server) string {
	if srv.kind == mariaKind {
		return "BINLOG MONITOR"
	}
	return "REPLICATION CLIENT"
}

func (s *Source) missing(grant string, srv *server, err error) error {
	return environment("mysql.permission", fmt.Sprintf("run as an administrator: GRANT %s ON *.* TO %s", grant, srv.account), "account %s may not read the log: %w", srv.account, err)
}

func isDenied(err error) bool {
	code := errorCode(err)
	return code == 1227 || code == 1142 || code == 1143 || code == 1045 || code == 1044
}

// denied turns the server's refusal into the statement that lifts it.
func (s *Source) denied(err error, srv *server) error {
	if f := (*outbox.Fault)(nil); errors.As(err, &f) || !isDenied(err) {
		return err
	}
	return s.missing("REPLICATION SLAVE, "+clientGrant(srv), srv, err)
}

// lookAtReplication: a replica that doesn't log what it replicates has no rows for us.
func (s *Source) lookAtReplication(c *client.Conn, srv *server) error {
	if srv.vars[srv.logUpdates()] != "OFF" {
		return nil
	}
	sql := "SHOW REPLICA STATUS"
	if srv.kind == mysqlKind && olderThan(srv.version, 8, 1) {
		sql = "SHOW SLAVE STATUS"
	}
	rows, err := query(c, sql)
	if isServerError(err) { // the account may not ask: what everybody may see speaks too
		rows, err = query(c, traces(srv))
	}
	switch {
	case err != nil && !isServerError(err):
		return transient("mysql.connection", "ask for the state of replication: %w", err)
	case len(rows) > 0:
		return environment("mysql.replica_without_log", "set "+srv.logUpdates()+" in the replica's configuration and restart it, or point source.url at its source",
			"the server is a replica and does not log what it replicates")
	}
	return nil
}

// traces selects a row where the server replicates, or has: without the right to ask for its state.
func traces(srv *server) string {
	if srv.kind == mariaKind {
		return "SELECT 1 FROM information_schema.global_status WHERE variable_name = 'SLAVES_RUNNING' AND variable_value > 0 OR @@gtid_slave_pos <> '' LIMIT 1"
	}
	return "SELECT 1 FROM performance_schema.replication_connection_configuration LIMIT 1"
}
