package pipeline

import (
	"context"
	"strings"
)

// Step is one thing that a reset or a removal did, or found done.
type Step struct {
	What   string `json:"what"` // slot, publication, offset record, group
	Name   string `json:"name"`
	Done   string `json:"done"`             // removed, gone, kept, skipped
	Reason string `json:"reason,omitempty"` // of what is kept or skipped
}

func step(what, name string, removed bool) Step {
	if removed {
		return Step{What: what, Name: name, Done: "removed"}
	}
	return Step{What: what, Name: name, Done: "gone", Reason: "it was gone already"}
}

// Reset forgets the position, so that the next run is a first start. The slot goes first: a record without a slot,
// and a slot without a record, each stop the next start, so an end in between is noticed.
func (c *Claim) Reset(ctx context.Context) ([]Step, error) {
	pg := &c.cfg.Source.Postgres
	if err := c.bringTopicBack(ctx); err != nil {
		return nil, err
	}
	var done []Step
	if c.binlog != nil {
		return c.forget(ctx, nil) // nothing is kept on the server
	}
	if pg.Create {
		removed, err := c.admin.DropSlot(ctx)
		if err != nil {
			return nil, err
		}
		done = append(done, step("slot", pg.Slot, removed))
	} else {
		done = append(done, Step{What: "slot", Name: pg.Slot, Done: "kept", Reason: "source.postgres.create is false: it is not ours"})
	}
	return c.forget(ctx, done)
}

// bringTopicBack makes a lost offsets topic anew, for the tombstone: without one the transactional id, which remembers commits,
// would have the next start stop for what this reset means to forget.
func (c *Claim) bringTopicBack(ctx context.Context) (err error) {
	if c.topic || c.unread == nil {
		return nil
	}
	if err := c.store.Open(ctx); err != nil {
		return err
	}
	c.topic = true
	return c.fenceOff(ctx)
}

// Remove takes a pipeline down for good.
func (c *Claim) Remove(ctx context.Context) ([]Step, error) {
	done, err := c.removeFromDatabase(ctx)
	if err != nil {
		return done, err
	}
	if c.sink == nil {
		return append(done, Step{What: "offset record", Name: c.cfg.Offsets.Topic, Done: "skipped", Reason: "--skip-kafka"},
			Step{What: "group", Name: c.cfg.Kafka.TransactionalID, Done: "skipped", Reason: "--skip-kafka"}), nil
	}
	return c.forget(ctx, done)
}

func (c *Claim) removeFromDatabase(ctx context.Context) ([]Step, error) {
	pg := &c.cfg.Source.Postgres
	if c.cfg.Source.Type != "postgres" {
		return nil, nil // nothing is kept on the server
	}
	if c.admin == nil {
		return []Step{{What: "slot", Name: pg.Slot, Done: "skipped", Reason: "--skip-database"},
			{What: "publication", Name: pg.Publication, Done: "skipped", Reason: "--skip-database"}}, nil
	}
	removed, err := c.admin.DropSlot(ctx)
	if err != nil {
		return nil, err
	}
	done := []Step{step("slot", pg.Slot, removed)}
	if !c.ownPublication() {
		return append(done, Step{What: "publication", Name: pg.Publication, Done: "kept", Reason: "it is not of our name, or source.postgres.create is false"}), nil
	}
	if removed, err = c.admin.DropPublication(ctx); err != nil {
		return done, err
	}
	return append(done, step("publication", pg.Publication, removed)), nil
}

// ownPublication: somebody else's may serve others too.
func (c *Claim) ownPublication() bool {
	pg := &c.cfg.Source.Postgres
	return pg.Create && pg.Publication == "outferry_"+strings.ReplaceAll(c.cfg.Name, "-", "_")
}

// forget writes a tombstone over the record and takes the group away, in this order: a group without a record
// says that the topic was lost.
func (c *Claim) forget(ctx context.Context, done []Step) ([]Step, error) {
	had := c.rec != nil || c.unread != nil && c.topic
	if had {
		if _, err := c.commit(ctx, nil); err != nil {
			return done, err
		}
	}
	done = append(done, step("offset record", c.cfg.Offsets.Topic, had))
	group, err := c.store.HasGroup(ctx)
	if err != nil {
		return done, err
	}
	if group {
		if err := c.store.Forget(ctx); err != nil {
			return done, err
		}
	}
	return append(done, step("group", c.cfg.Kafka.TransactionalID, group)), nil
}
