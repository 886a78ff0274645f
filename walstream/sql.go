package walstream

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// quoteIdent quotes a name for SQL text. Every name that reaches SQL goes through it.
func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteLiteral quotes a text for SQL, whatever standard_conforming_strings says.
func quoteLiteral(s string) string {
	s = strings.ReplaceAll(s, `'`, `''`)
	if strings.Contains(s, `\`) {
		return ` E'` + strings.ReplaceAll(s, `\`, `\\`) + `'`
	}
	return `'` + s + `'`
}

// tableName is schema.table of a pipeline file, taken apart.
type tableName struct{ schema, name string }

func (t tableName) String() string { return t.schema + "." + t.name }
func (t tableName) sql() string    { return quoteIdent(t.schema) + "." + quoteIdent(t.name) }

func parseTable(s string) tableName {
	if schema, name, ok := strings.Cut(s, "."); ok {
		return tableName{schema, name}
	}
	return tableName{"public", s}
}

// row is one row of a query's result, as text; a NULL is "".
type row []string

func (r row) bool(i int) bool { return r[i] == "t" }
func (r row) int(i int) int64 {
	n, err := strconv.ParseInt(r[i], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
func (r row) lsn(i int) lsn {
	var l lsn
	if l.UnmarshalText([]byte(r[i])) != nil {
		return 0
	}
	return l
}

// query runs one statement without parameters and returns its rows.
func query(ctx context.Context, c *pgconn.PgConn, sql string) ([]row, error) {
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, res := range results {
		for _, values := range res.Rows {
			r := make(row, len(values))
			for i, v := range values {
				r[i] = string(v)
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// queryOne is query for exactly one row.
func queryOne(ctx context.Context, c *pgconn.PgConn, sql string) (row, error) {
	rows, err := query(ctx, c, sql)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("want one row, got %d", len(rows))
	}
	return rows[0], nil
}

// exec runs a statement whose rows don't matter.
func exec(ctx context.Context, c *pgconn.PgConn, sql string) error {
	_, err := query(ctx, c, sql)
	return err
}
