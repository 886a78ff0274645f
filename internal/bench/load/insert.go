package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Columns of the table, in the order of the statements below.
const columns = "aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload"

// PostgresTable is the statement that makes a table for a shape.
func PostgresTable(table string, s *Shape) string {
	id := map[string]string{"text": "text", "uuid": "uuid", "binary": "bytea"}[s.ID]
	return fmt.Sprintf("CREATE TABLE %s (id %s PRIMARY KEY, %s jsonb)", table, id, columns)
}

// MySQLTable is the same for MySQL and MariaDB.
func MySQLTable(table string, s *Shape) string {
	id := map[string]string{"text": "varchar(64)", "uuid": "varchar(36)", "binary": "binary(16)"}[s.ID]
	return fmt.Sprintf("CREATE TABLE %s (id %s PRIMARY KEY, %s json) CHARACTER SET utf8mb4", table, id, columns)
}

// PostgresRow is the row whose number and document are SQL expressions.
func PostgresRow(s *Shape, n, text string) string {
	uuid := "'10711fa5-0000-4000-8000-'||lpad(to_hex(" + n + "), 12, '0')"
	id := map[string]string{"uuid": "(" + uuid + ")::uuid", "binary": "decode(replace(" + uuid + ", '-', ''), 'hex')", "text": "'event-'||lpad((" + n + ")::text, 10, '0')"}[s.ID]
	return fmt.Sprintf(`%s, 't'||(%s %% %d), 'key-'||(%[2]s %% %[4]d), 'created', ('{"seq": '||%[2]s||', "text": "'||%[5]s||'"}')::jsonb`, id, n, s.Topics, Keys, text)
}

// MySQLRow is the same for MySQL and MariaDB.
func MySQLRow(s *Shape, n, text string) string {
	uuid := "concat('10711fa5-0000-4000-8000-', lower(lpad(hex(" + n + "), 12, '0')))"
	id := map[string]string{"uuid": uuid, "binary": "unhex(replace(" + uuid + ", '-', ''))", "text": "concat('event-', lpad(" + n + ", 10, '0'))"}[s.ID]
	return fmt.Sprintf(`%s, concat('t', (%s) %% %d), concat('key-', (%[2]s) %% %[4]d), 'created', concat('{"seq": ', %[2]s, ', "text": "', %[5]s, '"}')`, id, n, s.Topics, Keys, text)
}

// PostgresInserter writes into a table over a connection.
func PostgresInserter(conn *pgx.Conn, table string, s *Shape) Inserter {
	texts := s.Texts()
	statement := "INSERT INTO " + table + " SELECT " + PostgresRow(s, "n", "d") + " FROM unnest($1::bigint[], $2::text[]) AS r(n, d)"
	return func(ctx context.Context, rows []int) error {
		documents := make([]string, len(rows))
		for i, row := range rows {
			documents[i] = texts[row%len(texts)]
		}
		_, err := conn.Exec(ctx, statement, rows, documents)
		return err
	}
}

// MySQLInserter writes into a table by whatever driver runs a statement.
func MySQLInserter(exec func(ctx context.Context, statement string, args ...any) error, table string, s *Shape) Inserter {
	texts := s.Texts()
	return func(ctx context.Context, rows []int) error {
		var values []string
		var args []any
		for _, row := range rows {
			values = append(values, "("+MySQLRow(s, fmt.Sprint(row), "?")+")")
			args = append(args, texts[row%len(texts)])
		}
		return exec(ctx, "INSERT INTO "+table+" VALUES "+strings.Join(values, ","), args...)
	}
}
