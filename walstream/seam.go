package walstream

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"outferry/outbox"
)

// readSeam collects the rows that the log holds between the slot's point and this snapshot.
func (sn *snapshotReader) readSeam(ctx context.Context) error {
	r, err := queryOne(ctx, sn.cat, "SELECT pg_current_wal_insert_lsn(), pg_backend_pid()")
	if err != nil {
		return transient("pg.connection", "begin snapshot: %w", plain(err))
	}
	now := r.lsn(0)
	if err := sn.awaitFlush(ctx, now); err != nil {
		return err
	}
	sn.seam = map[rowKey]struct{}{}
	asm := newAssembler(&sn.pos, func(m relationMessage) (*outbox.Table, error) { return sn.describe(ctx, m) })
	asm.raw = true // of two texts of one kind each may be a key of its own
	sql := fmt.Sprintf("SELECT data FROM pg_logical_slot_peek_binary_changes(%s, %s, NULL, 'proto_version', '1', 'publication_names', %s)",
		quoteLiteral(sn.cfg.Source.Postgres.Slot), quoteLiteral(now.String()), quoteLiteral(quoteIdent(sn.cfg.Source.Postgres.Publication)))
	peek, err := sn.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { _ = peek.Close(context.WithoutCancel(ctx)) }()
	err = eachRow(ctx, peek, sql, func(values [][]byte) error { return sn.seamMessage(ctx, asm, values[0]) })
	var f *outbox.Fault
	switch {
	case errors.As(err, &f):
		return err
	case err != nil:
		return sn.streamFault(sqlState(err), fmt.Errorf("read the log from slot %s up to the snapshot: %w", sn.cfg.Source.Postgres.Slot, plain(err)))
	}
	sn.log.Info("snapshot resumes", "rows_done", sn.pos.Snapshot.Rows, "rows_in_log", len(sn.seam))
	return nil
}

func (sn *snapshotReader) awaitFlush(ctx context.Context, at lsn) error {
	for {
		r, err := queryOne(ctx, sn.cat, "SELECT pg_current_wal_flush_lsn()")
		if err != nil {
			return transient("pg.connection", "wait for the WAL to be flushed: %w", plain(err))
		}
		if r.lsn(0) >= at {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (sn *snapshotReader) seamMessage(ctx context.Context, asm *assembler, data []byte) error {
	var b outbox.Batch
	raw, err := unhex(data)
	if err == nil {
		err = asm.message(&b, raw)
	}
	if err != nil {
		return asm.located(err)
	}
	for i := range b.Rows {
		if r := &b.Rows[i]; r.Op == outbox.Insert {
			keys, err := sn.keyColumns(ctx, r.Table)
			if err != nil {
				return err
			}
			if len(keys) > 0 { // else the table is refused, unless it is empty
				sn.seam[keyOf(r.Table, r.Values, keys)] = struct{}{}
			}
		}
	}
	return nil
}

// rowKey tells rows of the seam apart: a hash of table and primary key.
type rowKey [16]byte

func keyOf(t *outbox.Table, values [][]byte, keys []int) rowKey {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s", t)
	for _, i := range keys {
		size := len(values[i])
		if values[i] == nil {
			size = -1 // NULL is not the empty text
		}
		fmt.Fprintf(sum, "\x00%d:", size)
		sum.Write(values[i])
	}
	return rowKey(sum.Sum(nil))
}

// keyColumns returns the places of the primary key's columns in one shape of a table; none where it has no key. In a shape with
// another key a row of the log has another text than the same row in the snapshot, and would come twice.
func (sn *snapshotReader) keyColumns(ctx context.Context, t *outbox.Table) ([]int, error) {
	if keys, ok := sn.keys[t]; ok {
		return keys, nil
	}
	key, err := sn.primaryKey(ctx, tableName{t.Schema, t.Name})
	if err != nil {
		return nil, err
	}
	var keys []int
	for _, c := range key {
		i := t.Index(c.name)
		if i < 0 {
			return nil, sn.otherKey("read rows of %s beside the snapshot: they were written without column %s of its primary key", t, c.name)
		}
		if was := t.Columns[i].TypeName; was != c.typeName {
			return nil, sn.otherKey("read rows of %s beside the snapshot: they were written when column %s of its primary key was %s, and it is %s now", t, c.name, was, c.typeName)
		}
		keys = append(keys, i)
	}
	if sn.keys == nil {
		sn.keys = map[*outbox.Table][]int{}
	}
	sn.keys[t] = keys
	return keys, nil
}

// otherKey is the fault for rows in the log that can't be told from those of the snapshot. A slot of before would bring them again.
func (h *session) otherKey(format string, args ...any) error {
	remedy := "undo the change until the snapshot is over, if it gave no row another text of its key; or start over with outferry offsets reset NAME"
	if !h.cfg.Source.Postgres.Create {
		remedy += fmt.Sprintf("; the slot is not the pipeline's, so drop it and make it anew: SELECT pg_drop_replication_slot(%s); %s", quoteLiteral(h.cfg.Source.Postgres.Slot), h.slotFunctionSQL())
	}
	return lost("pg.key_changed", remedy, fmt.Errorf(format, args...))
}

// inKey holds for a column a of the table that an index i is on, where it is of the index's key: the others are at its end,
// by INCLUDE.
const inKey = "array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts" // it counts from 0

// keyColumn is a column of a primary key, and its type as SQL has it.
type keyColumn struct{ name, typeName string }

// primaryKey returns the key's columns, or none where the log leaves one of them out.
func (h *session) primaryKey(ctx context.Context, t tableName) ([]keyColumn, error) {
	rows, err := query(ctx, h.cat, fmt.Sprintf(`SELECT a.attname, a.attgenerated <> '', format_type(a.atttypid, a.atttypmod) FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND `+inKey+`
		WHERE i.indisprimary AND i.indrelid = %s::regclass ORDER BY array_position(i.indkey::int2[], a.attnum)`, quoteLiteral(t.sql())))
	if err != nil {
		return nil, transient("pg.connection", "read the primary key of %s: %w", t, plain(err))
	}
	var key []keyColumn
	for _, r := range rows {
		if r.bool(1) {
			return nil, nil
		}
		key = append(key, keyColumn{r[0], r[2]})
	}
	return key, nil
}
