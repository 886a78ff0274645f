package binlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"outferry/internal/transport"
	"outferry/outbox"
)

const (
	pollEvery = time.Second           // between looks at what else is due, when the server is silent
	holdRows  = 50 * time.Millisecond // the longest that a few rows wait for others to fill their batch
)

// stream reads the log and hands batches over. One goroutine, Run's, owns it.
type stream struct {
	*session
	ctx     context.Context
	conn    net.Conn
	pending func() bool // something waits at the socket
	wire    *wire
	asm     *assembler

	pos      position // identity and phase; the place is filled at each hand-over
	started  bool     // an event has come
	handed   string   // position of the last batch
	handedAt time.Time
	partial  bool // the last batch ended inside a transaction
	lagAt    time.Time
	end      place // of the log, then
	late     bool  // and said so
	learnt   place // where the log ended when the layouts were found missing
	glimpse  glimpse
}

// stream asks for the log after pos and reads until ctx ends.
func (h *session) stream(ctx context.Context, pos *position) error {
	floor, err := h.floor(pos)
	if err != nil {
		return err
	}
	id, err := queryOne(h.dump, "SELECT CONNECTION_ID()")
	if err != nil {
		return transient("mysql.connection", "ask for the number of the connection: %w", plain(err))
	}
	if err := h.requestDump(h.dump, pos, false); err != nil {
		return err
	}
	st, err := h.newStream(ctx, pos, socketOf(h.dump))
	if err != nil {
		return err
	}
	st.asm.floor = floor
	err = st.run()
	why := err
	if ctx.Err() != nil {
		why = context.Cause(ctx)
	}
	var f *outbox.Fault
	if !errors.As(why, &f) || f.Class != outbox.Transient { // else it may be another server by now
		h.endDump(id[0])
	}
	return err
}

// floor is a place that has all of the position's set before it. Asked by GTID, MariaDB leaves out what of the set lies behind
// the place that we have read to, which asked by that place it would send.
func (h *session) floor(pos *position) (place, error) {
	if h.srv.kind != mariaKind || !pos.asksByGTID() {
		return place{}, nil
	}
	end, err := logStatus(h.cat, h.srv)
	if err != nil {
		return place{}, h.denied(err, h.srv)
	}
	return end.place, nil
}

// begins: the server has found the place and sends what follows, if only that it lives.
func (st *stream) begins() {
	st.started = true
	if st.opt.Phase != nil {
		st.opt.Phase(phaseStream)
	}
	st.log.Info("streaming", "position", st.pos.String(), "server", st.srv.version)
}

func (h *session) newStream(ctx context.Context, pos *position, conn net.Conn) (*stream, error) {
	st := &stream{session: h, ctx: ctx, conn: conn, pos: *pos, handedAt: time.Now()}
	st.pos.Phase, st.pos.Snapshot, st.pos.Tables = phaseStream, nil, h.tableNames()
	var err error
	if st.pending, err = transport.Pending(conn); err != nil {
		return nil, transient("mysql.connection", "read the log: %w", err)
	}
	st.wire = newWire(st.fill, st.boundary)
	st.asm, err = h.newAssembler(pos)
	if err != nil {
		return nil, err
	}
	st.asm.turnOver = func(size int) (*outbox.Batch, error) {
		b, err := st.replace(size, false)
		if err != nil {
			st.asm.b = nil // it may be with the pipeline
		}
		return b, err
	}
	st.asm.ended = st.ended
	return st, nil
}

func (h *session) newAssembler(pos *position) (*assembler, error) {
	set, err := parseGTIDSet(pos.Kind, pos.GTID)
	if err != nil {
		return nil, err
	}
	gone, err := parseGhosts(pos.Ghosts)
	if err != nil {
		return nil, err
	}
	a := &assembler{set: set.clone(), ghosts: gone, byGTID: pos.ByGTID, resume: pos.Part, ours: map[string]bool{},
		fold: h.srv.folds(), maxEvent: int(h.cfg.Source.MaxRow) + wireBuffer, updates: h.cfg.Router.OnUpdate != "ignore"}
	if pos.Anchor != nil {
		a.anchor = *pos.Anchor
	}
	a.here = place{pos.File, pos.Pos}
	a.done = a.here
	for _, t := range h.tables(h.srv) {
		a.ours[h.srv.key(t.String())] = true
	}
	a.shaper = &shaper{kind: h.srv.kind, charsets: h.srv.charsets, uuid: h.uuidColumns, codes: map[string]codes{}, ask: h.codesOf,
		key: h.srv.key, layouts: h.storedLayouts(pos, a.ours)}
	a.shaper.learn = func(rows *tableMap) error { return h.learn(a, a.tx.start, rows) }
	a.shaper.told = func(metadata string) { h.srv.vars["binlog_row_metadata"] = metadata } // it may have changed since we connected
	a.altered = h.altered
	a.brought = h.warnOfBrought
	a.reshaped = func() error { return h.learn(a, a.here, nil) }
	a.reused = h.warnOfReuse
	a.onePhase = h.onePhase
	if h.srv.kind == mariaKind {
		a.whole = h.whole
	}
	a.skipped = func(reason string, n int) {
		if h.opt.Skipped != nil {
			h.opt.Skipped(reason, n)
		}
	}
	return a, nil
}

// altered looks at the catalog after a statement that names one of our tables, and at a layout that is new. Where the log tells all
// the account needs no right to all columns.
func (h *session) altered(statement string) error {
	if statement != "" {
		h.log.Info("a statement may have changed an outbox table", "statement", statement)
		for _, t := range h.tables(h.srv) {
			if err := h.awaitChange(t); err != nil && !isDenied(err) {
				return err
			}
		}
	}
	return h.checkTables()
}

// warnOfBrought: the log has the statement, but nothing of the rows.
func (h *session) warnOfBrought(statement string) {
	h.log.Warn("a statement may have brought rows into an outbox table that are in no log, so that they are not published", "code", "mysql.rows_unlogged", "statement", statement,
		"remedy", "compare the table with Kafka, and insert what is missing anew")
}

// run reads until the context ends or the stream breaks.
func (st *stream) run() (err error) {
	if st.asm.b, err = st.room(0); err != nil {
		return err
	}
	for {
		h, err := st.wire.next()
		if err == nil {
			err = st.event(h)
		}
		if err != nil {
			return st.broken(err)
		}
	}
}

func (st *stream) event(h header) error {
	if !st.started && h.kind != evRotate && h.kind != evFormat && h.kind != evMariaGTIDList {
		st.begins()
	}
	if h.kind == evFormat {
		if err := st.wire.format(); err != nil {
			return err
		}
		return st.fileBegan(h)
	}
	if err := st.asm.event(h, st.wire); err != nil {
		return err
	}
	st.wire.shrink()
	return nil
}

// fileBegan: where the log is asked for by place the moment at which the server began the file is what proves that it is the file
// we know.
func (st *stream) fileBegan(h header) error {
	if a := st.pos.Anchor; !st.pos.asksByGTID() && a != nil && a.File == st.asm.here.file && a.Created != 0 && a.Created != h.when {
		return bornAnew(&st.pos, h.when)
	}
	st.asm.created = h.when
	st.handedAt = time.Time{} // the file before it may be purged now: the position moves on at once
	return st.asm.fileBegan(h)
}

// broken says where in the log an error stands, after handing over what is complete. A fault keeps its
// code; an event that can't be read stops the pipeline rather than skip a row.
func (st *stream) broken(err error) error {
	var f *outbox.Fault
	var se *serverError
	switch {
	case st.ctx.Err() != nil:
		return st.ctx.Err()
	case torn(err):
		err = st.tear()
	case errors.As(err, &se) && !errors.As(err, &f):
		err = st.dumpFault(err, &st.pos, st.started)
	case errors.Is(err, errChecksum):
		err = transient("mysql.checksum", "read the log after %s: %w", st.asm.here, err)
	case !errors.As(err, &f):
		err = &outbox.Fault{Code: "mysql.unreadable", Class: outbox.Internal,
			Err: fmt.Errorf("read the log at %s, transaction %s: %w", st.asm.here, st.asm.tx.head.gtid, err)}
	default:
		st.nameWayOn(f)
	}
	if st.asm.tx.handed == 0 && st.asm.b != nil {
		st.asm.undo()
		st.asm.tx.open = false
		if b := st.asm.b; len(b.Rows) > 0 || st.asm.news {
			st.asm.b = nil
			if failed := st.handOver(b, true); failed != nil {
				return failed // the command of the fault passes by all that is not delivered
			}
		}
	}
	return err
}

// tear moves the place behind a torn file, from where the next session asks.
func (st *stream) tear() error {
	if err := st.passTear(st.asm); err != nil {
		var f *outbox.Fault
		if errors.As(err, &f) {
			st.nameWayOn(f)
		}
		return err
	}
	st.asm.news = true
	return transient("mysql.connection", "read the log: the server ended it where it crashed, going on at %s", st.asm.done)
}

// ended is called at the end of each transaction with rows.
func (st *stream) ended() error {
	if !st.opt.Single {
		return nil
	}
	b, err := st.replace(0, true)
	st.asm.b = b
	return err
}

// boundary is called when all that was read is parsed. If nothing waits at the socket either, what is complete
// goes on its way at once; in a log full of others' rows, after a moment.
func (st *stream) boundary() error {
	if st.asm.tx.open {
		return nil
	}
	dry := !st.pending()
	if err := st.learnAtEnd(dry); err != nil {
		return err
	}
	switch {
	case len(st.asm.b.Rows) == 0 && !st.asm.news && !st.partial && !st.idleDue(): // partial: its rows filled the last batch, its end came alone
		return nil
	case len(st.asm.b.Rows) > 0 && !dry && time.Since(st.handedAt) < holdRows:
		return nil
	}
	b, err := st.replace(0, true)
	st.asm.b = b
	return err
}

// idleDue reports whether an idle pipeline should move its position, so that a restart reads little and the
// log may be purged.
func (st *stream) idleDue() bool {
	if time.Since(st.handedAt) < st.cfg.Source.HeartbeatInterval {
		return false
	}
	p := st.position(false)
	if p.mark() == st.handed {
		st.handedAt = time.Now()
		return false
	}
	return true
}

// position is where the stream stands, or whole, where the open transaction began.
func (st *stream) position(whole bool) *position {
	p := st.pos
	st.asm.position(&p, whole)
	if p.Kind == mariaKind && st.asm.created != 0 {
		p.Began = st.asm.created
	}
	if !p.ByGTID {
		p.Anchor = &anchor{File: p.File, Created: st.asm.created}
	}
	return &p
}

// replace hands the batch over and returns an empty one with room for size bytes at least.
func (st *stream) replace(size int, dry bool) (*outbox.Batch, error) {
	old, ended := st.asm.b, 0
	if len(old.Rows) > 0 || dry {
		if err := st.handOver(old, dry); err != nil {
			return nil, err
		}
	} else {
		ended = old.Transactions // its rows are with the pipeline
		old.Release()
	}
	b, err := st.room(size)
	if err == nil {
		b.Transactions = ended
	}
	return b, err
}

func (st *stream) handOver(b *outbox.Batch, dry bool) error {
	p := st.position(false)
	b.Position, b.Partial, b.Dry = p.appendTo(b.Position[:0]), p.Part != nil, dry
	if b.Partial && st.asm.tx.batchLen > 0 {
		b.Whole, b.WholePosition = st.asm.tx.batchLen, st.position(true).appendTo(b.WholePosition[:0])
	}
	st.handed, st.handedAt, st.partial, st.asm.news = p.mark(), time.Now(), b.Partial, false
	b.Filled()
	for {
		select { // without a timer
		case st.out <- b:
			return nil
		default:
		}
		select {
		case st.out <- b:
			return nil
		case <-st.ctx.Done():
			return st.ctx.Err()
		case <-time.After(pollEvery):
			if err := st.upkeep(false); err != nil {
				return err
			}
		}
	}
}

// room gets a batch from the pool. While the pipeline holds all of it the log is read no further; the server
// waits as long as net_write_timeout says.
func (st *stream) room(size int) (*outbox.Batch, error) {
	for {
		if b := st.pool.Get(size); b != nil {
			return b, nil
		}
		select {
		case <-st.pool.Freed():
		case <-st.ctx.Done():
			return nil, st.ctx.Err()
		case <-time.After(pollEvery):
			if err := st.upkeep(false); err != nil {
				return nil, err
			}
		}
	}
}

// fill reads what has come, and waits until something does. A server that is alive sends heartbeats.
func (st *stream) fill(free []byte) (int, error) {
	waiting := time.Now()
	for {
		if err := st.ctx.Err(); err != nil {
			return 0, err
		}
		if err := st.conn.SetReadDeadline(time.Now().Add(pollEvery)); err != nil {
			return 0, transient("mysql.connection", "set read deadline: %w", err)
		}
		n, err := st.conn.Read(free)
		if n > 0 {
			return n, st.upkeep(n < len(free))
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if quiet := time.Since(waiting); quiet > st.set.readTimeout {
				return 0, transient("mysql.silent", "read the log: nothing came for %s", quiet.Round(time.Second))
			}
			if err := st.assure(); err != nil {
				return 0, err
			}
		case errors.Is(err, io.EOF):
			return 0, transient("mysql.connection", "read the log: the server closed the connection")
		default:
			return 0, transient("mysql.connection", "read the log: %w", err)
		}
	}
}

// assure: nothing came for a while. A server that has sent a file's head and still answers has nothing to send; its first
// heartbeat may come later.
func (st *stream) assure() error {
	if !st.started && st.asm.created != 0 {
		if _, err := logStatus(st.cat, st.srv); err != nil {
			return st.denied(err, st.srv)
		}
		st.begins()
	}
	return st.upkeep(true)
}
