package pipeline

import (
	"context"
	"encoding/json"

	"outferry/binlog"
	"outferry/configs"
	"outferry/offsets"
	"outferry/outbox"
)

// exportLog is ExportConnect for a binlog. A connector needs a file even where it goes by GTID: there it may be
// earlier than the set, never later.
func exportLog(cfg *configs.Pipeline, rec *offsets.Record, server string) ([]byte, error) {
	at, err := binlog.ParsePlace(rec.Source())
	if err != nil {
		return nil, err
	}
	if !at.Streaming() || rec.Partial || at.Inside || at.File == "" {
		return nil, notAtEnd(cfg, at.Phase)
	}
	return offsets.MarshalConnectLog(server, at.File, at.Pos, at.GTID)
}

// planConnectLog is PlanConnect for a binlog.
func (c *Claim) planConnectLog(ctx context.Context, o *offsets.ConnectOffset, accept bool) (*Move, error) {
	pos, err := c.locateLog(o)
	if err != nil {
		return nil, err
	}
	return c.planPosition(ctx, pos, accept)
}

// locateLog takes offsets that stand at the end of a transaction. Events and rows inside of one are counted as the
// connector's own reader sees them, which proves nothing here.
func (c *Claim) locateLog(o *offsets.ConnectOffset) (outbox.Position, error) {
	l := o.Log
	switch {
	case o.Snapshot:
		return unproven("let the connector finish it", "continue at %s:%d: the connector's snapshot is unfinished", l.File, l.Pos)
	case l.Inside():
		return unproven("set heartbeat.interval.ms in the connector, let another transaction follow, stop it and try again; or, where you know that the transaction after it was published whole, outferry offsets set "+c.cfg.Name+" --gtid",
			"continue at %s:%d: the offset is inside the transaction that begins there (event %d, row %d), and does not say whether that was published whole", l.File, l.Pos, l.Events, l.Rows)
	case !c.binlog.ByGTID():
		return c.binlog.AtFile(nil, l.File, l.Pos)
	case l.GTIDs == "":
		return unproven("set the position with outferry offsets set "+c.cfg.Name+" --gtid, or set source.mysql.position to file",
			"continue at %s:%d: the offset has no gtids, and the pipeline goes by GTID on this server", l.File, l.Pos)
	}
	return c.binlog.AtGTID(nil, l.GTIDs)
}

// planLogPosition is planPosition for a binlog.
func (c *Claim) planLogPosition(pos outbox.Position, accept bool) (*Move, error) {
	if err := c.binlog.Continue(pos); err != nil {
		return nil, err
	}
	at, err := binlog.ParsePlace(pos)
	if err != nil {
		return nil, err
	}
	if c.rec == nil {
		return &Move{From: "none", To: at.String(), rec: offsets.Record{Config: c.cfg.Hash(), Position: json.RawMessage(pos)}}, nil
	}
	m, err := c.planLogTo(pos, accept)
	if err == nil && m.Nothing {
		m.Nothing, m.Says = false, nil // part and counts may differ
	}
	return m, err
}
