package binlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"outferry/outbox"
)

// firstSnapshot settles the point at which the rows of the tables end and the log begins, without a lock on
// the server. Everything before the point must be visible to the snapshot:
// MariaDB tells the exact place of a snapshot; MySQL adds a number to what it has executed only after the
// transaction is visible, so the set comes first and the snapshot later. Without numbers MySQL logs a
// transaction before others can see it, so there a moment's read lock on the outbox tables is the only proof.
func (h *session) firstSnapshot(ctx context.Context, before layouts) (pos *position, err error) {
	if err := h.snapshotPossible(); err != nil {
		return nil, err
	}
	switch {
	case h.srv.kind == mariaKind:
		pos, err = h.mariaSnapshot(ctx)
	case h.identity("").ByGTID:
		pos, err = h.now(h.cat)
	default:
		pos, err = h.lockedSnapshot(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := h.learnAt(pos, before); err != nil {
		return nil, err
	}
	pos.Phase, pos.Snapshot = phaseSnapshot, &snapshotState{Begun: h.begunWith()}
	h.log.Info("first start", "position", pos.String(), "snapshot", h.cfg.Source.Snapshot)
	return pos, h.emit(ctx, pos)
}

// snapshotPossible looks ahead before there is a position, which would ask for the snapshot whatever the file says then.
func (h *session) snapshotPossible() error {
	for _, t := range h.tables(h.srv) {
		key, err := h.primaryKey(t)
		if err == nil && len(key) == 0 {
			err = h.withoutKey(h.cat, t, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openSnapshot opens a connection that sees the tables as they are at this moment.
func (h *session) openSnapshot(ctx context.Context) (err error) {
	if h.snap, err = h.connect(ctx); err != nil {
		return err
	}
	defer closing(ctx, h.snap)()
	for _, sql := range []string{"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"} {
		if _, err := h.snap.Execute(sql); err != nil {
			return transient("mysql.connection", "open a snapshot: %w", plain(err))
		}
	}
	return nil
}

// mariaSnapshot opens the snapshot and asks where in the log it stands.
func (h *session) mariaSnapshot(ctx context.Context) (*position, error) {
	if err := h.openSnapshot(ctx); err != nil {
		return nil, err
	}
	at, err := mariaSnapshotPlace(h.snap)
	if err != nil {
		return nil, err
	}
	return h.mariaPoint(at)
}

// mariaPoint is the position at a place in the log, between transactions. It keeps the place, since the numbers may come again
// before the pipeline has read on.
func (h *session) mariaPoint(at place) (*position, error) {
	pos := h.identity(phaseStream)
	if err := h.anchorAt(pos, at); err != nil {
		return nil, err
	}
	pos.File, pos.Pos, pos.proven = at.file, at.pos, true
	if !pos.ByGTID {
		return pos, nil
	}
	set, err := h.setAt(at)
	if err != nil {
		return nil, err
	}
	pos.GTID = set.String()
	return pos, nil
}

func mariaSnapshotPlace(c *client.Conn) (at place, err error) {
	rows, err := query(c, "SHOW STATUS LIKE 'binlog_snapshot_%'")
	if err != nil {
		return at, transient("mysql.connection", "ask for the place of a snapshot: %w", err)
	}
	for _, r := range rows {
		switch strings.ToLower(r[0]) {
		case "binlog_snapshot_file":
			at.file = r[1]
		case "binlog_snapshot_position":
			at.pos = uint64(r.int(1))
		}
	}
	if at.file == "" {
		return at, environment("mysql.snapshot_place", "set source.snapshot to no_data", "the server doesn't tell the place of a snapshot in its log")
	}
	return at, nil
}

// lockedSnapshot opens the snapshot while nobody commits to the outbox tables. It waits for writers at most
// two seconds at a time, since they wait for it meanwhile.
func (h *session) lockedSnapshot(ctx context.Context) (*position, error) {
	lock, err := h.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // unlocks
	defer closing(ctx, lock)()
	var names []string
	for _, t := range h.tables(h.srv) {
		names = append(names, t.sql()+" READ")
	}
	for _, sql := range []string{"SET SESSION lock_wait_timeout = 2", "LOCK TABLES " + strings.Join(names, ", ")} {
		if _, err := lock.Execute(sql); err != nil {
			return nil, h.lockFault(plain(err))
		}
	}
	pos, err := h.now(h.cat)
	if err != nil {
		return nil, err
	}
	return pos, h.openSnapshot(ctx)
}

func (h *session) lockFault(err error) error {
	if code := errorCode(err); code == 1044 || code == 1142 {
		var grants []string
		for _, t := range h.tables(h.srv) {
			grants = append(grants, fmt.Sprintf("GRANT LOCK TABLES ON %s.* TO %s", quoteName(t.schema), h.srv.account))
		}
		why, instead := "the server numbers no transactions", "turn gtid_mode on"
		if h.srv.byGTID() {
			why, instead = "source.mysql.position is file", "set source.mysql.position to auto"
		}
		return environment("mysql.permission", strings.Join(slices.Compact(grants), "; ")+", or "+instead+", or set source.snapshot to no_data",
			"lock the outbox tables for a moment, since %s: %w", why, err)
	}
	return transient("mysql.connection", "lock the outbox tables for a moment: %w", err)
}

// snapshot publishes the rows that were in the tables at pos, and returns the position from which to stream.
// A snapshot dies with its connection and may be younger than pos: what the log holds between the two is
// left out here, and comes from there.
func (h *session) snapshot(ctx context.Context, pos *position) (*position, error) {
	if h.opt.Phase != nil {
		h.opt.Phase(phaseSnapshot)
	}
	sn := &snapshotReader{session: h, ctx: ctx, pos: *pos}
	if sn.pos.Snapshot == nil {
		sn.pos.Snapshot = &snapshotState{Begun: h.begunWith()}
	}
	if err := sn.pos.Snapshot.Unchanged(h.begunWith()); err != nil {
		return nil, err
	}
	if err := sn.open(); err != nil {
		return nil, err
	}
	defer closing(ctx, h.snap)()
	for i, t := range h.tables(h.srv) {
		if i < sn.pos.Snapshot.Table {
			continue
		}
		if err := sn.table(i, t); err != nil {
			return nil, err
		}
	}
	_ = h.snap.Close()
	next := *pos
	next.Phase, next.Snapshot = phaseStream, nil
	if h.cfg.Source.Snapshot == "initial_only" {
		next.Phase = phaseDone
	}
	return &next, h.emit(ctx, &next)
}

// begunWith is what a snapshot begins with now.
func (h *session) begunWith() outbox.Begun {
	return outbox.Begun{Mode: h.cfg.Source.Snapshot, Tables: h.tableNames()}
}

// snapshotReader reads the tables in order.
type snapshotReader struct {
	*session
	ctx      context.Context
	pos      position
	seam     map[rowKey]struct{} // rows that the log will bring
	expected int64
	done     int64
	b        *outbox.Batch
	text     rowBuffer
}

func (sn *snapshotReader) open() error {
	if sn.snap != nil {
		return nil // opened at the very point
	}
	if err := sn.openSnapshot(sn.ctx); err != nil {
		return err
	}
	if sn.cfg.Source.Snapshot == "initial_only" {
		return nil // no log follows
	}
	return sn.readSeam()
}

// table publishes one table's rows.
func (sn *snapshotReader) table(index int, t tableName) error {
	src, err := sn.describe(t)
	if err != nil {
		return err
	}
	if len(src.primary) == 0 {
		return sn.withoutKey(sn.snap, t, true)
	}
	if err := sn.enter(index, src); err != nil {
		return err
	}
	rows, err := selectRows(sn.snap, src.sql(sn.pos.Snapshot.Key), int(sn.cfg.Source.MaxRow)+wireBuffer, max(sn.set.readTimeout, time.Hour))
	if err != nil {
		return sn.readFault(t, err)
	}
	for {
		values, err := rows.next()
		if errors.Is(err, io.EOF) {
			return sn.handOver()
		}
		if err == nil {
			err = sn.row(src, values)
		}
		if err != nil {
			return sn.readFault(t, err)
		}
	}
}

// enter moves the position into a table, or goes on in the one where it stands: by another order that would leave out rows
// or repeat them.
func (sn *snapshotReader) enter(index int, src *snapshotTable) error {
	now := src.orderedBy()
	at := sn.pos.Snapshot
	if index != at.Table || len(at.Key) == 0 {
		sn.pos.Snapshot = &snapshotState{Begun: at.Begun, Table: index, Order: now}
		return nil
	}
	if !slices.Equal(at.Order, now) {
		return keyChanged("go on with the snapshot of %s: it was read by %s, and would be by %s now", src.tableName, strings.Join(at.Order, ", "), strings.Join(now, ", "))
	}
	return nil
}

func keyChanged(format string, args ...any) error {
	return lost("mysql.key_changed", "undo the change of the primary key or of router.columns.timestamp until the snapshot is over, or start over with outferry offsets reset NAME", format, args...)
}

// withoutKey: rows without a key have no order in which a snapshot could go on after a stop. An empty table,
// as every BLACKHOLE table is, needs none.
func (h *session) withoutKey(c *client.Conn, t tableName, begun bool) error {
	rows, err := query(c, "SELECT 1 FROM "+t.sql()+" LIMIT 1")
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
	return environment("mysql.no_primary_key", remedy, "snapshot of %s: it has rows and no primary key", t)
}

func (h *session) readFault(t tableName, err error) error {
	var f *outbox.Fault
	switch {
	case errors.As(err, &f), h.ctx.Err() != nil:
		return err
	case errors.Is(err, errTooLarge):
		return &outbox.Fault{Code: "row.too_large", Class: outbox.Internal, Err: fmt.Errorf("snapshot of %s: %w", t, err), Remedy: "raise source.max_row, or delete the row"}
	case errors.Is(err, errNoDocument):
		return environment("mysql.max_allowed_packet", "SET GLOBAL max_allowed_packet = 1073741824, and the same in the server's configuration, until the snapshot is over", "snapshot of %s: %w", t, err)
	case errorCode(err) == 1142 || errorCode(err) == 1143:
		return environment("mysql.permission", fmt.Sprintf("GRANT SELECT ON %s TO %s, or set source.snapshot to no_data", t.sql(), h.srv.account), "snapshot of %s: %w", t, err)
	}
	return transient("mysql.connection", "snapshot of %s: %w", t, err)
}

// row copies one row into the batch, unless the log will bring it.
func (sn *snapshotReader) row(src *snapshotTable, values [][]byte) error {
	n := len(src.columns)
	if err := src.decode(&sn.text, values[:n]); err != nil {
		return fmt.Errorf("row %d: %w", sn.pos.Snapshot.Rows+1, err)
	}
	if len(sn.seam) > 0 {
		if _, ok := sn.seam[src.keyOf(&sn.text)]; ok {
			sn.passed(values[n:])
			return nil
		}
	}
	if err := sn.room(len(sn.text.text)); err != nil {
		return err
	}
	r := sn.b.AddRow(src.table, outbox.Snapshot, time.Now().UnixMicro())
	sn.b.Buf = sn.text.into(sn.b.Buf, r.Values)
	sn.text.shrink()
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
		s.Key = append(s.Key, fmt.Sprintf("%x", v))
	}
}

// room makes sure that size more bytes fit in the batch.
func (sn *snapshotReader) room(size int) error {
	if sn.b != nil && (cap(sn.b.Buf)-len(sn.b.Buf) < size || sn.opt.Single) {
		if err := sn.handOver(); err != nil {
			return err
		}
	}
	if sn.b != nil {
		return nil
	}
	var err error
	sn.b, err = sn.pool.Wait(sn.ctx, size)
	return err
}

func (sn *snapshotReader) handOver() error {
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
	return b.Send(sn.ctx, sn.out)
}
