package pipeline

import (
	"context"
	"fmt"
	"time"

	"outferry/offsets"
	"outferry/outbox"
)

// standbyLook bounds a standby's look at the record: it must not hold up a take-over.
const standbyLook = 5 * time.Second

// seen is what this process knows of the pipeline's record, over all its sessions. Whoever removes or resets a
// pipeline finds nobody who pauses or stands by, so that one has to notice: what it finds then looks like a first start.
type seen struct {
	record    bool  // it has read or written one, or watched another instance that had one
	looked    bool  // tombstone is known
	seq       int64 // of the newest record that it has read or written
	fences    int   // of its own: until it has seen a record, none of them committed
	topics    int   // that its sessions have made, with those before it
	tombstone int64 // offset of the tombstone that was there when it first looked; 0: none
}

// look takes in what was found, and reports whether a record has gone since this process began.
func (s *seen) look(rec *offsets.Record, tombstone int64) (gone bool) {
	if !s.looked {
		s.looked, s.tombstone = true, tombstone
	}
	s.record = s.record || rec != nil
	return rec == nil && (s.record || tombstone > s.tombstone)
}

// refuseRemoved keeps what was removed or reset from being taken for a first start.
func (f *ferry) refuseRemoved(rec *offsets.Record) error {
	if !f.seen.look(rec, f.store.Tombstone()) {
		return nil
	}
	return &outbox.Fault{Code: "kafka.offsets_removed", Class: outbox.PositionLost,
		Err:    fmt.Errorf("topic %s had a record of pipeline %s while this process ran, and has none now: the pipeline was removed or reset", f.cfg.Offsets.Topic, f.cfg.Name),
		Remedy: "if it was removed, leave it stopped; if it was reset, start it anew: it begins from the start, as source.snapshot says"}
}

// watch looks for the record of whoever works, until it has been seen; and once where a session ended before it came to Kafka:
// a tombstone that is written while the database is away is no old one.
func (p *Pipeline) watch(ctx context.Context, f *outbox.Fault) {
	if !p.seen.record && (f.Class == outbox.Busy || !p.seen.looked) {
		p.peek(ctx)
	}
}

// peek returns the record of whoever works, and nil where there is none. That it can't be had is no matter: a take-over
// says why.
func (p *Pipeline) peek(ctx context.Context) *offsets.Record {
	ctx, cancel := context.WithTimeout(ctx, standbyLook)
	defer cancel()
	cl, err := plainClient(ctx, p.cfg)
	if err != nil {
		return nil
	}
	defer cl.Close()
	store := NewStore(p.cfg, cl)
	rec, err := store.Peek(ctx)
	if err != nil {
		return nil
	}
	p.seen.look(rec, store.Tombstone())
	return rec
}
