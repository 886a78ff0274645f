package walstream

import (
	"context"
	"fmt"
	"strings"
)

// readable makes sure that a snapshot, where the file asks for one, may read every row of every table. The stream
// needs no such right.
func (h *session) readable(ctx context.Context) error {
	if h.cfg.Source.Snapshot == "no_data" {
		return nil
	}
	tables, err := h.tableStates(ctx, h.ask)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := h.tableReadable(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// snapshotPossible looks ahead before there is a slot, which holds the log.
func (h *session) snapshotPossible(ctx context.Context) error {
	if err := h.readable(ctx); err != nil || h.cfg.Source.Snapshot == "no_data" {
		return err
	}
	for _, text := range h.cfg.Source.Tables {
		t := parseTable(text)
		key, err := h.primaryKey(ctx, t)
		if err == nil && len(key) == 0 {
			err = h.withoutKey(ctx, t, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *session) tableReadable(ctx context.Context, t tableState) error {
	r, err := queryOne(ctx, h.cat, `SELECT has_schema_privilege(c.relnamespace, 'USAGE'), row_security_active(c.oid),
		(SELECT bool_and(has_column_privilege(c.oid, a.attnum, 'SELECT')) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
		FROM pg_class c WHERE c.oid = `+t.oid)
	if err != nil {
		return transient("pg.connection", "look whether %s may be read: %w", t, plain(err))
	}
	const orNot = "; or set source.snapshot to no_data"
	role := quoteIdent(h.cfg.Source.User)
	var grants []string
	if !r.bool(0) {
		grants = append(grants, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", quoteIdent(t.schema), role))
	}
	if !r.bool(2) {
		grants = append(grants, fmt.Sprintf("GRANT SELECT ON %s TO %s", t.sql(), role))
	}
	schemas, err := h.orderSchemas(ctx, t)
	if err != nil {
		return err
	}
	for _, s := range schemas {
		if !s.bool(1) {
			grants = append(grants, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", quoteIdent(s[0]), role))
		}
	}
	switch {
	case len(grants) > 0:
		return environment("pg.permission", "run as the table's owner: "+strings.Join(grants, "; ")+orNot, "snapshot of %s: role %s may not read it", t, h.cfg.Source.User)
	case r.bool(1):
		return environment("pg.permission", "run as a superuser: ALTER ROLE "+role+" BYPASSRLS"+orNot, "snapshot of %s: row security may hide rows from role %s", t, h.cfg.Source.User)
	}
	return nil
}

// orderSchemas returns the schemas of the operators by which a table's primary key is in order, where those are not the
// server's own but an extension's, and whether we may use them: ORDER BY finds them by itself, a comparison by search_path,
// and where that doesn't lead to them it may take those of text.
func (h *session) orderSchemas(ctx context.Context, t tableState) ([]row, error) {
	rows, err := query(ctx, h.cat, `WITH RECURSIVE k(type) AS (
			SELECT a.atttypid FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND `+inKey+` WHERE i.indisprimary AND i.indrelid = `+t.oid+`
			UNION SELECT d.typbasetype FROM k JOIN pg_type d ON d.oid = k.type WHERE d.typtype = 'd')
		SELECT DISTINCT n.nspname, has_schema_privilege(n.oid, 'USAGE') FROM k JOIN pg_opclass c ON c.opcintype = k.type AND c.opcdefault
		JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree' JOIN pg_amop g ON g.amopfamily = c.opcfamily AND g.amoplefttype = k.type AND g.amoprighttype = k.type AND g.amopstrategy = 5
		JOIN pg_operator o ON o.oid = g.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE n.nspname <> 'pg_catalog' ORDER BY 1`)
	if err != nil {
		return nil, transient("pg.connection", "look at the order of %s: %w", t, plain(err))
	}
	return rows, nil
}
