package walstream

import (
	"context"
	"time"

	"github.com/dustin/go-humanize"

	"outferry/outbox"
)

// How often the watch looks. Tests look more often.
var (
	slotEvery        = 5 * time.Second
	publicationEvery = 30 * time.Second
)

// watch looks at the slot and the publication beside the stream: a publication that no longer covers the
// tables hides rows without an error on PostgreSQL 18.
type watch struct {
	*session
	stream      *stream
	slot        time.Time
	publication time.Time
	warned      bool
	end         lsn  // of the WAL, at the last look
	waitedFor   bool // by commits of the server
}

func (w *watch) tick(ctx context.Context) error {
	now := time.Now()
	if now.Sub(w.slot) < slotEvery {
		return nil
	}
	w.slot = now
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Source.ConnectTimeout)
	defer cancel()
	slot, err := w.slotState(ctx, w.ask, w.version)
	if err != nil {
		return err
	}
	if slot != nil {
		w.report(slot)
	}
	if now.Sub(w.publication) < publicationEvery {
		return nil
	}
	w.publication, w.watching = now, true
	if err := w.publicationCovers(ctx, true); err != nil {
		return err
	}
	if _, err := w.tableStates(ctx, w.ask); err != nil { // a partition or a child may have come
		return err
	}
	err = w.spareUpdates(ctx)
	w.stream.pos.Published = w.published
	if err != nil {
		return err
	}
	return w.warnIfWaitedFor(ctx)
}

// lag is told by what was read, and in bytes by what is committed where something was handed over since. A stream that has
// come to where the WAL ended at the last look is not behind: in a busy database it never is at its end.
func (w *watch) lag(end lsn) outbox.Lag {
	st, delivered := w.stream, lsn(w.confirmed.Load())
	read := max(st.asm.end, st.idle)
	if delivered >= st.handed {
		delivered = read
	}
	l := outbox.Lag{Commit: st.asm.tx.commit}
	l.CaughtUp = read >= end || w.end > 0 && read >= w.end || time.Since(time.UnixMicro(l.Commit)) < behindAfter
	if end > delivered {
		l.Bytes = int64(end - delivered)
	}
	w.end = end
	return l
}

func (w *watch) report(slot *slotState) {
	if w.opt.Slot != nil {
		w.opt.Slot(SlotStatus{Retained: slot.retained, Safe: slot.safe, WALStatus: slot.walStatus})
	}
	if w.opt.Lag != nil {
		w.opt.Lag(w.lag(slot.currentWAL))
	}
	over := slot.retained > w.cfg.Source.Postgres.LagWarn || slot.walStatus == "unreserved"
	if over && !w.warned {
		w.log.Warn("slot holds much WAL", "slot", w.cfg.Source.Postgres.Slot, "retained", humanize.IBytes(uint64(slot.retained)), "wal_status", slot.walStatus)
	}
	w.warned = over
}
