package binlog

import (
	"fmt"
	"slices"
	"strconv"

	"outferry/outbox"
)

// transaction is the group of events being read.
type transaction struct {
	open     bool
	skip     bool  // it is published already
	began    bool  // rows and statements may come until an end mark
	xa       bool  // its fate is open as far as it is read
	rows     int64 // of our tables
	undone   int64 // of them, by ROLLBACK TO
	handed   int64 // so many of them are with the pipeline
	head     group
	start    place
	when     uint32 // header time of the event that opened it
	first    uint32 // and of the first change
	batchLen int    // of the batch when it began
	bufLen   int
	tables   []tableRef
	marks    []savepoint
}

// tableRef is what a table id means until the transaction ends. A nil shape is a table of others.
type tableRef struct {
	id    uint64
	shape *shape
}

// announce keeps one meaning of an id: each statement of a transaction announces its tables anew.
func (t *transaction) announce(ref tableRef) {
	if i := slices.IndexFunc(t.tables, func(r tableRef) bool { return r.id == ref.id }); i >= 0 {
		t.tables[i] = ref
		return
	}
	t.tables = append(t.tables, ref)
}

// begin opens a transaction. What was open before must be over: a group that ended without a mark we know
// is only harmless when it had no rows of ours.
func (a *assembler) begin(h header, e body) error {
	if a.tx.open {
		if a.tx.rows > 0 {
			return fmt.Errorf("transaction %s has no end", a.tx.head.gtid)
		}
		if err := a.commit(); err != nil {
			return err
		}
	}
	b, err := e.all(groupMaxSize)
	if err != nil {
		return err
	}
	g, err := decodeGroup(h, b)
	if err != nil {
		return fmt.Errorf("read GTID event: %w", err)
	}
	if g.commit == 0 {
		g.commit = int64(h.when) * 1e6
	}
	err = a.open(g, place{a.here.file, a.here.pos - uint64(h.size)})
	a.tx.when = h.when
	return err
}

func decodeGroup(h header, b []byte) (group, error) {
	switch h.kind {
	case evMariaGTID:
		return decodeMariaGTID(b, h.server)
	case evTaggedGTID:
		return decodeTaggedGTID(b)
	case evAnonymousGTID:
		g, err := decodeGTID(b)
		g.gtid = gtid{}
		return g, err
	}
	return decodeGTID(b)
}

func (a *assembler) open(g group, start place) error {
	a.tx = transaction{open: true, head: g, start: start, xa: g.xa, tables: a.tx.tables[:0],
		began: g.gtid.maria && !g.standalone, batchLen: len(a.b.Rows), bufLen: len(a.b.Buf)}
	if g.gtid.maria && a.set.contains(g.gtid) && a.reused != nil {
		a.reused(g.gtid)
	}
	switch {
	case a.byGTID && g.gtid.isZero():
		return environment("mysql.gtid_off", passUnnumbered(start.file, strconv.FormatUint(start.pos, 10)), "read the log at %s: a transaction without a GTID", start)
	case a.byGTID && !g.gtid.maria && a.set.contains(g.gtid) && !a.ghosts.another(g):
		a.tx.skip = true
	case a.resume != nil && a.resume.GTID != g.gtid.String():
		return lost("mysql.part_mismatch", readAgain,
			"resume inside transaction %s: the log goes on with transaction %s at %s", a.resume.GTID, g.gtid, start)
	}
	return nil
}

// commit ends the transaction: only now is its number processed.
func (a *assembler) commit() error {
	if !a.tx.open {
		return fmt.Errorf("end of a transaction at %s, but none is open", a.here)
	}
	rows, skip := a.tx.rows, a.tx.skip
	if a.tx.xa && rows > 0 && !skip {
		return a.fateOpen()
	}
	if a.resume != nil && !skip {
		if rows < a.resume.Rows {
			return lost("mysql.part_mismatch", readAgain,
				"resume inside transaction %s after row %d: it has %d rows", a.tx.head.gtid, a.resume.Rows, rows)
		}
		a.resume = nil
	}
	a.close()
	if rows == 0 || skip {
		return nil
	}
	a.b.Transactions++
	return a.ended()
}

func (a *assembler) close() {
	g := a.tx.head.gtid
	if !g.isZero() {
		a.set.add(g)
		a.settle(g)
		if g.maria {
			a.logged.add(g)
		}
		a.last, a.anchor = g, anchor{File: a.tx.start.file, Pos: a.tx.start.pos, Created: a.created, When: a.tx.when, First: a.tx.first, Commit: a.tx.head.commit}
	}
	a.tx.open, a.done = false, a.here
}

func (a *assembler) settle(g gtid) {
	if len(a.ghosts) > 0 {
		one := &mysqlSet{}
		one.add(g)
		a.ghosts = a.ghosts.without(one)
	}
}

// prepared reads the end of the first half of an XA transaction, whose fate is open, or of one that is committed in one phase.
func (a *assembler) prepared(e body) error {
	if !a.tx.open {
		return fmt.Errorf("end of a prepared transaction at %s, but none is open", a.here)
	}
	one, err := inOnePhase(e)
	if err != nil {
		return err
	}
	a.tx.xa = !one
	return nil
}

// inOnePhase reads an XA_PREPARE event.
func inOnePhase(e body) (bool, error) {
	const phase, format, lengths, names = 1, 4, 8, 128
	b, err := e.all(phase + format + lengths + names)
	if err == nil && len(b) < phase+format+lengths {
		err = errShort
	}
	if err != nil {
		return false, fmt.Errorf("read XA_PREPARE event: %w", err)
	}
	return b[0] == 1, nil
}

// rollback ends a transaction that the server logged and undid, since it changed something that can't be
// undone too. Its rows were never committed.
func (a *assembler) rollback() error {
	if a.tx.handed > 0 {
		return lost("mysql.rollback_logged", "don't change non-transactional tables in transactions that write to the outbox",
			"read transaction %s: it was rolled back after %d rows, which the log has all the same", a.tx.head.gtid, a.tx.rows)
	}
	if a.tx.open {
		a.undo()
		a.tx.rows = 0
	}
	return a.commit()
}

// undo takes the open transaction's rows out of the batch.
func (a *assembler) undo() {
	if a.tx.open && a.tx.handed == 0 {
		a.b.Rows, a.b.Buf = a.b.Rows[:a.tx.batchLen], a.b.Buf[:a.tx.bufLen]
	}
}

// payload takes the events of a compressed transaction. Its end counts only when the whole has been read
// and verified.
func (a *assembler) payload(e body) error {
	if !a.tx.open {
		return fmt.Errorf("compressed transaction at %s without a GTID event", a.here)
	}
	if err := a.packed.open(e); err != nil {
		return err
	}
	over := false
	err := a.packed.each(func(h header) (err error) {
		over, err = a.packedEvent(h)
		return err
	})
	if err != nil {
		return outbox.Within(err, "read compressed transaction %s", a.tx.head.gtid)
	}
	a.packed.big = shrunk(a.packed.big)
	if over {
		return a.commit()
	}
	return nil
}

func (a *assembler) packedEvent(h header) (over bool, err error) {
	switch h.kind {
	case evXID:
		return true, nil
	case evXAPrepare:
		return true, a.prepared(&a.packed)
	case evTableMap:
		return false, a.tableMap(&a.packed)
	case evQuery:
		q, err := a.readQuery(h, &a.packed)
		if err != nil {
			return false, err
		}
		if string(q.text) == "COMMIT" {
			return true, nil
		}
		return false, a.query(q)
	}
	here := a.here // what is inside has no place of its own
	err = a.event(h, &a.packed)
	a.here = here
	return false, err
}
