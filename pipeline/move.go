package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"outferry/configs"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/walstream"
)

// Target says where a position shall move: to one place, or, with none and AcceptGap, wherever the server makes it
// possible to go on.
type Target struct {
	LSN       walstream.LSN // PostgreSQL; 0: not named
	FromSlot  bool          // PostgreSQL: the slot's confirmed_flush_lsn
	GTID      string        // MySQL and MariaDB: the transactions that count as published
	File      string        // MySQL and MariaDB: with Pos, a place in the log
	Pos       uint64
	Now       bool // the end of the server's log
	AcceptGap bool
}

// Fits returns an error that names the right flags where a target is of another kind of database.
func (t Target) Fits(cfg *configs.Pipeline) error {
	postgres := cfg.Source.Type == "postgres"
	switch {
	case postgres && (t.GTID != "" || t.File != ""):
		return fmt.Errorf("--gtid, --file and --pos are for MySQL and MariaDB, and pipeline %s reads PostgreSQL: use --lsn, --from-slot or --now", cfg.Name)
	case !postgres && (t.LSN != 0 || t.FromSlot):
		return fmt.Errorf("--lsn and --from-slot are for PostgreSQL, and pipeline %s reads %s: use --gtid, --file with --pos, or --now", cfg.Name, cfg.Source.Type)
	}
	return nil
}

// Move is a change of a position that was thought through and not made yet.
type Move struct {
	From    string   `json:"from"` // LSN, GTID set or FILE:POS; or none
	To      string   `json:"to"`   // likewise; "" with NewSlot, which is made where the log ends
	Gap     bool     `json:"gap"`  // rows are skipped
	Repeat  bool     `json:"repeat"`
	NewSlot bool     `json:"new_slot"`
	Nothing bool     `json:"nothing"`        // it stands there already
	Says    []string `json:"says,omitempty"` // what it means, for people

	rec   offsets.Record
	cause *outbox.Fault // why the present position can't be continued
}

func (m *Move) say(format string, args ...any) { m.Says = append(m.Says, fmt.Sprintf(format, args...)) }

func (m *Move) sayPart(transaction string, rows int64) {
	if transaction == "" { // without a number
		transaction = "after it"
	}
	m.say("the transaction %s is published in part (%d rows): that is forgotten, and what is read again comes twice", transaction, rows)
}

// Harmless reports whether nothing is skipped and nothing comes twice.
func (m *Move) Harmless() bool { return !m.Gap && !m.Repeat && !m.NewSlot }

// refuseGap keeps rows from being skipped unless that is accepted.
func (m *Move) refuseGap(accept bool) error {
	if !m.Gap || accept {
		return nil
	}
	return &outbox.Fault{Code: "offsets.gap", Class: outbox.Environment,
		Err: fmt.Errorf("move from %s to %s: it skips rows, or may: %s", m.From, m.To, strings.Join(m.Says, "; ")), Remedy: "add --accept-gap if that is what you want"}
}

// Plan thinks a move through. It refuses one that the server can't serve, and one that skips rows unless the target
// accepts that.
func (c *Claim) Plan(ctx context.Context, t Target) (*Move, error) {
	if c.cfg.Source.Snapshot == "initial_only" {
		return nil, &outbox.Fault{Code: "offsets.no_slot", Class: outbox.Config,
			Err:    fmt.Errorf("move pipeline %s: source.snapshot is initial_only, so there is nothing to go on from", c.cfg.Name),
			Remedy: "start over with outferry offsets reset " + c.cfg.Name}
	}
	if c.binlog != nil {
		return c.planLog(t)
	}
	slot, err := c.admin.Slot(ctx)
	if err != nil {
		return nil, err
	}
	if t.LSN == 0 && !t.FromSlot && !t.Now {
		return c.planGap(ctx, slot)
	}
	to, err := c.destination(ctx, t, slot)
	if err != nil {
		return nil, err
	}
	pos, err := c.admin.Stand(ctx, c.rec.Source(), c.admin.At(to))
	if err != nil {
		return nil, err
	}
	return c.planTo(ctx, to, pos, slot, t.AcceptGap)
}

// destination resolves a target that names a place, and checks that the slot serves it.
func (c *Claim) destination(ctx context.Context, t Target, slot walstream.Slot) (walstream.LSN, error) {
	if c.rec == nil && c.unread == nil && !slot.Exists {
		return 0, &outbox.Fault{Code: "pg.slot_missing", Class: outbox.Environment, Err: fmt.Errorf("move pipeline %s: it has neither a position nor a slot", c.cfg.Name),
			Remedy: "run it: its first start makes the slot, and begins where source.snapshot says"}
	}
	if err := slotFault(slot); err != nil {
		return 0, err
	}
	to := t.LSN
	end, err := c.admin.End(ctx)
	switch {
	case err != nil:
		return 0, err
	case t.FromSlot:
		to = slot.Confirmed
	case t.Now:
		to = end
	}
	refuse := func(code, remedy, format string, args ...any) (walstream.LSN, error) {
		return 0, &outbox.Fault{Code: code, Class: outbox.Environment, Err: fmt.Errorf("move to %s: "+format, append([]any{to}, args...)...), Remedy: remedy}
	}
	if to < slot.Confirmed {
		return refuse("offsets.behind_slot", "the server would begin at the slot without a word: use --from-slot",
			"slot %s is at %s, what lies before can't be had any more", slot.Name, slot.Confirmed)
	}
	if to > end {
		return refuse("offsets.ahead_of_server", "use --now for the end", "the server's WAL ends at %s", end)
	}
	return to, nil
}

// slotFault says what keeps a slot from serving anything.
func slotFault(slot walstream.Slot) error {
	if slot.Exists {
		return slot.Fault
	}
	return &outbox.Fault{Code: "pg.slot_missing", Class: outbox.PositionLost, Err: fmt.Errorf("slot %s does not exist", slot.Name),
		Remedy: "make it anew and accept the gap with outferry offsets set NAME --accept-gap, or start over with outferry offsets reset NAME"}
}

// planTo compares where the pipeline stands with where it shall, and says what that skips or repeats.
func (c *Claim) planTo(ctx context.Context, to walstream.LSN, pos outbox.Position, slot walstream.Slot, accept bool) (*Move, error) {
	m := &Move{From: "none", To: to.String(), rec: offsets.Record{Config: c.cfg.Hash(), Position: json.RawMessage(pos)}}
	stands, cause, err := c.standing(ctx)
	if err != nil {
		return nil, err
	}
	m.cause = cause
	if m.cause != nil {
		m.Gap = true
		m.say("what stands in the way of the present position: %s", m.cause.Err)
	}
	from, err := c.compare(m, stands, to, slot)
	if err != nil {
		return nil, err
	}
	if m.Gap && from > 0 && from < to {
		c.sayGap(ctx, m, from, to, slot)
	}
	return m, m.refuseGap(accept)
}

// standing is where a start would go on, or why it would not go on at the stored position.
func (c *Claim) standing(ctx context.Context) (at walstream.LSN, obstacle *outbox.Fault, err error) {
	if c.rec == nil {
		return 0, nil, nil
	}
	at, err = c.admin.Continue(ctx, c.rec.Source())
	if f := faultOf(err); err != nil && f.Class != outbox.Transient {
		return 0, f, nil
	}
	return at, nil, err
}

// compare fills in where the pipeline stands, where a start would go on, and returns the place up to which everything is published.
func (c *Claim) compare(m *Move, stands, to walstream.LSN, slot walstream.Slot) (walstream.LSN, error) {
	if c.rec == nil {
		return c.compareNothing(m, to, slot), nil
	}
	at, err := walstream.ParsePlace(c.rec.Source())
	if err != nil {
		return 0, err
	}
	m.From = at.LSN.String()
	if at.Snapshotting() {
		m.Gap = true
		m.say("the snapshot is not finished (%d rows published): rows that were in the tables and are not published yet are skipped", at.Rows)
		return at.LSN, nil
	}
	if at.SystemID != c.admin.SystemID() {
		m.Gap, m.Repeat = true, true
		m.say("the stored position is of another server (system identifier %s, this one has %s): what is skipped or comes again can't be told", at.SystemID, c.admin.SystemID())
		return 0, nil
	}
	if stands > 0 && stands < at.LSN {
		m.say("the server was promoted and does not have what follows %s: a start goes on there", stands)
		at.LSN, at.XID = stands, 0
	}
	m.Gap = m.Gap || to > at.LSN
	m.Repeat = to < at.LSN || to == at.LSN && at.XID != 0
	if to == at.LSN && at.XID == 0 && at.Streaming() {
		m.stays(to)
	}
	if at.XID != 0 {
		m.sayPart(strconv.FormatUint(uint64(at.XID), 10), at.Rows)
	}
	if to < at.LSN {
		m.say("transactions committed between %s and %s (%s of WAL) are published again", to, at.LSN, humanize.IBytes(uint64(at.LSN-to)))
	}
	return at.LSN, nil
}

// stays: what is stored says more than a place, and a cause may lie in that.
func (m *Move) stays(at walstream.LSN) {
	m.Nothing = m.cause == nil
	if m.Nothing {
		m.say("it stands at %s", at)
	} else {
		m.say("it goes on where it stands, at %s: rows that did not reach the slot are skipped", at)
	}
}

// compareNothing: the slot was never confirmed beyond what is published, so it may repeat and can't skip.
func (c *Claim) compareNothing(m *Move, to walstream.LSN, slot walstream.Slot) walstream.LSN {
	m.Gap, m.Repeat = to > slot.Confirmed, slot.Exists
	m.say("Kafka has no position of this pipeline")
	if slot.Exists {
		m.say("everything before %s, where the slot was confirmed, counts as published; what was published beyond it may come again", slot.Confirmed)
	}
	if c.cfg.Source.Snapshot == "initial" {
		m.say("there will be no snapshot: rows that are in the tables and were committed before are not published any more")
	}
	return slot.Confirmed
}

// sayGap states what is skipped as exactly as the server can tell.
func (c *Claim) sayGap(ctx context.Context, m *Move, from, to walstream.LSN, slot walstream.Slot) {
	since := ""
	if c.rec != nil {
		since = ", since " + c.rec.At.Format(time.RFC3339)
	}
	m.say("skipped: %d bytes of WAL (%s), from %s to %s%s", to-from, humanize.IBytes(uint64(to-from)), from, to, since)
	if !slot.Exists || slot.Fault != nil {
		return
	}
	if from < slot.Confirmed {
		m.say("rows committed between %s and %s can't be counted: the slot does not bring them any more", from, slot.Confirmed)
	}
	t, err := c.admin.Traffic(ctx, c.rec.Source(), max(from, slot.Confirmed), to)
	switch {
	case err != nil:
		m.say("how many rows that skips could not be counted: %s", err)
	case t.Rows == 0:
		m.say("what the slot still has of that holds no outbox row")
	default:
		m.say("what the slot still has of that holds %d outbox rows in %d transactions, committed from %s to %s",
			t.Rows, t.Transactions, t.First.Format(time.RFC3339), t.Last.Format(time.RFC3339))
	}
}

// planGap goes on from whatever is there: the position if it can be continued, else the slot as it is now, else a
// new slot.
func (c *Claim) planGap(ctx context.Context, slot walstream.Slot) (*Move, error) {
	_, cause, err := c.standing(ctx)
	switch {
	case err != nil:
		return nil, err
	case c.rec != nil && cause == nil:
		return &Move{Nothing: true, Says: []string{"the position can be continued as it is: there is no gap to accept"}}, nil
	case c.rec == nil && c.unread == nil && !slot.Exists:
		return &Move{Nothing: true, Says: []string{"there is neither a position nor a slot: the next run is a first start"}}, nil
	}
	if slot.Exists && slot.Fault != nil && faultOf(slot.Fault).Class != outbox.PositionLost {
		return nil, slot.Fault // somebody else's slot
	}
	m, err := c.planNearest(ctx, slot)
	if err == nil && c.unread != nil {
		m.Says = append([]string{"what stands in the way: " + faultOf(c.unread).Err.Error()}, m.Says...)
	}
	return m, err
}

func (c *Claim) planNearest(ctx context.Context, slot walstream.Slot) (*Move, error) {
	published, err := c.admin.HasPublication(ctx)
	if err != nil {
		return nil, err
	}
	if !slot.Exists || slot.Fault != nil || !published {
		return c.planNewSlot(ctx, slot, published)
	}
	pos, err := c.admin.Stand(ctx, c.rec.Source(), c.admin.At(slot.Confirmed))
	if err != nil {
		return nil, err // the publication must be mended first
	}
	return c.planTo(ctx, slot.Confirmed, pos, slot, true)
}

// planNewSlot: a slot can't read what was written before its publication, so without one it is made anew too.
func (c *Claim) planNewSlot(ctx context.Context, slot walstream.Slot, published bool) (*Move, error) {
	if err := c.admin.MayCreate(); err != nil {
		return nil, err
	}
	end, err := c.admin.End(ctx)
	if err != nil {
		return nil, err
	}
	m, err := c.planTo(ctx, end, nil, walstream.Slot{Name: slot.Name}, true)
	if err != nil {
		return nil, err
	}
	m.To, m.NewSlot, m.Gap, m.Nothing = "", true, true, false
	if !published {
		m.say("publication %s is made anew", c.cfg.Source.Postgres.Publication)
	}
	if slot.Exists {
		m.say("slot %s is dropped and made anew at the end of the log", slot.Name)
	} else {
		m.say("slot %s is made anew at the end of the log", slot.Name)
	}
	return m, nil
}

// Apply makes a move: what it says is skipped is skipped from now on.
func (c *Claim) Apply(ctx context.Context, m *Move) error {
	if m.Nothing {
		return nil
	}
	if m.NewSlot {
		if err := c.renewSlot(ctx, m); err != nil {
			return err
		}
	}
	return c.write(ctx, m.rec)
}

// renewSlot leaves the old record, if any, behind a newer slot if it ends before the new record is written: the next
// start stops with pg.slot_ahead or pg.slot_without_offset, and the move can be made again.
func (c *Claim) renewSlot(ctx context.Context, m *Move) error {
	if err := c.admin.EnsurePublication(ctx); err != nil {
		return err // what is there stays
	}
	if _, err := c.admin.DropSlot(ctx); err != nil {
		return err
	}
	at, err := c.admin.CreateSlot(ctx)
	if err != nil {
		return err
	}
	pos, err := c.admin.Stand(ctx, c.rec.Source(), c.admin.At(at))
	m.To, m.rec.Position = at.String(), json.RawMessage(pos)
	return err
}
