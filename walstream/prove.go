package walstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"

	"outferry/outbox"
)

const (
	goOn           = "compare, then go on with outferry offsets set NAME --accept-gap, or start over with outferry offsets reset NAME"
	acceptGap      = "rows since the stored position may be missing from Kafka: " + goOn
	meanwhile      = "rows committed since that change may be missing from Kafka, also some before the stored position, which moves on without them: " + goOn
	restoredRemedy = "the server looks restored from a backup: compare it with Kafka, then outferry offsets set NAME --accept-gap"
)

// slotState is what pg_replication_slots says about our slot.
type slotState struct {
	plugin, database  string
	logical           bool
	temporary         bool
	twoPhase          bool
	activePID         int64 // 0: nobody reads it
	restart           lsn
	confirmed         lsn
	walStatus         string
	safe              int64
	invalidated       string
	retained          int64
	currentWAL        lsn
	failoverSupported bool
}

// slotState returns nil when there is no slot of our name.
func (s *Source) slotState(ctx context.Context, c querier, version int) (*slotState, error) {
	invalid, twoPhase := "''", "false"
	if version >= 140000 {
		twoPhase = "two_phase"
	}
	if version >= 170000 {
		invalid = "coalesce(invalidation_reason, '')"
	}
	rows, err := c(ctx, `SELECT plugin, database, slot_type = 'logical', temporary, coalesce(active_pid, 0), restart_lsn, confirmed_flush_lsn,
		coalesce(wal_status, ''), coalesce(safe_wal_size, -1), `+invalid+`,
		coalesce(pg_wal_lsn_diff(w.now, restart_lsn)::bigint, 0), w.now, `+twoPhase+`
		FROM pg_replication_slots, (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS now) w
		WHERE slot_name = `+quoteLiteral(s.cfg.Source.Postgres.Slot))
	if err != nil {
		return nil, transient("pg.connection", "look at slot %s: %w", s.cfg.Source.Postgres.Slot, plain(err))
	}
	if len(rows) == 0 {
		return nil, nil
	}
	r := rows[0]
	return &slotState{plugin: r[0], database: r[1], logical: r.bool(2), temporary: r.bool(3), activePID: r.int(4), restart: r.lsn(5), confirmed: r.lsn(6),
		walStatus: r[7], safe: r.int(8), invalidated: r[9], retained: r.int(10), currentWAL: r.lsn(11), twoPhase: r.bool(12)}, nil
}

// prove shows that the log goes on at pos without a gap, or says why that can't be shown. The server takes
// any position and would skip what is missing without a word.
func (h *session) prove(ctx context.Context, pos *position) (*position, error) {
	if err := h.proveIdentity(pos); err != nil {
		return nil, err
	}
	if pos.Phase == phaseDone {
		return pos, outbox.AfterInitialOnly(h.cfg.Source.Snapshot)
	}
	if pos.Phase == phaseSnapshot && h.cfg.Source.Snapshot == "initial_only" {
		return pos, nil // no slot belongs to it
	}
	if err := h.proveTimeline(ctx, pos); err != nil {
		return nil, err
	}
	if end := lsn(h.sys.XLogPos); end < pos.LSN {
		return nil, lost("pg.server_behind", restoredRemedy, fmt.Errorf("continue at %s: the server's WAL ends at %s", pos.LSN, end))
	}
	h.published = pos.Published
	return pos, h.proveSlot(ctx, pos)
}

func (h *session) proveIdentity(pos *position) error {
	src := &h.cfg.Source
	wrong := func(what, want, got string) error {
		return lost("pg.wrong_source", "point source.url at the right server, or start over with outferry offsets reset NAME",
			fmt.Errorf("continue at %s: %s is %s, the stored position is of %s", pos.LSN, what, got, want))
	}
	switch {
	case pos.SystemID != h.sys.SystemID:
		return wrong("the server's system identifier", pos.SystemID, h.sys.SystemID)
	case pos.Database != src.Database:
		return wrong("source.database", strconv.Quote(pos.Database), strconv.Quote(src.Database))
	case pos.Slot != src.Postgres.Slot:
		return wrong("source.postgres.slot", strconv.Quote(pos.Slot), strconv.Quote(src.Postgres.Slot))
	}
	return nil
}

// proveTimeline compares positions of different timelines through the point where they fork. What we
// published beyond it is of a history that the promoted server never had.
func (h *session) proveTimeline(ctx context.Context, pos *position) error {
	if h.sys.Timeline == pos.Timeline {
		return nil
	}
	if h.sys.Timeline < pos.Timeline {
		return lost("pg.timeline_behind", "the address seems to lead to the old primary: point source.url at the promoted one",
			fmt.Errorf("continue at %s of timeline %d: the server is on timeline %d", pos.LSN, pos.Timeline, h.sys.Timeline))
	}
	history, err := pglogrepl.TimelineHistory(ctx, h.rep, h.sys.Timeline)
	if err != nil {
		return transient("pg.connection", "read the history of timeline %d: %w", h.sys.Timeline, plain(err))
	}
	fork, err := forkOf(history.Content, pos.Timeline)
	if err != nil {
		return lost("pg.wrong_source", acceptGap, fmt.Errorf("continue at %s of timeline %d on timeline %d: %w", pos.LSN, pos.Timeline, h.sys.Timeline, err))
	}
	h.log.Info("server was promoted", "timeline", h.sys.Timeline, "was", pos.Timeline, "fork", fork.String())
	ghost := lsn(0)
	if pos.LSN > fork {
		ghost = pos.LSN - fork
	} else if pos.Part != nil && pos.Part.FinalLSN >= fork {
		ghost = pos.Part.FinalLSN - fork + 1
	}
	if ghost > 0 {
		h.log.Error("published transactions that the promoted server does not have", "code", "pg.ghosts", "from", fork.String(), "to", pos.LSN.String(), "wal_bytes", uint64(ghost))
		if h.opt.Ghosts != nil {
			h.opt.Ghosts(fork.String(), int64(ghost))
		}
		pos.LSN, pos.Part = min(pos.LSN, fork), nil
	}
	if pos.Anchor != nil && pos.Anchor.FinalLSN >= fork {
		pos.Anchor = nil
	}
	pos.Timeline = h.sys.Timeline
	return nil
}

// forkOf finds where timeline ended in a history file: lines of "timeline <tab> LSN <tab> reason".
func forkOf(history []byte, timeline int32) (lsn, error) {
	for line := range strings.Lines(string(history)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != strconv.Itoa(int(timeline)) {
			continue
		}
		var at lsn
		if err := at.UnmarshalText([]byte(f[1])); err != nil {
			return 0, fmt.Errorf("read timeline history: %w", err)
		}
		return at, nil
	}
	return 0, errors.New("it does not descend from ours")
}

func (h *session) proveSlot(ctx context.Context, pos *position) error {
	slot, err := h.slotState(ctx, h.ask, h.version)
	if err != nil {
		return err
	}
	name := h.cfg.Source.Postgres.Slot
	if slot == nil {
		return lost("pg.slot_missing", acceptGap, fmt.Errorf("continue at %s: slot %s does not exist", pos.LSN, name))
	}
	if err := h.usable(slot); err != nil {
		return err
	}
	if slot.confirmed > pos.LSN {
		return lost("pg.slot_ahead", "somebody moved or re-created the slot, or Kafka lost offsets; "+acceptGap,
			fmt.Errorf("continue at %s: slot %s is already at %s, %d bytes further", pos.LSN, name, slot.confirmed, slot.confirmed-pos.LSN))
	}
	if slot.confirmed < pos.LSN && pos.Anchor != nil {
		h.compareFrom = max(slot.confirmed, pos.Anchor.FinalLSN)
	}
	return h.publicationCovers(ctx, true)
}

// compare prepares for what the server sends again before pos, from the anchor on: until that is as it was published the slot stays
// where it is. Nobody else moves it now, and a former stream of ours may have done so until now.
func (h *session) compare(ctx context.Context, asm *assembler) error {
	slot, err := h.slotState(ctx, h.ask, h.version)
	if err != nil || slot == nil {
		return err
	}
	asm.compare, asm.owed = true, slot.confirmed <= asm.anchor.FinalLSN
	asm.proven = func() { h.confirmed.CompareAndSwap(uint64(slot.confirmed), uint64(asm.start)) }
	h.confirmed.Store(uint64(slot.confirmed))
	return nil
}

// usable reports what makes a slot of our name useless.
func (h *session) usable(slot *slotState) error {
	name := h.cfg.Source.Postgres.Slot
	switch {
	case !slot.logical || slot.plugin != "pgoutput":
		return environment("pg.slot_foreign", "choose another source.postgres.slot", "slot %s is not a logical slot of pgoutput", name)
	case slot.database != h.cfg.Source.Database:
		return environment("pg.slot_foreign", "choose another source.postgres.slot", "slot %s belongs to database %q", name, slot.database)
	case slot.temporary:
		return environment("pg.slot_foreign", "choose another source.postgres.slot", "slot %s is temporary", name)
	case slot.twoPhase:
		return environment("pg.slot_foreign", fmt.Sprintf("make it anew without two_phase: SELECT pg_drop_replication_slot(%s); %s", quoteLiteral(name), h.slotFunctionSQL()),
			"slot %s brings prepared transactions before they are committed (two_phase)", name)
	case slot.walStatus == "lost" || slot.invalidated != "" || slot.restart == 0:
		reason := slot.invalidated
		if reason == "" {
			reason = "max_slot_wal_keep_size"
		}
		return lost("pg.slot_lost", acceptGap, fmt.Errorf("slot %s was invalidated (%s): the WAL it needs is gone", name, reason))
	}
	if slot.walStatus == "unreserved" {
		h.log.Warn("slot is about to be lost", "slot", name, "code", "pg.slot_unreserved", "remedy", "raise max_slot_wal_keep_size")
	}
	return nil
}

// querier runs a statement on some connection.
type querier func(ctx context.Context, sql string) ([]row, error)

func (h *session) ask(ctx context.Context, sql string) ([]row, error) { return query(ctx, h.cat, sql) }
