package binlog

import (
	"context"
	"errors"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"

	"outferry/outbox"
)

// session is one Run: a connection for the log, one for the catalog, and who answered there.
type session struct {
	*Source
	out  chan<- *outbox.Batch
	dump *client.Conn
	cat  *client.Conn
	snap *client.Conn // sees the tables as they were
	srv  *server
	ctx  context.Context // of the run, for the looks at the log

	tail      tail // of the file whose transactions were last looked after
	reuseSaid bool
}

// Run streams from a position, which must be durable in Kafka, or from a first start when there is none.
// It sends batches to out until ctx ends or something breaks; the caller starts anew from what is durable.
// A nil error means that the file asked for the snapshot alone and it is done.
//
// To stop in order, stop receiving, commit, and cancel ctx.
func (s *Source) Run(ctx context.Context, from outbox.Position, out chan<- *outbox.Batch) error {
	inner, end := context.WithCancelCause(ctx)
	defer end(nil)
	h := &session{Source: s, out: out}
	defer h.close()
	err := h.run(inner, from, end)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // whatever else broke then
	case inner.Err() != nil:
		return context.Cause(inner)
	}
	return err
}

func (h *session) run(ctx context.Context, from outbox.Position, lost func(error)) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	defer closing(ctx, h.dump)()
	defer closing(ctx, h.cat)()
	if err := h.meet(ctx); err != nil {
		return err
	}
	release, err := h.claim(ctx, lost)
	if err != nil {
		return err
	}
	defer release()
	pos, err := h.begin(ctx, from)
	if err != nil {
		return err
	}
	if err := h.noteLogged(pos); err != nil {
		return err
	}
	if pos.Phase == phaseSnapshot {
		if pos, err = h.snapshot(ctx, pos); err != nil {
			return err
		}
	}
	if pos.Phase == phaseDone {
		return nil
	}
	return h.stream(ctx, pos)
}

func (h *session) open(ctx context.Context) (err error) {
	h.ctx = ctx
	if h.cat, err = h.connect(ctx); err != nil {
		return err
	}
	h.dump, err = h.connect(ctx)
	return err
}

// meet asks who answers, and whether a pipeline can run there.
func (h *session) meet(ctx context.Context) (err error) {
	if h.srv, err = askServer(h.cat); err != nil {
		return err
	}
	if err := h.preflight(ctx, h.cat, h.srv); err != nil {
		return err
	}
	h.warn()
	return h.srv.readCharsets(h.cat)
}

// warn says what works now and may not later.
func (h *session) warn() {
	v := h.srv.vars
	if v["binlog_row_metadata"] != "FULL" {
		h.log.Warn("log has no column names, so a change of the table can stop a pipeline that lags", "binlog_row_metadata", v["binlog_row_metadata"], "remedy", "SET GLOBAL binlog_row_metadata = FULL")
	}
	if v["gtid_strict_mode"] == "OFF" && h.byGTID() {
		h.log.Warn("server takes transaction numbers that it has used: after a failover rows could be missing or come again", "gtid_strict_mode", "OFF", "remedy", "SET GLOBAL gtid_strict_mode = 1")
	}
	if v["sync_binlog"] != "1" {
		h.log.Warn("server may lose the end of its log in a crash, after we published it", "sync_binlog", v["sync_binlog"], "remedy", "SET GLOBAL sync_binlog = 1")
	}
	h.warnOfFilters()
}

// warnOfFilters: rows go by the schema of their table, but statements by the default schema of their session, whatever they name.
func (h *session) warnOfFilters() {
	if end, err := logStatus(h.cat, h.srv); err == nil && len(end.only)+len(end.without) > 0 {
		h.log.Warn("server leaves statements of some sessions out of its log: a change of an outbox table among them is not noticed, and rows behind it may come with wrong column names",
			"binlog_do_db", strings.Join(end.only, ","), "binlog_ignore_db", strings.Join(end.without, ","),
			"remedy", "take both out of the server's configuration; until then change the outbox only after USE of its own schema, and SET GLOBAL binlog_row_metadata = FULL")
	}
}

// warnOfPrepared: the rows of an XA transaction stand in the log before it is committed. MySQL shows what is prepared to accounts
// with XA_RECOVER_ADMIN alone.
func (h *session) warnOfPrepared() {
	if rows, err := query(h.cat, "XA RECOVER"); err == nil && len(rows) > 0 {
		h.log.Warn("XA transactions are prepared: if they have rows of the outbox and are committed, those are not published", "code", "mysql.xa_unsupported", "transactions", len(rows),
			"remedy", "commit or roll back what XA RECOVER shows, then start over with outferry offsets reset "+h.cfg.Name)
	}
}

// warnOfReuse: MariaDB writes what SET gtid_seq_no says. We read on, since we go by the place, but a replica may take such a
// transaction for one that it has.
func (h *session) warnOfReuse(g gtid) {
	if !h.reuseSaid {
		h.log.Warn("a transaction's number is not above the last of its domain: after a failover rows could be missing or come again", "code", "mysql.gtid_reused", "gtid", g.String(),
			"remedy", "SET GLOBAL gtid_strict_mode = 1")
	}
	h.reuseSaid = true
}

// checkTables asks whether the file's tables are what they must be.
func (h *session) checkTables() error {
	for _, t := range h.tables(h.srv) {
		if err := h.checkTable(h.cat, h.srv, t); err != nil {
			return err
		}
	}
	return nil
}

func (h *session) close() {
	for _, c := range []*client.Conn{h.dump, h.cat, h.snap} {
		if c != nil {
			_ = c.Close()
		}
	}
}

// begin decides where to go on: the first start's steps, or the proof that the source continues from.
func (h *session) begin(ctx context.Context, from outbox.Position) (*position, error) {
	if from.IsZero() {
		return h.firstStart(ctx)
	}
	pos, err := parsePosition(from)
	if err != nil {
		return nil, lost("kafka.offset_invalid", "look at it with outferry offsets show, and set it with outferry offsets set", "%w", err)
	}
	if err := h.prove(pos); err != nil {
		return pos, besideSnapshot(pos, err)
	}
	if pos.Phase == phaseDone {
		h.log.Info("the snapshot is published already, and source.snapshot asks for nothing more")
	}
	if pos.Tables != nil {
		outbox.WarnOfTables(h.log.Warn, h.tableNames(), pos.Tables, pos.String())
	}
	return pos, nil
}

// besideSnapshot says what a command costs that takes a position out of a snapshot.
func besideSnapshot(pos *position, err error) error {
	var f *outbox.Fault
	if pos.Phase == phaseSnapshot && errors.As(err, &f) && strings.Contains(f.Remedy, "--accept-gap") {
		f.Remedy += ", which leaves out the rest of the snapshot; outferry offsets reset NAME begins it anew, and publishes all rows again"
	}
	return err
}

func (h *session) tableNames() (names []string) {
	for _, t := range h.tables(h.srv) {
		names = append(names, t.String())
	}
	return names
}

// firstStart takes everything that the server has executed as processed, and leaves the rows that are in
// the tables already to the snapshot.
func (h *session) firstStart(ctx context.Context) (*position, error) {
	before, err := h.layouts()
	if err != nil {
		return nil, err
	}
	h.warnOfPrepared()
	if h.cfg.Source.Snapshot != "no_data" {
		return h.firstSnapshot(ctx, before)
	}
	pos, err := h.now(h.cat)
	if err != nil {
		return nil, err
	}
	if err := h.learnAt(pos, before); err != nil {
		return nil, err
	}
	h.log.Info("first start", "position", pos.String())
	return pos, h.emit(ctx, pos)
}

// now is the position of everything that the server has committed.
func (h *session) now(c *client.Conn) (*position, error) {
	pos := h.identity(phaseStream)
	switch {
	case !pos.ByGTID:
		return pos, h.anchorAtEnd(c, pos)
	case pos.Kind == mariaKind:
		end, err := logStatus(c, h.srv)
		if err != nil {
			return nil, h.denied(err, h.srv)
		}
		return h.mariaPoint(end.place)
	}
	r, err := queryOne(c, "SELECT @@GLOBAL.gtid_executed")
	if err != nil {
		return nil, transient("mysql.connection", "ask what the server has executed: %w", err)
	}
	set, err := parseMySQLSet(r[0])
	if err != nil {
		return nil, err
	}
	pos.GTID = set.String()
	return pos, h.anchorAtEnd(c, pos) // after the set, so that all of it is before the anchor
}

// anchorAtEnd anchors a position at the end of the log, and without GTIDs places it there.
func (h *session) anchorAtEnd(c *client.Conn, pos *position) error {
	end, err := logStatus(c, h.srv)
	if err != nil {
		return h.denied(err, h.srv)
	}
	if !pos.ByGTID {
		pos.File, pos.Pos = end.file, end.pos
	}
	return h.anchorAt(pos, end.place)
}

func (h *session) anchorAt(pos *position, end place) error {
	created, err := h.fileCreated(end.file)
	if errors.Is(err, errNotSeen) { // reset or purged at this very moment
		return transient("mysql.connection", "look at file %s of the log: %w", end.file, err)
	}
	pos.Anchor = &anchor{File: end.file, Pos: end.pos, Created: created}
	return err
}

// identity is a position without a place: who and where.
func (h *session) identity(phase string) *position {
	return &position{Kind: h.srv.kind, Phase: phase, ServerUUID: h.srv.uuid, ServerID: h.srv.id(), ByGTID: h.byGTID(), Tables: h.tableNames()}
}

func (h *session) byGTID() bool { return h.srv.byGTID() && h.set.position != "file" }

// emit hands an empty batch over that only carries a position, and waits until it is durable.
func (h *session) emit(ctx context.Context, p *position) error {
	b, err := h.pool.Wait(ctx, 0)
	if err != nil {
		return err
	}
	b.Position, b.Dry = p.appendTo(b.Position[:0]), true
	if err := b.Send(ctx, h.out); err != nil {
		return err
	}
	return h.phase.Wait(ctx, p.Phase)
}
