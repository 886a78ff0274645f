package binlog

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"outferry/outbox"
)

// server is who answered, and how it writes its log.
type server struct {
	kind     kind
	version  string
	account  string // ours, as the server writes it in a GRANT
	uuid     string
	vars     map[string]string // in lower case
	charsets charsets
}

func askServer(c *client.Conn) (*server, error) {
	who, err := queryOne(c, "SELECT VERSION(), CURRENT_USER()")
	if err != nil {
		return nil, transient("mysql.connection", "ask for the server's version: %w", err)
	}
	s := &server{kind: mysqlKind, version: who[0], account: accountOf(who[1])}
	if strings.Contains(strings.ToLower(s.version), "mariadb") {
		s.kind = mariaKind
	}
	if err := s.readVariables(c); err != nil {
		return nil, err
	}
	s.uuid = s.vars["server_uuid"]
	if s.kind == mariaKind {
		s.uuid = s.vars["server_uid"]
	}
	return s, nil
}

// id is the server_id of MariaDB. MySQL's UUID needs no second name.
func (s *server) id() string {
	if s.kind == mariaKind {
		return s.vars["server_id"]
	}
	return ""
}

// accountOf quotes what CURRENT_USER() says. A user's name may have an @, a host's has none.
func accountOf(current string) string {
	at := strings.LastIndexByte(current, '@')
	if at < 0 {
		return quoteText(current)
	}
	return quoteText(current[:at]) + "@" + quoteText(current[at+1:])
}

func (s *server) readVariables(c *client.Conn) error {
	rows, err := query(c, `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_format', 'binlog_row_image', 'binlog_row_metadata',
		'gtid_mode', 'server_uuid', 'server_uid', 'server_id', 'lower_case_table_names', 'log_slave_updates', 'log_replica_updates', 'sync_binlog', 'gtid_strict_mode',
		'binlog_expire_logs_seconds', 'expire_logs_days')`)
	if err != nil {
		return transient("mysql.connection", "ask for the server's settings: %w", err)
	}
	s.vars = map[string]string{}
	for _, r := range rows {
		s.vars[strings.ToLower(r[0])] = r[1]
	}
	return nil
}

// readCharsets asks which character set each collation number means on this server.
func (s *server) readCharsets(c *client.Conn) error {
	sql := "SELECT c.ID, c.CHARACTER_SET_NAME, s.MAXLEN FROM information_schema.COLLATIONS c JOIN information_schema.CHARACTER_SETS s USING (CHARACTER_SET_NAME)"
	if s.kind == mariaKind { // its newer collations have a number for each character set
		sql = "SELECT c.ID, c.CHARACTER_SET_NAME, s.MAXLEN FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY c JOIN information_schema.CHARACTER_SETS s USING (CHARACTER_SET_NAME)"
	}
	rows, err := query(c, sql)
	if err != nil {
		return transient("mysql.connection", "ask for the server's character sets: %w", err)
	}
	s.charsets = charsets{}
	for _, r := range rows {
		s.charsets[int(r.int(0))] = charset{r[1], int(r.int(2))}
	}
	return nil
}

// logUpdates is the variable by which a replica logs what it replicates. MySQL 8.0.26 renamed it.
func (s *server) logUpdates() string {
	if _, ok := s.vars["log_replica_updates"]; ok {
		return "log_replica_updates"
	}
	return "log_slave_updates"
}

func (s *server) logs() bool { return s.vars["log_bin"] == "ON" }

// byGTID reports whether the server numbers every transaction.
func (s *server) byGTID() bool { return s.kind == mariaKind || s.vars["gtid_mode"] == "ON" }

// logKept is how long the server keeps its log; 0 is for ever.
func (s *server) logKept() time.Duration {
	if seconds, err := strconv.ParseInt(s.vars["binlog_expire_logs_seconds"], 10, 64); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	days, err := strconv.ParseFloat(s.vars["expire_logs_days"], 64)
	if err != nil {
		return 0
	}
	return time.Duration(days * 24 * float64(time.Hour))
}

func queryOne(c *client.Conn, sql string) (row, error) {
	rows, err := query(c, sql)
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("%d rows in the answer, want 1", len(rows))
	}
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// logEnd is where the server's log ends, and which schemas it leaves out.
type logEnd struct {
	place
	only, without []string // binlog_do_db, binlog_ignore_db
}

// logStatus asks under both names of the statement: MySQL 8.4 dropped the old one.
func logStatus(c *client.Conn, s *server) (logEnd, error) {
	sql := "SHOW MASTER STATUS"
	if s.kind == mysqlKind && !olderThan(s.version, 8, 2) {
		sql = "SHOW BINARY LOG STATUS"
	}
	rows, err := query(c, sql)
	switch {
	case errorCode(err) == 1227:
		return logEnd{}, err
	case err != nil:
		return logEnd{}, transient("mysql.connection", "ask for the end of the log: %w", err)
	case len(rows) == 0 || len(rows[0]) < 4:
		return logEnd{}, environment("mysql.log_bin", "set log_bin in the server's configuration and restart it", "the server writes no binary log")
	}
	r := rows[0]
	return logEnd{place{r[0], uint64(r.int(1))}, splitList(r[2]), splitList(r[3])}, nil
}

func splitList(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

func olderThan(version string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(version, "%d.%d", &a, &b); err != nil {
		return false
	}
	return a < major || a == major && b < minor
}

// tableName is one table of the file.
type tableName struct{ schema, name string }

func (t tableName) String() string { return t.schema + "." + t.name }
func (t tableName) sql() string    { return quoteName(t.schema) + "." + quoteName(t.name) }

// folds reports whether the server stores names as they are written and compares them in lower case.
func (s *server) folds() bool { return s.vars["lower_case_table_names"] == "2" }

// key is a table's name as names are compared.
func (s *server) key(table string) string {
	if s.folds() {
		return strings.ToLower(table)
	}
	return table
}

// tables are the file's tables, as the server writes their names.
func (s *Source) tables(srv *server) []tableName {
	var out []tableName
	for _, text := range s.cfg.Source.Tables {
		schema, name, ok := strings.Cut(text, ".")
		if !ok {
			schema, name = s.cfg.Source.Database, text
		}
		if srv.vars["lower_case_table_names"] == "1" {
			schema, name = strings.ToLower(schema), strings.ToLower(name)
		}
		out = append(out, tableName{schema, name})
	}
	return out
}

// columnsOf reads a table's columns from the catalog.
func columnsOf(c *client.Conn, t tableName) ([]catalogColumn, error) {
	rows, err := query(c, fmt.Sprintf(`SELECT COLUMN_NAME, LOWER(DATA_TYPE), COLUMN_TYPE, COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, ''), IS_NULLABLE
		FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION`, quoteText(t.schema), quoteText(t.name)))
	if err != nil {
		return nil, transient("mysql.connection", "read the columns of %s: %w", t, err)
	}
	out := make([]catalogColumn, len(rows))
	for i, r := range rows {
		out[i] = catalogColumn{name: r[0], dataType: r[1], columnType: r[2], charset: r[3], collation: r[4], nullable: r[5] == "YES"}
	}
	return out, nil
}

// checkTable says what makes a table no outbox.
func (s *Source) checkTable(c *client.Conn, srv *server, t tableName) error {
	rows, err := query(c, fmt.Sprintf(`SELECT t.TABLE_TYPE, COALESCE(t.ENGINE, ''), COALESCE(e.TRANSACTIONS, '') FROM information_schema.TABLES t
		LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = %s AND t.TABLE_NAME = %s`, quoteText(t.schema), quoteText(t.name)))
	if err != nil {
		return transient("mysql.connection", "look for table %s: %w", t, err)
	}
	if len(rows) == 0 {
		return s.tableMissing(c, srv, t)
	}
	kind, engine, transactions := rows[0][0], rows[0][1], rows[0][2]
	switch {
	case kind != "BASE TABLE":
		return environment("mysql.table_kind", "name an ordinary table in source.tables", "%s is no ordinary table: the server calls it %s", t, kind)
	case transactions != "YES" && engine != "BLACKHOLE":
		return environment("mysql.engine", fmt.Sprintf("ALTER TABLE %s ENGINE = InnoDB", t.sql()),
			"%s has the engine %s, whose rows survive a rollback", t, engine)
	}
	return nil
}

func (s *Source) tableMissing(c *client.Conn, srv *server, t tableName) error {
	f := &outbox.Fault{Code: "mysql.table_missing", Class: outbox.Transient,
		Err:    fmt.Errorf("table %s does not exist, or account %s may not see it", t, srv.account),
		Remedy: fmt.Sprintf("waiting for it: create it if it is not there, then run GRANT SELECT ON %s TO %s; or correct source.tables", t.sql(), srv.account)}
	rows, err := query(c, fmt.Sprintf(`SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'
		AND (TABLE_NAME LIKE '%%outbox%%' OR LOWER(TABLE_NAME) = LOWER(%s)) ORDER BY 1 LIMIT 5`, quoteText(t.name)))
	if err == nil && len(rows) > 0 {
		var near []string
		for _, r := range rows {
			near = append(near, r[0])
		}
		f.Remedy += "; near names: " + strings.Join(near, ", ")
	}
	return f
}
