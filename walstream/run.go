package walstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"

	"outferry/internal/transport"
	"outferry/outbox"
)

// session is one Run: a connection for the stream, one for the catalog, and who answered there.
type session struct {
	*Source
	out     chan<- *outbox.Batch
	rep     *pgconn.PgConn
	cat     *pgconn.PgConn
	version int // server_version_num
	sys     pglogrepl.IdentifySystemResult

	busySince      time.Time         // the slot was found active
	exported       string            // snapshot of a slot made by this session
	ownOIDs        []uint32          // tables that are ours, or were
	tables         tables            // of the position
	oids           map[string]uint32 // in the catalog
	published      published         // what the stored position, then the last look, says of the publication
	warnedIdentity bool              // updates of a table fail because of us, and we may not change it
	compareFrom    lsn               // where the slot stands behind the position: from here on it is shown that it is the same log; 0: no need
	watching       bool              // the stream runs: the publication is checked, not mended
}

// Run streams from a position, which must be durable in Kafka, or from a first start when there is none.
// It sends batches to out until ctx ends or something breaks; the caller starts anew from what is durable.
// A nil error means that the file asked for the snapshot alone and it is done.
//
// To stop in order, stop receiving, commit, Confirm, and cancel ctx: the last confirmed position is sent
// to the slot before Run returns.
func (s *Source) Run(ctx context.Context, from outbox.Position, out chan<- *outbox.Batch) error {
	h := &session{Source: s, out: out}
	defer h.close()
	if err := h.open(ctx); err != nil {
		return err
	}
	pos, err := h.begin(ctx, from)
	if err != nil {
		return err
	}
	h.own(pos)
	if err := h.seeUpdates(ctx); err != nil {
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
	if h.rep, err = h.connect(ctx, true); err != nil {
		return err
	}
	if h.cat, err = h.connect(ctx, false); err != nil {
		return err
	}
	if h.sys, err = pglogrepl.IdentifySystem(ctx, h.rep); err != nil {
		return transient("pg.connection", "identify the server: %w", plain(err))
	}
	r, err := queryOne(ctx, h.cat, "SELECT current_setting('server_version_num')")
	if err != nil {
		return transient("pg.connection", "ask for the server's version: %w", plain(err))
	}
	h.version = int(r.int(0))
	return nil
}

func (h *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, c := range []*pgconn.PgConn{h.rep, h.cat} {
		if c != nil {
			_ = c.Close(ctx)
		}
	}
}

// identity is a position without a place: who and where.
func (h *session) identity(phase string) *position {
	return &position{Kind: "postgres", Phase: phase, SystemID: h.sys.SystemID, Timeline: h.sys.Timeline,
		Database: h.cfg.Source.Database, Slot: h.cfg.Source.Postgres.Slot}
}

// begin decides where to go on: the first start's steps, or the proof that the source continues from.
func (h *session) begin(ctx context.Context, from outbox.Position) (*position, error) {
	if from.IsZero() {
		return h.firstStart(ctx)
	}
	pos, err := parsePosition(from)
	if err != nil {
		return nil, lost("kafka.offset_invalid", "look at it with outferry offsets show, and set it with outferry offsets set", err)
	}
	if pos.Phase == phaseIntent {
		return h.continueIntent(ctx, pos)
	}
	if pos, err = h.prove(ctx, pos); err == nil && pos.Phase == phaseDone {
		h.log.Info("the snapshot is published already, and source.snapshot asks for nothing more")
	}
	return pos, err
}

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

// stream starts replication at pos and reads until ctx ends.
func (h *session) stream(ctx context.Context, pos *position) error {
	h.confirmed.Store(uint64(pos.LSN))
	timeout, err := h.senderTimeout(ctx)
	if err != nil {
		return err
	}
	from := pos.LSN
	if pos.Anchor != nil && h.compareFrom > 0 {
		from = h.compareFrom
	}
	conn, err := h.startReplication(ctx, from)
	if err != nil {
		return err
	}
	defer conn.Close()
	if h.opt.Phase != nil {
		h.opt.Phase(phaseStream)
	}
	w := &watch{session: h, slot: time.Now().Add(statusEvery - slotEvery)} // not before the first rows
	st := &stream{Source: h.Source, conn: conn, socket: transport.Bare(conn).(*transport.Socket), out: h.out, tick: w.tick,
		pos: *pos, silence: max(2*timeout, 30*time.Second), keepalive: min(timeout/3, 10*time.Second)}
	st.pos.Phase, st.pos.Snapshot, st.pos.Published = phaseStream, nil, h.published
	st.asm = newAssembler(pos, func(m relationMessage) (*outbox.Table, error) { return h.describe(ctx, m) })
	if from < pos.LSN {
		if err := h.compare(ctx, st.asm); err != nil {
			return err
		}
	}
	w.stream = st
	st.socket.NapWhile(st.behind)
	h.log.Info("streaming", "lsn", pos.LSN.String(), "slot", pos.Slot)
	err = st.run(ctx)
	if ctx.Err() != nil {
		st.leave()
		return ctx.Err()
	}
	return err
}

// senderTimeout reads how long the server waits for a sign of life.
func (h *session) senderTimeout(ctx context.Context) (time.Duration, error) {
	r, err := queryOne(ctx, h.cat, "SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'")
	if err != nil {
		return 0, transient("pg.connection", "read wal_sender_timeout: %w", plain(err))
	}
	if ms := r.int(0); ms > 0 {
		return time.Duration(ms) * time.Millisecond, nil
	}
	return time.Minute, nil // 0: the server never asks, so we do
}

// startReplication takes the connection over from the library at the START_REPLICATION command: from here
// on the bytes go from the socket into the batches.
func (h *session) startReplication(ctx context.Context, at lsn) (net.Conn, error) {
	for {
		conn, err := h.tryStart(ctx, at)
		if sqlState(err) != "55006" { // the slot is active
			if err != nil {
				return nil, h.streamFault(sqlState(err), fmt.Errorf("start replication on slot %s at %s: %w", h.cfg.Source.Postgres.Slot, at, plain(err)))
			}
			return conn, nil
		}
		if err := h.awaitSlot(ctx, err); err != nil {
			return nil, err
		}
	}
}

func (h *session) tryStart(ctx context.Context, at lsn) (net.Conn, error) {
	sql := fmt.Sprintf("START_REPLICATION SLOT %s LOGICAL %s (proto_version '1', publication_names %s)",
		quoteIdent(h.cfg.Source.Postgres.Slot), at, replicationLiteral(quoteIdent(h.cfg.Source.Postgres.Publication)))
	// After a write that took long the library may still read beside us, and would take the server's answer.
	if err := h.rep.SyncConn(ctx); err != nil {
		return nil, err
	}
	hijacked, err := h.rep.Hijack()
	if err != nil {
		return nil, err
	}
	h.rep = nil
	return startCopy(hijacked, sql)
}

// replicationLiteral quotes a text for a command of replication. Their grammar takes a backslash as it is, and knows no E'...'.
func replicationLiteral(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// awaitSlot waits while another connection holds the slot: a walsender that has not noticed that its reader
// is gone lets go after wal_sender_timeout. The failed command left the connection unusable for a second try.
func (h *session) awaitSlot(ctx context.Context, cause error) error {
	if h.busySince.IsZero() {
		h.busySince = time.Now()
	}
	timeout, err := h.senderTimeout(ctx)
	if err != nil {
		return err
	}
	if time.Since(h.busySince) > timeout+10*time.Second {
		return &outbox.Fault{Code: "pg.slot_busy", Class: outbox.Busy, Err: fmt.Errorf("start replication on slot %s: %w", h.cfg.Source.Postgres.Slot, plain(cause))}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(500 * time.Millisecond):
	}
	if h.rep, err = h.connect(ctx, true); err != nil {
		return err
	}
	sys, err := pglogrepl.IdentifySystem(ctx, h.rep)
	if err == nil && (sys.SystemID != h.sys.SystemID || sys.Timeline != h.sys.Timeline) {
		err = errors.New("another server answers now")
	}
	if err != nil {
		return transient("pg.connection", "identify the server: %w", plain(err))
	}
	return nil
}

// streamFault sorts an error of the stream by SQLSTATE, never by its text.
func (s *Source) streamFault(code string, err error) error {
	slot := s.cfg.Source.Postgres.Slot
	switch code {
	case "22021", "22P05": // beside a snapshot that was cut off
		return encodingFault("correct the row, or delete it, and start over with outferry offsets reset NAME", err)
	case "42704":
		return lost("pg.slot_missing", "the slot or its publication is gone, or the publication is younger than the slot's position; where the slot is still there, drop it: SELECT pg_drop_replication_slot("+quoteLiteral(slot)+"); "+acceptGap, err)
	case "55000":
		return lost("pg.slot_lost", acceptGap, err)
	case "42501":
		return environment("pg.permission", fmt.Sprintf("run as a superuser: ALTER ROLE %s WITH REPLICATION", quoteIdent(s.cfg.Source.User)), "%w", err)
	case "55006":
		return &outbox.Fault{Code: "pg.slot_busy", Class: outbox.Busy, Err: fmt.Errorf("slot %s: %w", slot, err)}
	}
	return &outbox.Fault{Code: "pg.connection", Class: outbox.Transient, Err: err}
}

var errNoCopy = errors.New("the server did not start to copy")
