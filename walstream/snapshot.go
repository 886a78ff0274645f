package walstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"outferry/outbox"
)

// snapshot publishes the rows that were in the tables at pos.LSN, and returns the position from which to
// stream. The first attempt reads the snapshot that the slot exported. That dies with its process, so a
// later attempt reads a newer one, leaves out what it already published (by order) and what the slot will
// bring (by key): together the rows of the first, but for those that were deleted
// or got another place in the order meanwhile.
func (h *session) snapshot(ctx context.Context, pos *position) (*position, error) {
	if err := h.readable(ctx); err != nil {
		return nil, err
	}
	if h.opt.Phase != nil {
		h.opt.Phase(phaseSnapshot)
	}
	states, err := h.tableStates(ctx, h.ask)
	if err != nil {
		return nil, err
	}
	sn := &snapshotReader{session: h, pos: *pos}
	sn.pos.Published = h.published
	if sn.pos.Snapshot == nil {
		sn.pos.Snapshot = &snapshotState{Begun: h.begunWith()}
	}
	if err := sn.pos.Snapshot.Unchanged(h.begunWith()); err != nil {
		return nil, err
	}
	if err := sn.begin(ctx, states); err != nil {
		return nil, err
	}
	for i := sn.pos.Snapshot.Table; i < len(states); i++ {
		if err := sn.table(ctx, i, states[i]); err != nil {
			return nil, err
		}
	}
	if err := exec(ctx, h.cat, "COMMIT"); err != nil {
		return nil, transient("pg.connection", "end snapshot: %w", plain(err))
	}
	next := sn.pos
	next.Phase, next.Snapshot = phaseStream, nil
	if h.cfg.Source.Snapshot == "initial_only" {
		next.Phase = phaseDone
	}
	h.log.Debug("snapshot read", "rows", sn.done)
	return &next, h.emit(ctx, &next)
}

// begunWith is what a snapshot begins with now.
func (s *Source) begunWith() outbox.Begun {
	b := outbox.Begun{Mode: s.cfg.Source.Snapshot}
	for _, text := range s.cfg.Source.Tables {
		b.Tables = append(b.Tables, parseTable(text).String())
	}
	return b
}

type snapshotReader struct {
	*session
	pos      position
	seam     map[rowKey]struct{} // rows that the slot will bring
	expected int64
	done     int64
	b        *outbox.Batch
	keys     map[*outbox.Table][]int // by shape: a column's place is not the same in each
}

func (sn *snapshotReader) begin(ctx context.Context, states []tableState) error {
	sn.cat.Frontend().SetMaxBodyLen(int(sn.cfg.Source.MaxRow))
	if err := exec(ctx, sn.cat, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		return transient("pg.connection", "begin snapshot: %w", plain(err))
	}
	if sn.exported != "" {
		if err := exec(ctx, sn.cat, "SET TRANSACTION SNAPSHOT "+quoteLiteral(sn.exported)); err != nil {
			return transient("pg.connection", "take the slot's snapshot: %w", plain(err))
		}
	}
	// A policy that hides rows must fail the snapshot, not shorten it.
	if err := exec(ctx, sn.cat, "SET LOCAL row_security = off"); err != nil {
		return transient("pg.connection", "begin snapshot: %w", plain(err))
	}
	for i := sn.pos.Snapshot.Table; i < len(states); i++ {
		if err := sn.hold(ctx, states[i]); err != nil {
			return err
		}
	}
	if sn.exported == "" && sn.cfg.Source.Snapshot != "initial_only" {
		return sn.readSeam(ctx)
	}
	return nil
}

// hold keeps a table from being rewritten until the snapshot ends: the new rows would be younger than it, and not seen.
// A rewrite before shows in the file of its data, which is another one now than in the snapshot.
func (sn *snapshotReader) hold(ctx context.Context, t tableState) error {
	if err := exec(ctx, sn.cat, "SELECT FROM "+t.sql()+" LIMIT 0"); err != nil { // LOCK TABLE knows no rights to columns
		return sn.readFault(t.tableName, err)
	}
	r, err := queryOne(ctx, sn.cat, `WITH RECURSIVE tree(oid) AS (SELECT `+t.oid+`::oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
		SELECT count(*) FROM tree LEFT JOIN pg_class c USING (oid) WHERE c.oid IS NULL OR c.relfilenode <> coalesce(pg_relation_filenode(oid), 0)`)
	if err != nil {
		return transient("pg.connection", "look whether %s was rewritten: %w", t, plain(err))
	}
	if r.int(0) > 0 {
		return transient("pg.table_rewritten", "snapshot of %s: it was rewritten meanwhile, which hides its rows from the snapshot; a new one sees them", t)
	}
	return nil
}

// table publishes one table's rows.
func (sn *snapshotReader) table(ctx context.Context, index int, state tableState) error {
	t, err := tableOf(ctx, sn.ask, state)
	if err != nil {
		return err
	}
	if err := sn.estimate(ctx, state); err != nil {
		return err
	}
	keys, err := sn.keyColumns(ctx, t)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return sn.withoutKey(ctx, state.tableName, sn.pos.Snapshot.Key != nil)
	}
	order := sn.order(t, keys)
	by, err := sn.orderedBy(ctx, t, state, order)
	if err != nil {
		return err
	}
	if err := sn.enter(index, t, by); err != nil {
		return err
	}
	filled, err := sn.filled(ctx, t, state)
	if err != nil {
		return err
	}
	if err := sn.declare(ctx, state, selectSQL(t, state.tableName, order, filled, sn.pos.Snapshot.Key)); err != nil {
		return err
	}
	fetch := fmt.Sprintf("FETCH %d FROM outferry", sn.cfg.Source.SnapshotRows)
	for {
		n := 0
		err := eachRow(ctx, sn.cat, fetch, func(values [][]byte) error {
			n++
			return sn.row(ctx, t, keys, values)
		})
		if err != nil {
			return sn.readFault(state.tableName, err)
		}
		if n == 0 {
			break
		}
	}
	if err := sn.handOver(ctx); err != nil {
		return err
	}
	return exec(ctx, sn.cat, "CLOSE outferry")
}

// declare opens the cursor, with no operators at hand but the server's own and those of the order.
func (sn *snapshotReader) declare(ctx context.Context, t tableState, sql string) error {
	schemas, err := sn.orderSchemas(ctx, t)
	if err != nil {
		return err
	}
	path := []string{"pg_catalog"}
	for _, s := range schemas {
		if !s.bool(1) {
			return transient("pg.connection", "snapshot of %s: the right to schema %s of its order was taken away", t, s[0])
		}
		path = append(path, quoteIdent(s[0]))
	}
	if err := exec(ctx, sn.cat, fmt.Sprintf("SET LOCAL search_path = %s; DECLARE outferry NO SCROLL CURSOR FOR %s; SET LOCAL search_path = %s", strings.Join(path, ", "), sql, searchPath)); err != nil {
		return sn.readFault(t.tableName, err)
	}
	return nil
}

// enter moves the position into a table, or goes on in the one where it stands: by another order that would leave out rows
// or repeat them.
func (sn *snapshotReader) enter(index int, t *outbox.Table, now []string) error {
	at := sn.pos.Snapshot
	if index != at.Table || at.Key == nil {
		sn.pos.Snapshot = &snapshotState{Begun: at.Begun, Table: index, Order: now}
		return nil
	}
	if !slices.Equal(at.Order, now) {
		return keyChanged(fmt.Errorf("go on with the snapshot of %s: it was read by %s, and would be by %s now", t, strings.Join(at.Order, ", "), strings.Join(now, ", ")))
	}
	return nil
}

// orderedBy describes what the order of the rows depends on: columns, types and collations.
func (sn *snapshotReader) orderedBy(ctx context.Context, t *outbox.Table, state tableState, order []int) (columns []string, err error) {
	rows, err := query(ctx, sn.cat, "SELECT attname, attcollation::regcollation FROM pg_attribute WHERE attcollation <> 0 AND attrelid = "+state.oid)
	if err != nil {
		return nil, transient("pg.connection", "read the collations of %s: %w", state, plain(err))
	}
	collation := map[string]string{}
	for _, r := range rows {
		collation[r[0]] = " COLLATE " + r[1]
	}
	for _, i := range order {
		c := &t.Columns[i]
		columns = append(columns, c.Name+" "+c.TypeName+collation[c.Name])
	}
	return columns, nil
}

func keyChanged(err error) error {
	return lost("pg.key_changed", "undo the change of the primary key or of router.columns.timestamp until the snapshot is over, or start over with outferry offsets reset NAME", err)
}

// withoutKey: rows without a primary key have no order in which a snapshot could go on after a stop. An empty table
// needs none.
func (h *session) withoutKey(ctx context.Context, t tableName, begun bool) error {
	rows, err := query(ctx, h.cat, "SELECT 1 FROM "+t.sql()+" LIMIT 1")
	if err != nil {
		return h.readFault(t, err)
	}
	if len(rows) == 0 {
		return nil
	}
	remedy := "add a primary key to " + t.sql()
	if !begun {
		remedy += ", or set source.snapshot to no_data"
	}
	return environment("pg.no_primary_key", remedy, "snapshot of %s: it has rows and no primary key that the log has too", t)
}

func (h *session) readFault(t tableName, err error) error {
	var f *outbox.Fault
	var long *pgproto3.ExceededMaxBodyLenErr
	switch {
	case errors.As(err, &f) || errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &long):
		return &outbox.Fault{Code: "row.too_large", Class: outbox.Internal, Err: fmt.Errorf("snapshot of %s: %w", t, err), Remedy: "raise source.max_row, or delete the row"}
	case sqlState(err) == "42501":
		return environment("pg.permission", fmt.Sprintf("run as the table's owner: GRANT SELECT ON %s TO %s; where row security hides rows the role needs BYPASSRLS; or set source.snapshot to no_data", t.sql(), quoteIdent(h.cfg.Source.User)),
			"snapshot of %s: %w", t, plain(err))
	case notUTF8(sqlState(err)):
		return encodingFault("correct the row, or delete it", fmt.Errorf("snapshot of %s: a row has text that is not UTF-8: %w", t, plain(err)))
	}
	return transient("pg.connection", "snapshot of %s: %w", t, plain(err))
}

func (sn *snapshotReader) estimate(ctx context.Context, state tableState) error {
	r, err := queryOne(ctx, sn.cat, "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = "+state.oid)
	if err != nil {
		return transient("pg.connection", "estimate the rows of %s: %w", state, plain(err))
	}
	sn.expected += r.int(0)
	return nil
}

// order is the places of the columns by which rows are read: the mapped timestamp first, where there is one, then the
// primary key.
func (sn *snapshotReader) order(t *outbox.Table, keys []int) []int {
	var order []int
	if i := t.Index(sn.cfg.Router.Columns.Timestamp); i >= 0 {
		if k := t.Columns[i].Kind; k == outbox.Timestamp || k == outbox.TimestampTZ || k == outbox.Date {
			order = append(order, i)
		}
	}
	for _, i := range keys {
		if !slices.Contains(order, i) {
			order = append(order, i)
		}
	}
	return order
}

// filled returns the names of the columns that hold no NULL. A domain's NOT NULL may leave some in the table.
func (sn *snapshotReader) filled(ctx context.Context, t *outbox.Table, state tableState) ([]string, error) {
	rows, err := query(ctx, sn.cat, "SELECT a.attname FROM pg_attribute a WHERE "+notNull+" AND a.attnum > 0 AND a.attrelid = "+state.oid)
	if err != nil {
		return nil, transient("pg.connection", "look for NOT NULL columns of %s: %w", t, plain(err))
	}
	var names []string
	for _, r := range rows {
		names = append(names, r[0])
	}
	return names, nil
}

// selectSQL reads a table in order, after the key of the last published row, which each row repeats at its end. Behind a NULL
// nothing is greater, so a timestamp that may be one is no plain column.
func selectSQL(t *outbox.Table, name tableName, order []int, filled, after []string) string {
	var cols, by, last []string
	for _, c := range t.Columns {
		cols = append(cols, quoteIdent(c.Name))
	}
	for _, i := range order {
		column := quoteIdent(t.Columns[i].Name)
		if !slices.Contains(filled, t.Columns[i].Name) {
			column = "coalesce(" + column + ", '-infinity')"
		}
		by = append(by, column)
	}
	for _, v := range after {
		last = append(last, quoteLiteral(v))
	}
	ordered, where := strings.Join(by, ", "), ""
	if len(last) > 0 {
		where = fmt.Sprintf(" WHERE (%s) > (%s)", ordered, strings.Join(last, ", "))
	}
	return fmt.Sprintf("SELECT %s, %s FROM %s%s ORDER BY %s", strings.Join(cols, ", "), ordered, name.sql(), where, ordered)
}

// row copies one row into the batch, unless the slot will bring it.
func (sn *snapshotReader) row(ctx context.Context, t *outbox.Table, keys []int, values [][]byte) error {
	n := len(t.Columns)
	if len(sn.seam) > 0 {
		if _, ok := sn.seam[keyOf(t, values[:n], keys)]; ok {
			sn.passed(values[n:])
			return nil
		}
	}
	size := 0
	for i, v := range values[:n] {
		if v == nil {
			continue
		}
		var err error
		if values[i], err = canonical(&t.Columns[i], v); err != nil {
			return unreadable("snapshot of %s: column %s: %w", t, t.Columns[i].Name, err)
		}
		size += len(values[i])
	}
	if err := sn.room(ctx, size); err != nil {
		return err
	}
	r := sn.b.AddRow(t, outbox.Snapshot, time.Now().UnixMicro())
	for i, v := range values[:n] {
		if v != nil {
			at := len(sn.b.Buf)
			sn.b.Buf = append(sn.b.Buf, v...)
			r.Values[i] = sn.b.Buf[at:len(sn.b.Buf):len(sn.b.Buf)]
		}
	}
	sn.passed(values[n:])
	return nil
}

// passed moves the position past a row.
func (sn *snapshotReader) passed(key [][]byte) {
	sn.done++
	s := sn.pos.Snapshot
	s.Rows++
	s.Key = s.Key[:0]
	for _, v := range key {
		s.Key = append(s.Key, string(v))
	}
}

// room makes sure that size more bytes fit in the batch.
func (sn *snapshotReader) room(ctx context.Context, size int) error {
	if sn.b != nil && (cap(sn.b.Buf)-len(sn.b.Buf) < size || sn.opt.Single) {
		if err := sn.handOver(ctx); err != nil {
			return err
		}
	}
	if sn.b != nil {
		return nil
	}
	var err error
	sn.b, err = sn.pool.Wait(ctx, size)
	return err
}

func (sn *snapshotReader) handOver(ctx context.Context) error {
	if sn.b == nil {
		return nil
	}
	b := sn.b
	sn.b = nil
	b.Transactions = 1
	b.Position = sn.pos.appendTo(b.Position[:0])
	if sn.opt.Progress != nil {
		sn.opt.Progress(sn.done, max(sn.expected, sn.done))
	}
	return b.Send(ctx, sn.out)
}

// eachRow runs a query and calls f with each row as it comes. The values die with the call.
func eachRow(ctx context.Context, c *pgconn.PgConn, sql string, f func([][]byte) error) error {
	results := c.Exec(ctx, sql)
	var failed error
	for results.NextResult() {
		r := results.ResultReader()
		for r.NextRow() {
			if failed == nil {
				failed = f(r.Values())
			}
			if failed != nil {
				_ = c.Close(ctx) // no use in reading the rest
				return failed
			}
		}
	}
	return results.Close()
}
