package binlog

import (
	"context"
	"fmt"
	"time"

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
}

// Run streams from a position, which must be durable in Kafka, or from a first start when there is none.
// It sends batches to out until ctx ends or something breaks; the caller starts anew from what is durable.
// A nil error means that the file asked for the snapshot alone and it is done.
//
// To stop in order, stop receiving, commit, and cancel ctx.
func (s *Source) Run(ctx context.Context, from outbox.Position, out chan<- *outbox.Batch) error {
	h := &session{Source: s, out: out}
	defer h.close()
	err := h.run(ctx, from)
	if ctx.Err() != nil {
		return ctx.Err() // whatever else broke then
	}
	return err
}

func (h *session) run(ctx context.Context, from outbox.Position) error {
	if err := h.open(ctx); err != nil {
		return err
	}
	defer closing(ctx, h.dump)()
	defer context.AfterFunc(ctx, h.leaveSoon)()
	if err := h.claim(); err != nil {
		return err
	}
	pos, err := h.begin(ctx, from)
	if err != nil {
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
	if h.cat, err = h.connect(ctx); err != nil {
		return err
	}
	if h.dump, err = h.connect(ctx); err != nil {
		return err
	}
	if h.srv, err = askServer(h.cat); err != nil {
		return err
	}
	if err := h.lookAtServer(h.cat, h.srv); err != nil {
		return err
	}
	if err := h.srv.readCharsets(h.cat); err != nil {
		return err
	}
	h.warn()
	return h.checkTables()
}

// warn says what works now and may not later.
func (h *session) warn() {
	v := h.srv.vars
	if v["binlog_row_metadata"] != "FULL" {
		h.log.Warn("log has no column names, so a change of the table can stop a pipeline that lags", "binlog_row_metadata", v["binlog_row_metadata"], "remedy", "SET GLOBAL binlog_row_metadata = FULL")
	}
	if v["sync_binlog"] != "1" {
		h.log.Warn("server may lose the end of its log in a crash, after we published it", "sync_binlog", v["sync_binlog"], "remedy", "SET GLOBAL sync_binlog = 1")
	}
}

// checkTables asks whether the file's tables are what they must be.
func (h *session) checkTables() error {
	for _, t := range h.tables(h.srv) {
		if err := h.checkTable(h.cat, t); err != nil {
			return err
		}
	}
	return nil
}

// claim takes the lock of our replica number, which the server lets go when it notices that the connection
// is gone: another instance that died is noticed within a few heartbeats.
func (h *session) claim() error {
	r, err := queryOne(h.dump, fmt.Sprintf("SELECT COALESCE(GET_LOCK(%s, 5), 0)", quoteText(h.lockName())))
	if err != nil {
		return transient("mysql.connection", "take the lock of replica %d: %w", h.set.serverID, err)
	}
	if r[0] != "1" {
		return h.busy(fmt.Errorf("another connection of the server reads the log as replica %d", h.set.serverID))
	}
	return h.lookForReplicas(h.cat, h.srv)
}

// leaveSoon bounds what the end of a run may wait for.
func (h *session) leaveSoon() { time.AfterFunc(time.Second, func() { _ = h.cat.Close() }) }

// close ends the connections. The server would notice only at its next heartbeats that nobody reads the log
// any more, and hold our number until then; so it is told.
func (h *session) close() {
	if h.dump != nil && h.cat != nil && h.srv != nil {
		_, _ = h.cat.Execute(fmt.Sprintf("KILL %d", h.dump.GetConnectionID()))
	}
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
	return pos, h.prove(pos)
}

// firstStart takes everything that the server has executed as processed, and leaves the rows that are in
// the tables already to the snapshot.
func (h *session) firstStart(ctx context.Context) (*position, error) {
	if h.cfg.Source.Snapshot != "no_data" {
		return h.firstSnapshot(ctx)
	}
	pos, err := h.now(h.cat)
	if err != nil {
		return nil, err
	}
	h.log.Info("first start", "position", pos.String())
	return pos, h.emit(ctx, pos)
}

// now is the position of everything that the server has committed.
func (h *session) now(c *client.Conn) (*position, error) {
	end, err := logStatus(c, h.srv)
	if err != nil {
		return nil, h.denied(err, h.srv)
	}
	pos := h.identity(phaseStream)
	pos.File, pos.Pos = end.file, end.pos
	if !pos.ByGTID {
		return pos, nil
	}
	sql := "SELECT @@GLOBAL.gtid_executed"
	if h.srv.kind == mariaKind {
		sql = "SELECT @@GLOBAL.gtid_binlog_pos"
	}
	r, err := queryOne(c, sql)
	if err != nil {
		return nil, transient("mysql.connection", "ask what the server has executed: %w", err)
	}
	set, err := parseGTIDSet(h.srv.kind, r[0])
	if err != nil {
		return nil, err
	}
	pos.GTID, pos.File, pos.Pos = set.String(), "", 0
	return pos, nil
}

// identity is a position without a place: who and where.
func (h *session) identity(phase string) *position {
	return &position{Kind: h.srv.kind, Phase: phase, ServerUUID: h.srv.uuid, ByGTID: h.srv.byGTID() && h.set.position != "file"}
}

// emit hands an empty batch over that only carries a position, and waits until it is durable.
func (h *session) emit(ctx context.Context, p *position) error {
	b := h.pool.Get(0)
	if b == nil {
		return fmt.Errorf("hand over position: no batch is free")
	}
	b.Position, b.Dry = p.appendTo(b.Position[:0]), true
	select {
	case h.out <- b:
		return h.awaitConfirm(ctx, p.Phase)
	case <-ctx.Done():
		return ctx.Err()
	}
}
