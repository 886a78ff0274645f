package walstream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"outferry/outbox"
)

// tableState is what the catalog says about one table of the file.
type tableState struct {
	tableName
	oid      string
	identity bool // it and its partitions have a replica identity, so its updates can be published
}

// identified holds for a table c by which the server lets an UPDATE pass while updates are published. It goes by the
// partition that has the row. Since PostgreSQL 18 an identity with generated columns is none, unless they are published.
const identified = `(c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
	AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END))
	AND (current_setting('server_version_num')::int < 180000 OR NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
	AND (c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND ` + inKey + `
	AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END))))`

// tableStates looks the file's tables up, and says what makes one of them no outbox.
func (s *Source) tableStates(ctx context.Context, ask querier) ([]tableState, error) {
	var out []tableState
	for _, text := range s.cfg.Source.Tables {
		t := parseTable(text)
		rows, err := ask(ctx, fmt.Sprintf(`SELECT c.oid, c.relkind, c.relpersistence, `+identified+`
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s`, quoteLiteral(t.schema), quoteLiteral(t.name)))
		if err != nil {
			return nil, transient("pg.connection", "look for table %s: %w", t, plain(err))
		}
		if len(rows) == 0 {
			return nil, s.tableMissing(ctx, ask, t)
		}
		r := rows[0]
		switch {
		case r[1] != "r" && r[1] != "p":
			return nil, environment("pg.table_kind", "name an ordinary or partitioned table in source.tables", "%s is not a table (relkind %s)", t, r[1])
		case r[2] != "p":
			return nil, environment("pg.table_unlogged", fmt.Sprintf("ALTER TABLE %s SET LOGGED", t.sql()), "%s is not logged: its rows are not in the WAL", t)
		}
		below, err := s.descendants(ctx, ask, t, r[0], r[1] == "p")
		if err != nil {
			return nil, err
		}
		out = append(out, tableState{tableName: t, oid: r[0], identity: r.bool(3) && below})
	}
	return out, nil
}

// descendants checks the partitions of a table, or the tables that inherit from it: rows of those are rows of the table for
// a SELECT, and not for the stream. It reports whether all of them are identified.
func (s *Source) descendants(ctx context.Context, ask querier, t tableName, oid string, partitioned bool) (identity bool, err error) {
	rows, err := ask(ctx, `WITH RECURSIVE below AS (SELECT inhrelid, inhparent FROM pg_inherits WHERE inhparent = `+oid+`
		UNION SELECT i.inhrelid, i.inhparent FROM pg_inherits i JOIN below b ON i.inhparent = b.inhrelid)
		SELECT n.nspname, c.relname, c.relkind, c.relpersistence, pn.nspname, p.relname, current_setting('server_version_num')::int >= 150000, `+identified+`
		FROM below b JOIN pg_class c ON c.oid = b.inhrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_class p ON p.oid = b.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace ORDER BY 1, 2`)
	if err != nil {
		return false, transient("pg.connection", "look for what belongs to table %s: %w", t, plain(err))
	}
	identity = true
	for _, r := range rows {
		child, parent := tableName{r[0], r[1]}, tableName{r[4], r[5]}
		switch {
		case !partitioned:
			return false, environment("pg.table_inherited", fmt.Sprintf("make %[1]s a partitioned table; or ALTER TABLE %[2]s NO INHERIT %[1]s, and name %[2]s in source.tables if it is an outbox too", t.sql(), child.sql()),
				"table %s inherits from %s: its rows are not in the stream of that", child, t)
		case r.bool(6) && s.names(child): // a publication of older servers may have both
			return false, environment("pg.table_kind", fmt.Sprintf("take %s out of source.tables: its rows come as rows of %s", child, t), "%s is a partition of %s, and source.tables names both", child, t)
		case r[2] == "f":
			return false, environment("pg.table_kind", fmt.Sprintf("ALTER TABLE %s DETACH PARTITION %s", parent.sql(), child.sql()), "%s, a partition of %s, is a foreign table: its rows are not in the WAL of this server", child, t)
		case r[2] == "r" && r[3] != "p":
			return false, environment("pg.table_unlogged", fmt.Sprintf("ALTER TABLE %s SET LOGGED", child.sql()), "%s, a partition of %s, is not logged: its rows are not in the WAL", child, t)
		}
		identity = identity && r.bool(7)
	}
	return identity, nil
}

// names reports whether the file names a table.
func (s *Source) names(t tableName) bool {
	return slices.ContainsFunc(s.cfg.Source.Tables, func(text string) bool { return parseTable(text) == t })
}

func (s *Source) tableMissing(ctx context.Context, ask querier, t tableName) error {
	f := &outbox.Fault{Code: "pg.table_missing", Class: outbox.Transient, Err: fmt.Errorf("table %s does not exist in database %s", t, s.cfg.Source.Database),
		Remedy: "waiting for it; create it, or correct source.tables"}
	rows, err := ask(ctx, `SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
		AND (c.relname ILIKE '%outbox%' OR lower(c.relname) = lower(`+quoteLiteral(t.name)+`)) ORDER BY 1 LIMIT 5`)
	if err == nil && len(rows) > 0 {
		var near []string
		for _, r := range rows {
			near = append(near, r[0])
		}
		f.Remedy += "; near names: " + strings.Join(near, ", ")
	}
	return f
}

// own takes the tables that were ours at the position, by OID: rows of one under another name are no rows of somebody
// else. What the position does not say, the catalog does, except of tables that the file names anew.
func (h *session) own(pos *position) {
	known := pos.Tables
	if !pos.Published.isOf(h.cfg.Source.Tables) {
		pos.Anchor = nil // it is of other tables
	}
	pos.Tables = tables{}
	for name, now := range h.oids {
		_, published := pos.Published[name]
		if oids, ok := known[name]; ok {
			pos.Tables[name] = oids
		} else if published || pos.Published == nil {
			pos.Tables.take(name, now)
		}
	}
	if known != nil {
		maps.Copy(known, pos.Tables)
		outbox.WarnOfTables(h.log.Warn, slices.Sorted(maps.Keys(h.oids)), slices.Sorted(maps.Keys(known)), pos.LSN.String())
	}
	h.tables = pos.Tables
	for _, oids := range pos.Tables {
		h.ownOIDs = append(h.ownOIDs, oids...)
	}
}

// notNull holds for a column a that has no NULLs. A constraint that is NOT VALID (since PostgreSQL 18) leaves older ones.
const notNull = `a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conrelid = a.attrelid AND n.contype = 'n' AND n.conkey = ARRAY[a.attnum] AND NOT n.convalidated)`

// describe turns an announced relation into a table, or nil where it is not one of ours. Names, types, modifiers and
// order are the announcement's, true for the rows that follow; the catalog, whose table may be another by now, says
// what those types are, and adds NOT NULL where the column still has its type.
func (h *session) describe(ctx context.Context, m relationMessage) (*outbox.Table, error) {
	if !h.names(tableName{m.schema, m.name}) {
		if slices.Contains(h.ownOIDs, m.oid) {
			return nil, errRenamed
		}
		return nil, nil
	}
	h.ownOIDs = append(h.ownOIDs, m.oid)
	h.tables.take(tableName{m.schema, m.name}.String(), m.oid)
	t := &outbox.Table{Schema: m.schema, Name: m.name}
	if len(m.columns) == 0 {
		return t, nil
	}
	var announced []string
	for i, c := range m.columns {
		announced = append(announced, fmt.Sprintf("(%d, %s, %d::oid, %d)", i, quoteLiteral(c.name), c.oid, c.mod))
	}
	var err error
	t.Columns, err = columns(ctx, h.ask, t, fmt.Sprintf(`SELECT v.place, v.name, v.type, v.mod, coalesce(`+notNull+`, false) FROM (VALUES %s) v(place, name, type, mod)
		LEFT JOIN pg_attribute a ON a.attrelid = %d AND a.attname = v.name AND a.atttypid = v.type AND a.attnum > 0 AND NOT a.attisdropped`, strings.Join(announced, ", "), m.oid))
	return t, err
}

// tableOf describes a table as the catalog has it now, with the columns that the log has.
func tableOf(ctx context.Context, ask querier, t tableState) (*outbox.Table, error) {
	out := &outbox.Table{Schema: t.schema, Name: t.name}
	rows, err := ask(ctx, `SELECT attname FROM pg_attribute WHERE attrelid = `+t.oid+` AND attnum > 0 AND NOT attisdropped AND attgenerated <> '' ORDER BY attnum`)
	if err != nil {
		return nil, transient("pg.connection", "read the generated columns of table %s: %w", t, plain(err))
	}
	for _, r := range rows {
		out.Generated = append(out.Generated, r[0])
	}
	out.Columns, err = columns(ctx, ask, out, `SELECT attnum, attname, atttypid, atttypmod, `+notNull+` FROM pg_attribute a
		WHERE attrelid = `+t.oid+` AND attnum > 0 AND NOT attisdropped AND attgenerated = ''`)
	return out, err
}

// columns describes columns of which the query from tells place, name, type, modifier and NOT NULL. A domain is what lies
// below it, however many domains there are in between. An array is described by its elements, which may be of a domain too.
func columns(ctx context.Context, ask querier, t *outbox.Table, from string) ([]outbox.Column, error) {
	rows, err := ask(ctx, `WITH RECURSIVE c(place, name, type, mod, needed) AS (`+from+`), b(place, type, mod, needed) AS (
			SELECT place, type, mod, needed FROM c
			UNION ALL SELECT b.place, d.typbasetype, d.typtypmod, b.needed OR d.typnotnull FROM b JOIN pg_type d ON d.oid = b.type WHERE d.typtype = 'd'),
		e(place, type, mod) AS (
			SELECT b.place, m.oid, b.mod FROM b JOIN pg_type t ON t.oid = b.type JOIN pg_type m ON m.oid = t.typelem AND m.typarray = t.oid
			UNION ALL SELECT e.place, d.typbasetype, d.typtypmod FROM e JOIN pg_type d ON d.oid = e.type WHERE d.typtype = 'd')
		SELECT c.name, coalesce(e.type, b.type), coalesce(e.mod, b.mod), b.needed, format_type(c.type, c.mod), coalesce(m.typtype, t.typtype, ''), e.place IS NOT NULL,
		coalesce((SELECT string_agg(l.enumlabel, chr(31) ORDER BY l.enumsortorder) FROM pg_enum l WHERE l.enumtypid = coalesce(e.type, b.type)), ''), coalesce(m.typdelim, ',')
		FROM c JOIN b ON b.place = c.place LEFT JOIN pg_type t ON t.oid = b.type LEFT JOIN (e JOIN pg_type m ON m.oid = e.type AND m.typtype <> 'd') ON e.place = c.place
		WHERE t.typtype IS DISTINCT FROM 'd' ORDER BY c.place`)
	if err != nil {
		return nil, transient("pg.connection", "read the columns of table %s: %w", t, plain(err))
	}
	out := make([]outbox.Column, len(rows))
	for i, r := range rows {
		c := builtin(r[0], uint32(r.int(1)), int32(r.int(2)))
		if r[5] == "e" {
			c.Kind, c.Labels = outbox.Enum, strings.Split(r[7], "\x1f")
		}
		if r.bool(6) {
			c = listOf(c)
			c.Delimiter = r[8][0]
		}
		c.Nullable, c.TypeName = !r.bool(3), r[4]
		out[i] = c
	}
	return out, nil
}
