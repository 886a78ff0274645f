package binlog

import (
	"bytes"
	"fmt"

	"outferry/outbox"
)

// assembler turns events into rows of committed transactions. It does no I/O but what its hooks do.
type assembler struct {
	shaper   *shaper
	ours     map[string]bool // schema.table
	fold     bool            // table names are stored as written and compared in lower case
	maxEvent int             // bytes of an event with rows of ours
	updates  bool            // rows of updates are handed over too

	turnOver func(size int) (*outbox.Batch, error) // hands the batch over and returns an empty one
	ended    func() error                          // a transaction with rows is complete
	altered  func(statement string) error          // a statement names one of our tables
	brought  func(statement string)                // and may have brought rows into it
	reshaped func() error                          // and may have changed its columns
	reused   func(gtid)                            // MariaDB: a number that is not above the last of its domain
	onePhase func(at place) (bool, error)          // whether the XA transaction there is committed without being prepared
	whole    func(*transaction) (bool, error)      // MariaDB: whether the open one has its end in the log
	skipped  func(reason string, n int)

	b        *outbox.Batch
	at       rowsEvent // that is being read
	rows     rowBuffer
	packed   payload
	inflater inflater // of compressed events

	set     gtidSet
	logged  gtidList // MariaDB: read in this session
	ghosts  ghostSet // of it
	byGTID  bool
	here    place   // after the last event
	floor   place   // MariaDB, asked by GTID: all of the set that we began with is before it
	told    place   // where a silent server says that it reads: it keeps from us what we have already
	done    place   // after the last complete transaction
	last    gtid    // of this session, which is the anchor's: to name each transaction would cost more than to read it
	anchor  anchor  // without its GTID, where there is a last
	created uint32  // when the server began the file that we read
	resume  *part   // the next transaction is published up to here
	beyond  *beyond // where rows without names end; nil: with their transaction
	news    bool    // a position is worth handing over without rows: it has other layouts, or is behind a torn file

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

func (p place) before(q place) bool {
	m, n := fileNumber(p.file), fileNumber(q.file)
	return m < n || m == n && p.pos < q.pos
}

// event takes one event. The body is read only as far as it matters.
func (a *assembler) event(h header, e body) error {
	a.track(h)
	if a.tx.open && a.tx.first == 0 && changes(h.kind) {
		a.tx.first = h.when
	}
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
		if err := a.prepared(e); err != nil {
			return err
		}
		return a.commit()
	case evRotate:
		return a.rotate(e)
	case evHeartbeat, evHeartbeat2:
		return a.heartbeat(h, e)
	case evMariaCheckpoint, evMariaGTIDList, evMariaEncryption:
		if !a.tx.open {
			a.done = a.here // the head of a file, which holds nothing of ours
		}
		return nil
	case evIncident:
		return lost("mysql.incident", "compare the table with Kafka, and start over with outferry offsets reset NAME if rows are missing",
			"read the log at %s: the server reports an incident", a.here)
	}
	return a.others(h)
}

// changes reports whether an event is what a transaction's first change begins with.
func changes(kind byte) bool { return kind == evTableMap || kind == evQuery || kind == evMariaQueryZ }

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

// fileBegan reads a file's first event. What is open then and must have an end has none.
func (a *assembler) fileBegan(h header) error {
	a.track(h)
	if a.tx.open && a.tx.head.gtid.maria && a.tx.began {
		if err := a.torn(); err != nil {
			return err
		}
	}
	if !a.tx.open {
		a.done = a.here
	}
	return nil
}

// heartbeat notes a place that only the lag is told by.
func (a *assembler) heartbeat(h header, e body) error {
	pos := a.here.pos&^0xffffffff | uint64(h.end)
	if h.kind == evHeartbeat2 {
		b, err := e.all(formatMaxSize)
		if err != nil {
			return err
		}
		pos = decodeHeartbeat(b)
	}
	a.told = place{a.here.file, pos}
	return nil
}

// seen is how far the log is known.
func (a *assembler) seen() place {
	if a.told.file == a.here.file && a.told.pos > a.here.pos {
		return a.told
	}
	return a.here
}

// reached reports whether the log is known up to a place.
func (a *assembler) reached(at place) bool { return !a.seen().before(at) }

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

// tableMap notes what a table id means. Most tables are not ours, and no more of them is read.
func (a *assembler) tableMap(e body) error {
	ours, id, err := a.announced(e)
	if err != nil {
		return err
	}
	ref := tableRef{id: id}
	if ours {
		b, err := e.all(a.maxEvent)
		if err != nil {
			return fmt.Errorf("read table map: %w", err)
		}
		if ref.shape, err = a.shapeOf(b); err != nil {
			return err
		}
	}
	a.tx.announce(ref)
	return nil
}

// announced reads whose rows will follow.
func (a *assembler) announced(e body) (ours bool, id uint64, err error) {
	const names = 6 + 2 + 1 + 255 + 1 + 1 + 255
	b, err := e.peek(names)
	if err != nil {
		return false, 0, err
	}
	id, schema, table, c := tableMapName(b)
	if c.bad {
		return false, id, fmt.Errorf("read table map: %w", errShort)
	}
	return a.isOurs(schema, table), id, nil
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

// position fills where the stream stands now into p: inside the open transaction, or whole, before it.
func (a *assembler) position(p *position, whole bool) {
	p.Part, p.Anchor, p.Layout = nil, nil, a.shaper.layouts
	if a.byGTID {
		p.GTID, p.Ghosts, p.Logged = a.set.String(), a.ghosts.stored(), p.Logged.with(a.logged)
	}
	p.File, p.Pos = a.done.file, a.done.pos
	if a.anchor.File != "" {
		at := a.anchor
		if !a.last.isZero() {
			at.GTID = a.last.String()
		}
		p.Anchor = &at
	}
	if a.tx.open && !a.tx.skip && a.tx.rows > 0 && !whole {
		p.File, p.Pos = a.tx.start.file, a.tx.start.pos
		p.Part = &part{GTID: a.tx.head.gtid.String(), Rows: a.tx.rows, Undone: a.tx.undone}
	}
	p.Behind = (place{p.File, p.Pos}).before(a.floor)
	if a.resume != nil && (p.Part == nil || p.Part.Rows < a.resume.Rows) {
		p.Part = a.resume
	}
}
