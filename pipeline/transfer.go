package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"outferry/binlog"
	"outferry/configs"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/walstream"
)

// Export returns a pipeline's newest record.
func Export(ctx context.Context, cfg *configs.Pipeline) (*offsets.Record, error) {
	rec, err := peek(ctx, cfg)
	if err == nil && rec == nil {
		err = &outbox.Fault{Code: "offsets.none", Class: outbox.Environment,
			Err: fmt.Errorf("export the position of pipeline %s: topic %s has none", cfg.Name, cfg.Offsets.Topic)}
	}
	return rec, err
}

// ExportConnect returns a pipeline's position as the body of PATCH /connectors/NAME/offsets.
func ExportConnect(ctx context.Context, cfg *configs.Pipeline, server string) ([]byte, error) {
	rec, err := Export(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if cfg.Source.Type != "postgres" {
		return exportLog(cfg, rec, server)
	}
	at, err := walstream.ParsePlace(rec.Source())
	if err != nil {
		return nil, err
	}
	if !at.Streaming() || rec.Partial || at.XID != 0 {
		return nil, notAtEnd(cfg, at.Phase)
	}
	return offsets.MarshalConnect(server, uint64(at.LSN))
}

func notAtEnd(cfg *configs.Pipeline, phase string) error {
	return &outbox.Fault{Code: "offsets.not_at_transaction_end", Class: outbox.Environment,
		Err:    fmt.Errorf("export the position of pipeline %s: it is in phase %s, or inside a transaction, which Connect has no words for", cfg.Name, phase),
		Remedy: "let the pipeline run until it streams, stop it and try again"}
}

// PlanRecord thinks the import of an exported record through: it must be this pipeline's and be provable on this
// server, as at a start.
func (c *Claim) PlanRecord(ctx context.Context, rec *offsets.Record, accept bool) (*Move, error) {
	if err := c.checkRecord(rec); err != nil {
		return nil, &outbox.Fault{Code: "offsets.invalid", Class: outbox.Config, Err: fmt.Errorf("import a record: %w", err)}
	}
	m, err := c.planPosition(ctx, rec.Source(), accept)
	if err != nil {
		return nil, err
	}
	m.rec.Seq, m.rec.Events = rec.Seq, rec.Events
	if rec.Partial { // its mapping must be the one that a start compares with
		m.rec.Partial, m.rec.Config = true, rec.Config
	}
	return m, nil
}

func (c *Claim) checkRecord(rec *offsets.Record) error {
	if c.binlog != nil {
		_, err := binlog.ParsePlace(rec.Source())
		return err
	}
	at, err := walstream.ParsePlace(rec.Source())
	if err == nil && at.Phase == "intent" {
		err = errors.New("it is of a first start that has not begun")
	}
	return err
}

// PlanConnect thinks a take-over from Debezium through. The position must be provably at the end of a
// transaction, or at a row inside one that the slot still brings.
func (c *Claim) PlanConnect(ctx context.Context, o *offsets.ConnectOffset, accept bool) (*Move, error) {
	if (o.Log != nil) != (c.binlog != nil) {
		return nil, &outbox.Fault{Code: "offsets.invalid", Class: outbox.Config, Err: fmt.Errorf("import an offset of Connect: it is of %s, and pipeline %s reads %s", o.Database(), c.cfg.Name, c.cfg.Source.Type)}
	}
	if o.Log != nil {
		return c.planConnectLog(ctx, o, accept)
	}
	pos, err := c.locate(ctx, o)
	if err != nil {
		return nil, err
	}
	at, err := walstream.ParsePlace(pos)
	if err != nil {
		return nil, err
	}
	m, err := c.planPosition(ctx, pos, accept)
	if err != nil {
		return nil, err
	}
	m.rec.Partial = at.XID != 0
	if m.rec.Partial {
		m.say("transaction %d is published up to its row %d: it goes on behind that", at.XID, at.Rows)
	}
	return m, nil
}

// locate turns the connector's offset into a position. Its lsn is a transaction's end only with COMMIT.
func (c *Claim) locate(ctx context.Context, o *offsets.ConnectOffset) (outbox.Position, error) {
	switch {
	case o.Snapshot:
		return unproven("let the connector finish it", "continue at %s: the connector's snapshot is unfinished", walstream.LSN(o.LSN))
	case o.SnapshotDone && o.Processed == 0: // nothing was streamed since
		return c.admin.At(walstream.LSN(o.LSN)), nil
	case o.MessageType == "COMMIT" && (o.Committed == 0 || o.Committed == o.LSN):
		return c.admin.At(walstream.LSN(o.LSN)), nil
	case o.MessageType == "BEGIN" && o.Committed != 0:
		return c.admin.At(walstream.LSN(o.Committed)), nil
	case o.MessageType == "MESSAGE" || o.XID == 0:
		return unproven("set the position with outferry offsets set "+c.cfg.Name+" --from-slot",
			"continue at %s: it is of a %s without a transaction that could be looked up", walstream.LSN(o.LSN), o.MessageType)
	}
	if slot, err := c.admin.Slot(ctx); err != nil {
		return nil, err
	} else if err := slotFault(slot); err != nil {
		return nil, err
	}
	return c.admin.Locate(ctx, walstream.Handled{LSN: walstream.LSN(o.LSN), Committed: walstream.LSN(o.Committed), XID: o.XID, Processed: o.Changes})
}

func unproven(remedy, format string, args ...any) (outbox.Position, error) {
	return nil, &outbox.Fault{Code: "connect.position_unproven", Class: outbox.PositionLost, Err: fmt.Errorf(format, args...), Remedy: remedy}
}

// planPosition is planTo for a position from elsewhere. Where Kafka has none yet there is nothing to compare: the
// import is the witness.
func (c *Claim) planPosition(ctx context.Context, pos outbox.Position, accept bool) (*Move, error) {
	if c.binlog != nil {
		return c.planLogPosition(pos, accept)
	}
	at, err := walstream.ParsePlace(pos)
	if err != nil {
		return nil, err
	}
	if pos, err = c.admin.Stand(ctx, c.rec.Source(), pos); err != nil {
		return nil, err
	}
	if c.rec == nil {
		return &Move{From: "none", To: at.LSN.String(), rec: offsets.Record{Config: c.cfg.Hash(), Position: json.RawMessage(pos)}}, nil
	}
	slot, err := c.admin.Slot(ctx)
	if err != nil {
		return nil, err
	}
	m, err := c.planTo(ctx, at.LSN, pos, slot, accept)
	if err == nil && m.Nothing {
		m.Nothing, m.Says = false, nil // part and counts may differ
	}
	return m, err
}

// ConnectOffset reads a connector's offset from Kafka Connect's own topic, on the pipeline's Kafka.
func (c *Claim) ConnectOffset(ctx context.Context, topic, connector, server string) (*offsets.ConnectOffset, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*lookTimeout)
	defer cancel()
	return offsets.ReadConnect(ctx, c.sink.Client(), topic, connector, server)
}
