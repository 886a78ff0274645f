package walstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// publicationState is what the publication publishes.
type publicationState struct {
	inserts bool
	updates bool
	more    string               // what it publishes beside inserts and updates: ", delete"
	root    bool                 // rows of partitions are those of their table
	tables  map[tableName]string // why the table's rows are not all published; "" when they are
	stamp   string               // another one after any change of the publication itself
	before  []string             // stamps before the last changes, where those were ours
	comment string
	stamps  map[tableName]string // another one when the table left it and came back
	schemas map[tableName]string // the same of tables that are in it by their schema
	oids    map[tableName]uint32 // of the tables
	ours    bool                 // of tables of the file alone, each by its name: of others nobody knows what their readers need, nor which will come
}

// operations is what it publishes, with inserts, and with updates or without.
func (s *publicationState) operations(updates bool) string {
	if updates {
		return "insert, update" + s.more
	}
	return "insert" + s.more
}

// publicationState returns nil when there is no publication of our name.
func (s *Source) publicationState(ctx context.Context, ask querier, version int) (*publicationState, error) {
	rows, err := ask(ctx, s.publicationSQL(version))
	if err != nil {
		return nil, transient("pg.connection", "look at publication %s: %w", s.cfg.Source.Postgres.Publication, plain(err))
	}
	if len(rows) == 0 {
		return nil, nil
	}
	state := &publicationState{inserts: rows[0].bool(0), ours: rows[0].bool(7), updates: rows[0].bool(2), more: rows[0][6], root: rows[0].bool(5), stamp: rows[0][1], tables: map[tableName]string{}, stamps: map[tableName]string{}, schemas: map[tableName]string{}, oids: map[tableName]uint32{}}
	comment, before, _ := strings.Cut(rows[0][3], ourChange)
	state.comment = strings.TrimSuffix(comment, "\n")
	if rows[0].bool(4) {
		state.before = strings.Fields(before)
	}
	rows, err = ask(ctx, s.membersSQL(version))
	if err != nil {
		return nil, transient("pg.connection", "look at publication %s: %w", s.cfg.Source.Postgres.Publication, plain(err))
	}
	for _, r := range rows {
		t := tableName{r[0], r[1]}
		state.tables[t], state.stamps[t], state.oids[t] = r[2], r[3], uint32(r.int(4))
		if r[3] == "" {
			state.schemas[t] = r[5]
		}
	}
	return state, nil
}

// publicationSQL asks for the publication alone. pg_publication_tables, which would know its tables too, waits since PostgreSQL 16 for
// whoever locks one of them, be it somebody else's; the catalog below the view does not.
func (s *Source) publicationSQL(version int) string {
	schemas := "false"
	if version >= 150000 {
		schemas = "EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid)"
	}
	return `SELECT pubinsert, p.oid || '.' || p.xmin, pubupdate, coalesce(description, ''), d.xmin = p.xmin, pubviaroot,
		concat(CASE WHEN pubdelete THEN ', delete' END, CASE WHEN pubtruncate THEN ', truncate' END),
		NOT (puballtables OR ` + schemas + ` OR EXISTS (SELECT FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid
			JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = p.oid AND (n.nspname, c.relname) NOT IN (` + s.namesSQL() + `)))
		FROM pg_publication p LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_publication'::regclass
		WHERE pubname = ` + quoteLiteral(s.cfg.Source.Postgres.Publication)
}

// membersSQL asks which tables of the file are in the publication: each by itself or by its schema, or as a partition of such a
// table, unless that stands for it (publish_via_partition_root).
func (s *Source) membersSQL(version int) string {
	why, schema, inSchema := "''", "''", "false"
	if version >= 150000 {
		inSchema = "EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = m.relnamespace)"
		why = `CASE WHEN EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = p.oid AND s.pnnspid = c.relnamespace) THEN '' WHEN r.prqual IS NOT NULL THEN 'a row filter'
			WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
			AND a.attnum <> ALL(r.prattrs)) THEN 'a list of columns' ELSE '' END`
		// The last is written anew when a table moves to another schema.
		schema = `(SELECT s.oid || '.' || s.xmin || '.' || d.xmin FROM pg_publication_namespace s
			JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
			AND d.refclassid = 'pg_namespace'::regclass AND d.refobjid = s.pnnspid WHERE s.pnpubid = p.oid AND s.pnnspid = c.relnamespace)`
	}
	return `SELECT n.nspname, c.relname, ` + why + `, r.oid || '.' || r.xmin, c.oid, ` + schema + `
		FROM pg_publication p CROSS JOIN pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = c.oid
		CROSS JOIN LATERAL (SELECT coalesce(bool_or(m.oid = c.oid), false), coalesce(bool_or(m.oid <> c.oid), false)
			FROM (SELECT c.oid UNION SELECT relid::oid FROM pg_partition_ancestors(c.oid)) t(oid) JOIN pg_class m ON m.oid = t.oid
			WHERE EXISTS (SELECT FROM pg_publication_rel mr WHERE mr.prpubid = p.oid AND mr.prrelid = m.oid) OR ` + inSchema + `) via(itself, above)
		WHERE p.pubname = ` + quoteLiteral(s.cfg.Source.Postgres.Publication) + ` AND (n.nspname, c.relname) IN (` + s.namesSQL() + `)
		AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND CASE WHEN NOT pubviaroot THEN c.relkind = 'r' AND (puballtables OR itself OR above)
			WHEN puballtables THEN NOT c.relispartition ELSE itself AND NOT above END`
}

// namesSQL is the tables of the file for an IN.
func (s *Source) namesSQL() string {
	names := make([]string, len(s.cfg.Source.Tables))
	for i, text := range s.cfg.Source.Tables {
		t := parseTable(text)
		names[i] = fmt.Sprintf("(%s, %s)", quoteLiteral(t.schema), quoteLiteral(t.name))
	}
	return strings.Join(names, ", ")
}

// publicationCovers checks that every row of the tables reaches the slot. Once a position is stored, a
// publication that fails this may already have hidden rows.
func (h *session) publicationCovers(ctx context.Context, stored bool) error {
	state, err := h.coveringPublication(ctx, stored)
	if err != nil {
		return err
	}
	now := state.published(h.cfg.Source.Tables)
	if was := h.published; stored && was != nil {
		if err := was.goesOn(now, state.before, h.cfg.Source.Postgres.Publication); err != nil {
			return err
		}
	}
	h.published, h.oids = now, map[string]uint32{}
	for _, text := range h.cfg.Source.Tables {
		t := parseTable(text)
		h.oids[t.String()] = state.oids[t]
	}
	return nil
}

// coveringPublication returns the publication, if it covers the tables.
func (h *session) coveringPublication(ctx context.Context, stored bool) (*publicationState, error) {
	pub := h.cfg.Source.Postgres.Publication
	fault := func(code, remedy, format string, args ...any) (*publicationState, error) {
		if stored {
			return nil, lost(code, remedy+"; "+meanwhile, fmt.Errorf(format, args...))
		}
		return nil, environment(code, remedy, format, args...)
	}
	state, err := h.publicationState(ctx, h.ask, h.version)
	switch {
	case err != nil:
		return nil, err
	case state == nil:
		return fault("pg.publication_missing", "create the publication again", "publication %s does not exist", pub)
	case !state.inserts:
		return fault("pg.publication_changed", fmt.Sprintf("ALTER PUBLICATION %s SET (publish = '%s')", quoteIdent(pub), state.operations(state.updates)), "publication %s does not publish inserts", pub)
	}
	added := false
	for _, text := range h.cfg.Source.Tables {
		t := parseTable(text)
		why, ok := state.tables[t]
		if ok && why == "" {
			continue
		}
		sql := fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s", quoteIdent(pub), t.sql())
		if ok {
			return fault("pg.publication_changed", fmt.Sprintf("BEGIN; ALTER PUBLICATION %[1]s DROP TABLE %[2]s; ALTER PUBLICATION %[1]s ADD TABLE %[2]s; COMMIT", quoteIdent(pub), t.sql()), "publication %s has %s for %s", pub, why, t)
		}
		if partitioned, err := h.partitioned(ctx, t); err != nil {
			return nil, err
		} else if partitioned && !state.root {
			return fault("pg.publication_changed", fmt.Sprintf("ALTER PUBLICATION %s SET (publish_via_partition_root = true)", quoteIdent(pub)),
				"publication %s gives the rows of %s the names of its partitions", pub, t)
		}
		if h.cfg.Source.Postgres.Create && !h.watching {
			if err := exec(ctx, h.cat, sql); err == nil {
				h.log.Info("table added to the publication", "publication", pub, "table", t.String())
				added = true
				continue
			}
		}
		return fault("pg.publication_changed", "run as the owner of the table: "+sql, "publication %s does not have table %s", pub, t)
	}
	if added {
		return h.publicationState(ctx, h.ask, h.version)
	}
	return state, nil
}

func (h *session) partitioned(ctx context.Context, t tableName) (bool, error) {
	rows, err := h.ask(ctx, fmt.Sprintf(`SELECT c.relkind = 'p' FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s`,
		quoteLiteral(t.schema), quoteLiteral(t.name)))
	if err != nil {
		return false, transient("pg.connection", "look for table %s: %w", t, plain(err))
	}
	return len(rows) > 0 && rows[0].bool(0), nil
}

// ourChange leads from the comment of the publication to the stamps that it had before our last changes. Comment and change
// are written in one transaction, so a kill leaves no change that the next start would take for somebody's.
const ourChange = "outferry has changed what it publishes; before that it was "

// publish changes what the publication publishes. A change of ours behind others of ours leaves those in the comment: no
// position may know them yet.
func (h *session) publish(ctx context.Context, state *publicationState, operations string) error {
	pub := quoteIdent(h.cfg.Source.Postgres.Publication)
	stamps := strings.Join(append(state.before, state.stamp), " ")
	comment := strings.TrimPrefix(state.comment+"\n"+ourChange+stamps, "\n")
	return exec(ctx, h.cat, fmt.Sprintf("ALTER PUBLICATION %[1]s SET (publish = '%[2]s'); COMMENT ON PUBLICATION %[1]s IS %[3]s", pub, operations, quoteLiteral(comment)))
}

const identityRemedy = "give the table, or its partition, a primary key that is not deferrable, and REPLICA IDENTITY DEFAULT"

// spareUpdates stops publishing updates when a table has no usable replica identity: while they are published the
// server refuses the application's own UPDATEs of it. Only ours is changed: of another, some other reader would miss them.
func (h *session) spareUpdates(ctx context.Context) error {
	state, err := h.publicationState(ctx, h.ask, h.version)
	if err != nil || state == nil || !state.updates {
		return err
	}
	tables, err := h.tableStates(ctx, h.ask)
	if err != nil || !unidentified(tables) {
		return err
	}
	pub := h.cfg.Source.Postgres.Publication
	if h.cfg.Source.Postgres.Create && state.ours {
		if err = h.publish(ctx, state, state.operations(false)); err == nil {
			h.log.Warn("updates are not published any more: a table has no usable replica identity, and its UPDATEs would fail", "publication", pub, "code", "pg.no_replica_identity", "remedy", identityRemedy)
			return h.restamp(ctx)
		}
	}
	if !h.warnedIdentity {
		h.log.Warn("UPDATEs and DELETEs of a table without usable replica identity fail while the publication publishes them", "publication", pub, "code", "pg.no_replica_identity", "remedy", identityRemedy)
		h.warnedIdentity = true
	}
	return nil
}

// seeUpdates has updates published where router.on_update asks for them and the publication leaves them out, as one that was
// made when it did not. Only ours is changed, and only where no UPDATE of an application begins to fail by that.
func (h *session) seeUpdates(ctx context.Context) error {
	if h.cfg.Router.OnUpdate == "ignore" || h.cfg.Source.Snapshot == "initial_only" {
		return nil
	}
	state, err := h.publicationState(ctx, h.ask, h.version)
	if err != nil || state == nil || state.updates {
		return err
	}
	tables, err := h.tableStates(ctx, h.ask)
	if err != nil {
		return err
	}
	pub, operations := h.cfg.Source.Postgres.Publication, state.operations(true)
	const unseen, orNot = "UPDATEs are not seen: the publication does not publish them", "; or set router.on_update to ignore"
	if unidentified(tables) {
		h.log.Warn(unseen, "publication", pub, "code", "pg.no_replica_identity", "remedy", identityRemedy+orNot)
		return nil
	}
	if h.cfg.Source.Postgres.Create && state.ours {
		err := h.publish(ctx, state, operations)
		if err == nil {
			h.log.Info("updates are published from now on", "publication", pub)
			return h.restamp(ctx)
		}
		if passes(err) {
			return transient("pg.connection", "alter publication %s: %w", pub, plain(err))
		}
	}
	h.log.Warn(unseen, "publication", pub, "code", "pg.updates_unpublished", "remedy", fmt.Sprintf("stop the pipeline and run as the publication's owner: ALTER PUBLICATION %s SET (publish = '%s'); then outferry offsets set %s --accept-gap%s",
		quoteIdent(pub), operations, h.cfg.Name, orNot))
	return nil
}

// restamp takes a change of the publication that we made ourselves for what it is.
func (h *session) restamp(ctx context.Context) error {
	state, err := h.coveringPublication(ctx, true)
	if err == nil {
		h.published = state.published(h.cfg.Source.Tables)
	}
	return err
}

// published tells a table that was always in the publication from one that left it and came back: the rows in
// between are in no slot. By "" the stamp of the publication itself, by schema.name those of its tables, by .schema.name those
// of tables that are in it by their schema.
type published map[string]string

func (s *publicationState) published(tables []string) published {
	p := published{"": s.stamp}
	for _, text := range tables {
		t := parseTable(text)
		p[t.String()] = s.stamps[t]
		if stamp := s.schemas[t]; stamp != "" {
			p["."+t.String()] = stamp
		}
	}
	return p
}

// isOf reports whether these were the tables of the file.
func (p published) isOf(tables []string) bool {
	for _, text := range tables {
		if _, ok := p[parseTable(text).String()]; !ok {
			return false
		}
	}
	others := 0
	for name := range p {
		if name != "" && name[0] != '.' {
			others++
		}
	}
	return others == len(tables)
}

// goesOn checks that nothing left since then, where before are the stamps that changes of ours replaced. Tables that the
// file names anew are no matter.
func (p published) goesOn(now published, before []string, name string) error {
	for table, stamp := range p {
		if later, ok := now[table]; ok && later != stamp && (table != "" || !slices.Contains(before, stamp)) {
			what := "table " + strings.TrimPrefix(table, ".") + " left publication " + name + " and came back"
			if table == "" {
				what = "publication " + name + " was altered or made anew"
			}
			return lost("pg.publication_changed", meanwhile, errors.New(what))
		}
	}
	return nil
}
