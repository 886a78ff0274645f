package walstream

import (
	"errors"
	"fmt"
	"slices"

	"outferry/outbox"
)

// relation is one shape of a table, as the server announces it before the first row in that shape.
type relation struct {
	table   *outbox.Table // nil: not one of ours
	convert []int         // columns whose text must change to be canonical
	filled  []int         // columns that the catalog says are NOT NULL
	renamed string        // what one of ours is called here, where the file does not call it so
	err     error         // it can't be described, and no row needed that yet
}

// assembler turns pgoutput messages into rows. It does no I/O: a relation's kinds come from describe.
type assembler struct {
	describe  func(relationMessage) (*outbox.Table, error) // nil for a table that is not ours
	relations map[uint32]*relation
	lastOID   uint32
	last      *relation

	raw bool // values stay as the server writes them

	start  lsn   // transactions that end here or earlier are published
	resume *part // the transaction after start is published up to here
	end    lsn   // of the last transaction that is over

	anchor  anchor // the newest transaction that is over and had rows of ours; zero: none is known
	compare bool   // what comes before start must be what was published
	owed    bool   // the anchor comes first
	proven  func() // hears that it was

	open     bool // inside a transaction
	skip     bool // it is published already
	tx       beginMessage
	rows     int64 // of our tables, in this transaction
	inserts  bool  // some of them are
	batchLen int   // of the batch when it began
}

func newAssembler(from *position, describe func(relationMessage) (*outbox.Table, error)) *assembler {
	a := &assembler{describe: describe, relations: map[uint32]*relation{}, start: from.LSN, resume: from.Part, end: from.LSN}
	if from.Anchor != nil {
		a.anchor = *from.Anchor
	}
	return a
}

// message adds what one message says to the batch. Values alias data.
func (a *assembler) message(b *outbox.Batch, data []byte) error {
	if len(data) == 0 {
		return errShort
	}
	d := decoder{data: data[1:]}
	switch data[0] {
	case msgInsert:
		return a.row(b, &d, outbox.Insert)
	case msgBegin:
		return a.begin(b, &d)
	case msgCommit:
		return a.commit(b, &d)
	case msgRelation:
		return a.relation(&d)
	case msgUpdate:
		return a.row(b, &d, outbox.Update)
	case msgOrigin, msgType, msgDelete, msgTruncate, msgMessage:
		return nil
	}
	return fmt.Errorf("message of unknown type %q", data[0])
}

func (a *assembler) begin(b *outbox.Batch, d *decoder) (err error) {
	if a.open {
		return fmt.Errorf("transaction %d begins inside transaction %d", d.uint32(), a.tx.xid)
	}
	if a.tx, err = decodeBegin(d); err != nil {
		return fmt.Errorf("read BEGIN: %w", err)
	}
	a.open, a.rows, a.inserts, a.batchLen = true, 0, false, len(b.Rows)
	a.skip = a.tx.final < a.start
	if a.owed && !a.atAnchor() {
		return a.otherHistory()
	}
	a.owed = false
	if a.compare && !a.skip {
		a.compared()
	}
	if a.resume != nil && !a.skip && (a.tx.xid != a.resume.XID || a.tx.final != a.resume.FinalLSN) {
		return lost("pg.part_mismatch", a.readAgain(),
			fmt.Errorf("resume inside transaction %d at %s: got transaction %d at %s", a.resume.XID, a.resume.FinalLSN, a.tx.xid, a.tx.final))
	}
	return nil
}

// readAgain is the remedy for a transaction that is not the one that was published in part.
func (a *assembler) readAgain() string {
	return "compare its rows with Kafka; then publish what the slot has from there on, as a whole: outferry offsets set NAME --lsn " + a.end.String()
}

func (a *assembler) commit(b *outbox.Batch, d *decoder) error {
	m, err := decodeCommit(d)
	if err != nil {
		return fmt.Errorf("read COMMIT: %w", err)
	}
	if !a.open || m.commit != a.tx.final {
		return fmt.Errorf("COMMIT at %s does not end the transaction that began for %s", m.commit, a.tx.final)
	}
	if a.resume != nil && !a.skip {
		if a.rows < a.resume.Rows {
			return lost("pg.part_mismatch", a.readAgain(),
				fmt.Errorf("resume inside transaction %d after row %d: it has %d rows", a.tx.xid, a.resume.Rows, a.rows))
		}
		a.resume = nil
	}
	a.open = false
	if !a.skip {
		a.end = m.end
		if a.rows > 0 {
			b.Transactions++
		}
		if a.inserts {
			a.anchor = anchor{XID: a.tx.xid, FinalLSN: a.tx.final, Commit: a.tx.commit}
		}
	}
	return nil
}

func (a *assembler) relation(d *decoder) error {
	m, err := decodeRelation(d)
	if err != nil {
		return fmt.Errorf("read RELATION: %w", err)
	}
	table, err := a.describe(m)
	r := &relation{table: table}
	switch {
	case err == errRenamed:
		r.renamed = m.schema + "." + m.name
	case a.skip:
		r.err = err
	case err != nil:
		return err
	}
	if table != nil {
		for i := range table.Columns {
			if !a.raw && !isCanonical(&table.Columns[i]) {
				r.convert = append(r.convert, i)
			}
			if !table.Columns[i].Nullable {
				r.filled = append(r.filled, i)
			}
		}
	}
	a.relations[m.oid] = r
	a.lastOID, a.last = m.oid, r
	return nil
}

// errRenamed: a table that is not called so in source.tables, and is one of ours.
var errRenamed = errors.New("a table of ours has another name")

// renamed is the fault for a row of a table of ours under another name.
func (a *assembler) renamed() error {
	return lost("pg.table_renamed", "name it in source.tables; or start over with outferry offsets reset NAME; or, when it has its name again, pass this transaction by: "+a.tx.passBy(),
		fmt.Errorf("transaction %d at %s: a table of source.tables is called %s here", a.tx.xid, a.tx.final, a.last.renamed))
}

// row adds an inserted or updated row of our tables to the batch.
func (a *assembler) row(b *outbox.Batch, d *decoder, op outbox.Op) error {
	if wanted, err := a.wants(d.uint32(), op); err != nil || !wanted {
		return err
	}
	return a.decodeRow(b, d, op)
}

// wants counts a row of a relation, and reports whether it is one of ours that is not published yet.
func (a *assembler) wants(oid uint32, op outbox.Op) (bool, error) {
	if oid != a.lastOID || a.last == nil {
		r, ok := a.relations[oid]
		if !ok {
			return false, fmt.Errorf("row of relation %d, which was not announced", oid)
		}
		a.lastOID, a.last = oid, r
	}
	if a.last.renamed != "" && op == outbox.Insert && !a.skip {
		return false, a.renamed()
	}
	if a.last.err != nil && !a.skip {
		return false, a.last.err
	}
	if a.last.table == nil {
		return false, nil
	}
	if a.skip {
		return false, a.known(op)
	}
	if !a.open {
		return false, fmt.Errorf("row of %s outside a transaction", a.last.table)
	}
	a.rows++
	a.inserts = a.inserts || op == outbox.Insert
	return a.resume == nil || a.rows > a.resume.Rows, nil
}

// needs reports whether a message, of which the head is here, has to be read. As in message, deletes say nothing.
func (a *assembler) needs(head []byte) (bool, error) {
	d := decoder{data: head[1:]}
	switch head[0] {
	case msgInsert:
		return a.wants(d.uint32(), outbox.Insert)
	case msgUpdate:
		return a.wants(d.uint32(), outbox.Update)
	case msgDelete, msgTruncate:
		return false, nil
	}
	return true, nil
}

// atAnchor reports whether the transaction is the anchor.
func (a *assembler) atAnchor() bool {
	return a.anchor == anchor{XID: a.tx.xid, FinalLSN: a.tx.final, Commit: a.tx.commit}
}

// known refuses a row before the position that was not published.
func (a *assembler) known(op outbox.Op) error {
	if a.compare && op == outbox.Insert && !a.atAnchor() {
		return a.otherHistory()
	}
	return nil
}

// sent hears that the server has sent everything up to a place.
func (a *assembler) sent(end lsn) error {
	switch {
	case !a.compare || a.open || end < a.start:
		return nil
	case a.owed:
		return a.otherHistory()
	}
	a.compared()
	return nil
}

func (a *assembler) compared() {
	a.compare = false
	a.proven()
}

func (a *assembler) otherHistory() error {
	err := fmt.Errorf("continue at %s: the log has transaction %d at %s before it, and it was not published", a.start, a.tx.xid, a.tx.final)
	if a.owed {
		err = fmt.Errorf("continue at %s: the log lacks transaction %d at %s, which was published", a.start, a.anchor.XID, a.anchor.FinalLSN)
	}
	return lost("pg.other_history", "the server looks like one that was put back from a copy, or promoted beside another: compare its rows with Kafka; then publish what the slot has, some of it again: outferry offsets set NAME --from-slot", err)
}

func (a *assembler) decodeRow(b *outbox.Batch, d *decoder, op outbox.Op) error {
	form := d.byte()
	r := b.AddRow(a.last.table, op, a.tx.commit)
	if op == outbox.Update && (form == 'K' || form == 'O') { // the old row comes first
		if err := decodeTuple(d, r.Values); err != nil && err != errUnchanged {
			return fmt.Errorf("read old row of %s: %w", a.last.table, err)
		}
		form = d.byte()
	}
	if form != 'N' {
		return fmt.Errorf("row of %s has unknown form %q", a.last.table, form)
	}
	if err := decodeTuple(d, r.Values); err != nil {
		if op == outbox.Update && err == errUnchanged {
			return nil // an update is counted, never published
		}
		return fmt.Errorf("read row of %s: %w", a.last.table, err)
	}
	if op == outbox.Insert {
		a.last.loosen(r)
	}
	for _, i := range a.last.convert {
		if r.Values[i] == nil {
			continue
		}
		v, err := canonical(&r.Table.Columns[i], r.Values[i])
		if err != nil {
			return fmt.Errorf("column %s of %s: %w", r.Table.Columns[i].Name, r.Table, err)
		}
		r.Values[i] = v
	}
	return nil
}

// loosen takes a column's NOT NULL back for a row that has none: the catalog's may be younger than the row.
func (rel *relation) loosen(r *outbox.Row) {
	for _, i := range rel.filled {
		if r.Values[i] != nil {
			continue
		}
		t := *rel.table
		t.Columns = slices.Clone(t.Columns)
		t.Columns[i].Nullable = true
		rel.table, r.Table = &t, &t
		rel.filled = slices.DeleteFunc(slices.Clone(rel.filled), func(filled int) bool { return filled == i })
	}
}

// located says where in the log an error stands. A fault keeps its code; anything else is a message
// that we can't read, which stops the pipeline rather than skip a row.
func (a *assembler) located(err error) error {
	var f *outbox.Fault
	if errors.As(err, &f) {
		return err
	}
	return unreadable("read transaction %d at %s: %w", a.tx.xid, a.tx.final, err)
}

// position fills where the stream stands now into p: inside the open transaction, or whole, before it.
func (a *assembler) position(p *position, whole bool) {
	p.LSN, p.Part = a.end, nil
	if a.anchor.FinalLSN > 0 {
		p.Anchor = &a.anchor
	}
	if a.open && !a.skip && a.rows > 0 && !whole {
		p.Part = &part{XID: a.tx.xid, FinalLSN: a.tx.final, Rows: a.rows}
	}
	if a.resume != nil && (p.Part == nil || p.Part.Rows < a.resume.Rows) {
		p.Part = a.resume
	}
}
