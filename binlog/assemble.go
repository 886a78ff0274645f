package binlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"outferry/outbox"
)

// assembler turns events into rows of committed transactions. It does no I/O but what its four hooks do.
type assembler struct {
	shaper   *shaper
	ours     map[string]bool // schema.table
	fold     bool            // table names are stored as written and compared in lower case
	maxEvent int             // bytes of an event with rows of ours
	updates  bool            // rows of updates are handed over too

	turnOver func(size int) (*outbox.Batch, error) // hands the batch over and returns an empty one
	ended    func() error                          // a transaction with rows is complete
	altered  func(statement string) error          // a statement names one of our tables
	skipped  func(reason string, n int)

	b      *outbox.Batch
	rows   rowBuffer
	packed payload

	set    gtidSet
	byGTID bool
	here   place // after the last event
	done   place // after the last complete transaction
	anchor anchor
	resume *part // the next transaction is published up to here

	tx     transaction
	shapes []*shape // of our tables, as last seen
	key    []byte
}

// place is a byte position in a file of the log.
type place struct {
	file string
	pos  uint64
}

func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.pos) }

// transaction is the group of events being read.
type transaction struct {
	open     bool
	skip     bool // it is published already
	began    bool // rows and statements may come until an end mark
	xa       bool
	handed   bool  // a part of it is with the pipeline
	rows     int64 // of our tables
	head     group
	start    place
	batchLen int // of the batch when it began
	bufLen   int
	tables   []tableRef
}

// tableRef is what a table id means until the transaction ends. A nil shape is a table of others.
type tableRef struct {
	id    uint64
	shape *shape
}

// event takes one event. The body is read only as far as it matters.
func (a *assembler) event(h header, e body) error {
	a.track(h)
	switch h.kind {
	case evWriteRows1, evWriteRows2, evMariaWriteRowsZ, evMariaWriteZ2, evUpdateRows1, evUpdateRows2, evMariaUpdateZ, evMariaUpdateZ2,
		evWriteRows0, evPartialUpdate:
		return a.rowsEvent(h, e)
	case evTableMap:
		return a.tableMap(e)
	case evGTID, evAnonymousGTID, evTaggedGTID, evMariaGTID:
		return a.begin(h, e)
	case evXID:
		return a.commit()
	case evQuery, evMariaQueryZ, evExecLoadQuery:
		return a.queryEvent(h, e)
	case evPayload:
		return a.payload(e)
	case evXAPrepare:
		return a.prepared()
	case evRotate:
		return a.rotate(e)
	case evIncident:
		return lost("mysql.incident", "the server lost events of its own log; "+acceptGap,
			"read the log at %s: the server reports an incident", a.here)
	}
	return a.others(h)
}

// others passes over the events that are known to hold no rows of committed transactions. One that nobody
// here knows may be a new form of rows, unless its writer says that it may be ignored.
func (a *assembler) others(h header) error {
	const ignorable = 0x80
	if h.kind <= evTaggedGTID || h.kind >= evFirstMaria && h.kind <= evMariaDeleteZ2 || h.flags&ignorable != 0 {
		return nil
	}
	return fmt.Errorf("event of unknown type %d", h.kind)
}

// track follows the place in the file. The header has 32 bits of it, and MariaDB 11 none inside
// transactions.
func (a *assembler) track(h header) {
	switch {
	case h.flags&flagArtificial != 0, h.kind == evHeartbeat, h.kind == evHeartbeat2, h.kind == evRotate:
	case h.end != 0:
		end := a.here.pos&^0xffffffff | uint64(h.end)
		if end < a.here.pos {
			end += 1 << 32
		}
		a.here.pos = end
	case h.kind != evFormat:
		a.here.pos += uint64(h.size)
	}
}

func (a *assembler) rotate(e body) error {
	b, err := e.all(formatMaxSize)
	if err != nil {
		return err
	}
	r, err := decodeRotate(b)
	if err != nil {
		return fmt.Errorf("read ROTATE event: %w", err)
	}
	a.here = place{r.file, r.pos}
	if !a.tx.open {
		a.done = a.here
	}
	return nil
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
	b, err := e.all(formatMaxSize)
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
	return a.open(g, place{a.here.file, a.here.pos - uint64(h.size)})
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
	switch {
	case a.byGTID && g.gtid.isZero():
		return environment("mysql.gtid_off", "turn gtid_mode on again, or set source.mysql.position to file and move the pipeline with outferry offsets set",
			"read the log at %s: a transaction without a GTID", start)
	case a.byGTID && !g.gtid.maria && a.set.contains(g.gtid):
		a.tx.skip = true
	case a.resume != nil && a.resume.GTID != g.gtid.String():
		return lost("mysql.part_mismatch", acceptGap,
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
	if a.resume != nil && !skip {
		if rows < a.resume.Rows {
			return lost("mysql.part_mismatch", acceptGap,
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
		a.anchor = anchor{GTID: g.String(), File: a.tx.start.file, Pos: a.tx.start.pos}
	}
	a.tx.open, a.done = false, a.here
}

// prepared ends the first half of an XA transaction, whose fate is open. Its rows have stopped us already.
func (a *assembler) prepared() error {
	if !a.tx.open {
		return fmt.Errorf("end of a prepared transaction at %s, but none is open", a.here)
	}
	return a.commit()
}

// rollback ends a transaction that the server logged and undid, since it changed something that can't be
// undone too. Its rows were never committed.
func (a *assembler) rollback() error {
	if a.tx.handed {
		return environment("mysql.rollback_logged", "don't change non-transactional tables in transactions that write to the outbox",
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
	if a.tx.open && !a.tx.handed {
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
	for {
		h, err := a.packed.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read compressed transaction %s: %w", a.tx.head.gtid, err)
		}
		if over, err = a.packedEvent(h); err != nil {
			return err
		}
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

// tableMap notes what a table id means. Most tables are not ours, and no more of them is read.
func (a *assembler) tableMap(e body) error {
	const names = 6 + 2 + 1 + 255 + 1 + 1 + 255
	b, err := e.peek(names)
	if err != nil {
		return err
	}
	id, schema, table, c := tableMapName(b)
	if c.bad {
		return fmt.Errorf("read table map: %w", errShort)
	}
	ref := tableRef{id: id}
	if a.isOurs(schema, table) {
		if b, err = e.all(a.maxEvent); err != nil {
			return fmt.Errorf("read table map: %w", err)
		}
		if ref.shape, err = a.shapeOf(b); err != nil {
			return err
		}
	}
	a.tx.tables = append(a.tx.tables, ref)
	return nil
}

func (a *assembler) isOurs(schema, table []byte) bool {
	a.key = append(append(append(a.key[:0], schema...), '.'), table...)
	if a.fold {
		return a.ours[string(bytes.ToLower(a.key))]
	}
	return a.ours[string(a.key)]
}

// shapeOf returns the shape of a table map, a known one where the layout is.
func (a *assembler) shapeOf(event []byte) (*shape, error) {
	for _, s := range a.shapes {
		if bytes.Equal(s.event, event[6:]) {
			return s, nil
		}
	}
	s, err := a.shaper.shape(event)
	if err != nil {
		return nil, err
	}
	if err := a.altered(""); err != nil {
		return nil, err
	}
	a.shapes = append(a.shapes, s)
	if keep := 2 * len(a.ours); len(a.shapes) > keep {
		a.shapes = a.shapes[len(a.shapes)-keep:]
	}
	return s, nil
}

// forget drops the shapes, which a statement may have changed in ways that a table map doesn't show.
func (a *assembler) forget() { a.shapes = nil }

func shrunk(b []byte) []byte {
	if cap(b) > 4*wireBuffer {
		return nil
	}
	return b
}

// position fills where the stream stands now into p.
func (a *assembler) position(p *position) {
	p.Part, p.Anchor = nil, nil
	if a.byGTID {
		p.GTID = a.set.String()
	}
	p.File, p.Pos = a.done.file, a.done.pos
	if a.anchor.File != "" {
		at := a.anchor
		p.Anchor = &at
	}
	if a.tx.open && !a.tx.skip && a.tx.rows > 0 {
		p.File, p.Pos = a.tx.start.file, a.tx.start.pos
		p.Part = &part{GTID: a.tx.head.gtid.String(), Rows: a.tx.rows}
	}
	if a.resume != nil && (p.Part == nil || p.Part.Rows < a.resume.Rows) {
		p.Part = a.resume
	}
}
