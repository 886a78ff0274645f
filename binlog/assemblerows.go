package binlog

import (
	"errors"
	"fmt"

	"outferry/outbox"
)

// rowsEvent takes the rows of an insert or an update, if they are ours.
func (a *assembler) rowsEvent(h header, e body) error {
	b, err := e.peek(6)
	if err != nil {
		return err
	}
	id, ok := rowsTable(b)
	if !ok {
		return fmt.Errorf("read rows: %w", errShort)
	}
	s, err := a.shapeByID(id)
	if err != nil || s == nil || a.tx.skip {
		return err
	}
	if err := a.allowed(s, h.kind); err != nil {
		return err
	}
	if b, err = e.all(a.maxEvent); err != nil {
		return a.tooLarge(h, s, err)
	}
	return a.readRows(h, s, b)
}

func (a *assembler) shapeByID(id uint64) (*shape, error) {
	for i := len(a.tx.tables) - 1; i >= 0; i-- {
		if a.tx.tables[i].id == id {
			return a.tx.tables[i].shape, nil
		}
	}
	if id == dummyTable {
		return nil, nil
	}
	return nil, fmt.Errorf("rows of table %d, which was not announced", id)
}

// allowed refuses what would lie about the outbox: rows whose fate is open, rows outside a transaction,
// and forms that nobody writes any more.
func (a *assembler) allowed(s *shape, kind byte) error {
	switch {
	case !a.tx.open:
		return fmt.Errorf("row of %s outside a transaction", s.table)
	case kind == evWriteRows0:
		return fmt.Errorf("row of %s in a form of MySQL 5.1", s.table)
	case a.tx.head.xa:
		return a.fateOpen()
	}
	return nil
}

func (a *assembler) fateOpen() error {
	return lost("mysql.xa_unsupported", "write to the outbox in ordinary transactions, or commit with XA COMMIT ... ONE PHASE",
		"read transaction %s at %s: it is prepared by XA and has rows of the outbox", a.tx.head.gtid, a.tx.start)
}

func (a *assembler) tooLarge(h header, s *shape, err error) error {
	if !errors.Is(err, errTooLarge) {
		return err
	}
	return &outbox.Fault{Code: "row.too_large", Class: outbox.Internal,
		Err: fmt.Errorf("read transaction %s: a row of %s takes an event of %d bytes, more than source.max_row (%d) allows",
			a.tx.head.gtid, s.table, h.size, a.maxEvent),
		Remedy: "raise source.max_row"}
}

func (a *assembler) readRows(h header, s *shape, b []byte) error {
	if h.kind == evPartialUpdate {
		return a.partialUpdate(s)
	}
	e := &a.at
	var err error
	if *e, err = decodeRowsHead(b, h.kind); err != nil {
		return fmt.Errorf("read rows of %s: %w", s.table, err)
	}
	if e.columns != len(s.columns) {
		return fmt.Errorf("read rows of %s: %d columns, announced were %d", s.table, e.columns, len(s.columns))
	}
	if h.kind >= evMariaQueryZ {
		if e.rows.data, err = a.inflater.inflate(e.rows.data, false, uint64(a.maxEvent)); err != nil {
			return outbox.Within(err, "read compressed rows of %s", s.table)
		}
	}
	op := outbox.Insert
	if e.before != nil {
		op = outbox.Update
	}
	for len(e.rows.data) > 0 {
		if err := a.row(e, s, op); err != nil {
			return outbox.Within(err, "read row %d of %s", a.tx.rows+1, s.table)
		}
	}
	a.rows.shrink()
	a.at = rowsEvent{} // it may hold the memory of a single huge event
	return nil
}

// row reads one row. Rows are counted before anything is left out, since a resumed transaction counts them
// too.
func (a *assembler) row(e *rowsEvent, s *shape, op outbox.Op) error {
	if op == outbox.Update {
		if err := a.rows.skip(&e.rows, s, e.before); err != nil {
			return err
		}
	}
	before := len(e.rows.data)
	image := e.rows
	err := a.rows.decode(&e.rows, s, e.present)
	if errors.Is(err, errSkipped) {
		if op != outbox.Update {
			return a.incomplete(s)
		}
		e.rows = image
		err = a.rows.skip(&e.rows, s, e.present)
		a.rows.ends = a.rows.ends[:0]
	}
	if err != nil {
		return err
	}
	if len(e.rows.data) == before {
		return errors.New("row without a byte")
	}
	return a.counted(s, op)
}

func (a *assembler) counted(s *shape, op outbox.Op) error {
	a.tx.rows++
	if a.resume != nil && a.tx.rows <= a.resume.Rows {
		return nil
	}
	if op == outbox.Update && !a.updates {
		a.skipped("update", 1)
		return nil
	}
	return a.add(s, op)
}

// partialUpdate is an update that says only what changed inside a JSON document.
func (a *assembler) partialUpdate(s *shape) error {
	a.rows.text, a.rows.ends = a.rows.text[:0], a.rows.ends[:0]
	return a.counted(s, outbox.Update)
}

func (a *assembler) incomplete(s *shape) error {
	return lost("mysql.row_image", "run SET GLOBAL binlog_row_image=FULL, and let no session set another",
		"read transaction %s at %s: a row of %s was logged without all its columns", a.tx.head.gtid, a.tx.start, s.table)
}

// add puts the decoded row into the batch. When there is no room the batch goes, with a part of the
// transaction where it must.
func (a *assembler) add(s *shape, op outbox.Op) error {
	if cap(a.b.Buf)-len(a.b.Buf) < len(a.rows.text) {
		a.tx.rows-- // this row is not in the batch that goes
		if err := a.decide(); err != nil {
			return err
		}
		if a.tx.batchLen < len(a.b.Rows) {
			a.tx.handed = a.tx.rows
		}
		b, err := a.turnOver(len(a.rows.text))
		a.tx.rows++
		if err != nil {
			return err
		}
		a.b, a.tx.batchLen, a.tx.bufLen = b, 0, 0
		a.tx.moveMarks()
	}
	r := a.b.AddRow(s.table, op, a.tx.head.commit)
	a.b.Buf = a.rows.into(a.b.Buf, r.Values)
	return nil
}

// decide looks ahead for the fate of a transaction whose first rows must go before its end is read.
func (a *assembler) decide() error {
	if a.tx.rows == 0 || a.tx.handed > 0 {
		return nil
	}
	if a.whole != nil {
		whole, err := a.whole(&a.tx)
		if err != nil {
			return err
		}
		if !whole {
			return errTorn
		}
	}
	if !a.tx.xa {
		return nil
	}
	one, err := a.onePhase(a.tx.start)
	if err != nil {
		return err
	}
	if !one {
		return a.fateOpen()
	}
	a.tx.xa = false
	return nil
}
