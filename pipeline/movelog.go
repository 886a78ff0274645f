package pipeline

import (
	"encoding/json"
	"fmt"
	"time"

	"outferry/binlog"
	"outferry/offsets"
	"outferry/outbox"
)

// Moves on MySQL and MariaDB. Nothing there remembers a pipeline, so the record alone says what is published, and
// the server's log what can still be had.

// planLog is Plan for a binlog.
func (c *Claim) planLog(t Target) (*Move, error) {
	var to outbox.Position
	var err error
	switch {
	case t.GTID != "":
		to, err = c.binlog.AtGTID(c.rec.Source(), t.GTID)
	case t.File != "":
		to, err = c.binlog.AtFile(c.rec.Source(), t.File, t.Pos)
	case t.Now:
		to, err = c.binlog.Now()
	default:
		return c.planLogGap()
	}
	if err != nil {
		return nil, err
	}
	if err := c.binlog.Continue(to); err != nil {
		return nil, err
	}
	return c.planLogTo(to, t.AcceptGap)
}

// planLogTo compares where the pipeline stands with where it shall. A position that can't be continued says so first.
func (c *Claim) planLogTo(to outbox.Position, accept bool) (*Move, error) {
	place, err := binlog.ParsePlace(to)
	if err != nil {
		return nil, err
	}
	m := &Move{From: "none", To: place.String(), rec: offsets.Record{Config: c.cfg.Hash(), Position: json.RawMessage(to)}}
	if m.cause, err = c.standsInTheWay(); err != nil {
		return nil, err
	}
	if m.cause != nil {
		m.Gap = true
		m.say("what stands in the way of the present position: %s", m.cause.Err)
	}
	if err := c.compareLog(m, to); err != nil {
		return nil, err
	}
	if m.From == m.To && place.ByGTID && place.File != "" {
		m.To = fmt.Sprintf("%s at %s:%d", m.To, place.File, place.Pos)
	}
	return m, m.refuseGap(accept)
}

// standsInTheWay is why the stored position can't be continued, if it can't.
func (c *Claim) standsInTheWay() (*outbox.Fault, error) {
	cause := c.unread
	if c.rec != nil {
		cause = c.binlog.Continue(c.rec.Source())
	}
	if cause == nil {
		return nil, nil
	}
	if f := faultOf(cause); f.Class == outbox.PositionLost || f.Code == "mysql.gtid_off" {
		return f, nil
	}
	return nil, cause
}

func (c *Claim) compareLog(m *Move, to outbox.Position) error {
	if c.rec == nil {
		m.Gap = true
		m.say("Kafka has no position of this pipeline: everything before %s counts as published, whether it was or not", m.To)
		if c.cfg.Source.Snapshot == "initial" {
			m.say("there will be no snapshot: rows that are in the tables and were committed before are not published any more")
		}
		return nil
	}
	at, err := binlog.ParsePlace(c.rec.Source())
	if err != nil {
		m.From = "a position that can't be read"
		m.differ(binlog.Difference{Unknown: err.Error()}, c.rec.At)
		return nil
	}
	m.From = at.String()
	if at.Snapshotting() {
		m.Gap = true
		m.say("the snapshot is not finished (%d rows published): rows that were in the tables and are not published yet are skipped", at.Rows)
	}
	if err := c.difference(m, to); err != nil {
		return err
	}
	if at.Inside {
		m.Repeat = true
		m.sayPart(at.Part, at.Rows)
	}
	return m.nothing(at, to)
}

// nothing: by GTID the same transactions may be published, and what lies behind them in the log not be seen.
func (m *Move) nothing(at binlog.Place, to outbox.Position) error {
	end, err := binlog.ParsePlace(to)
	if err != nil || !m.Harmless() || !at.Streaming() {
		return err
	}
	if m.Nothing = end.File == "" || end.File == at.File && end.Pos == at.Pos; m.Nothing {
		m.say("it stands at %s", m.To)
	} else {
		m.say("what the log says up to %s:%d that is no transaction, as an incident, is passed by", end.File, end.Pos)
	}
	return nil
}

// difference says what a move skips and repeats, as far as numbers tell.
func (c *Claim) difference(m *Move, to outbox.Position) error {
	purged := m.cause != nil && m.cause.Code == "mysql.log_purged"
	if m.cause == nil || purged {
		d, err := c.binlog.Compare(c.rec.Source(), to)
		if err != nil {
			return err
		}
		m.differ(d, c.rec.At)
	}
	if m.cause == nil {
		return nil
	}
	most, err := c.binlog.AtMost(to)
	if err != nil {
		return err
	}
	if purged {
		m.say("if the log was reset before it was purged, more is skipped: at most %s", most)
		return nil
	}
	m.Repeat = true
	m.say("what of the log was published can't be told, its numbers may have been used again: rows of the new log's transactions are skipped if they lie before %s, at most %s; rows behind it may come again", m.To, most)
	return nil
}

// differ says what a move skips and repeats. Both count transactions of the whole server.
func (m *Move) differ(d binlog.Difference, since time.Time) {
	if d.Unknown != "" {
		m.Gap, m.Repeat = true, true
		m.say("%s: what is skipped or comes again can't be told", d.Unknown)
	}
	if d.Skipped != "" {
		m.Gap = true
		m.say("skipped: %s, with all outbox rows in it, since %s", d.Skipped, since.Format(time.RFC3339))
	}
	if d.Repeated != "" {
		m.Repeat = true
		m.say("outbox rows in %s are published again", d.Repeated)
	}
}

// planLogGap goes on from wherever the log makes it possible: the position itself, else what is left of the log
// behind it, else the end.
func (c *Claim) planLogGap() (*Move, error) {
	cause, err := c.standsInTheWay()
	switch {
	case err != nil:
		return nil, err
	case cause == nil && c.rec == nil:
		return &Move{Nothing: true, Says: []string{"there is no position: the next run is a first start"}}, nil
	case cause == nil:
		return &Move{Nothing: true, Says: []string{"the position can be continued as it is: there is no gap to accept; what a run can't read, it names with the command that passes it by"}}, nil
	case cause.Class != outbox.PositionLost:
		return nil, cause
	}
	to, err := c.nearest(cause)
	if err != nil {
		return nil, err
	}
	return c.planLogTo(to, true)
}

// nearest is the beginning of what is left where the log was purged. After a reset, a restored backup or another
// server nothing says how the two histories belong together, so there it is the end.
func (c *Claim) nearest(cause *outbox.Fault) (outbox.Position, error) {
	if cause.Code == "mysql.log_purged" {
		to, err := c.binlog.Nearest(c.rec.Source())
		if err != nil || c.binlog.Continue(to) == nil {
			return to, err
		}
	}
	to, err := c.binlog.Now()
	if err != nil {
		return nil, err
	}
	if err := c.binlog.Continue(to); err != nil {
		return nil, fmt.Errorf("go on at the end of the log: %w", err)
	}
	return to, nil
}
