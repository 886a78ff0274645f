package pipeline

import (
	"os"
	"time"

	"outferry/outbox"
	"outferry/status"
)

// progress shows long work: the snapshot, and catching up with a log that went on without us. The source's
// goroutine reports to it.
type progress struct {
	what  string
	work  *status.Progress // nil when there is none
	total int64            // bytes of log to catch up with, where that began
}

const (
	snapshotting = "snapshot"
	catchingUp   = "catching up"
)

// begin shows work of a kind, unless it is shown already.
func (p *Pipeline) begin(what, unit string) *status.Progress {
	if p.progress.work == nil || p.progress.what != what {
		p.end()
		p.progress.what, p.progress.work = what, status.NewProgress(os.Stderr, p.log, what, unit)
	}
	return p.progress.work
}

// end says what was done, if anything was shown.
func (p *Pipeline) end() {
	if p.progress.work != nil {
		p.progress.work.Done()
	}
	p.progress = progress{}
}

func (p *Pipeline) snapshotProgress(done, expected int64) {
	w := p.begin(snapshotting, "rows")
	w.Set(done, expected, true)
	left := time.Duration(-1)
	if d, ok := w.Remaining(); ok {
		left = d
	}
	p.status.Snapshot(done, expected, left)
}

// deliveredUpTo is the moment up to which all is delivered, where the source has read up to another one.
func (p *Pipeline) deliveredUpTo(read time.Time) time.Time {
	if held := p.oldest.Load(); held != 0 && held < read.UnixMicro() {
		return time.UnixMicro(held)
	}
	return read
}

// sourceLag is told every few seconds. Before a transaction has come nobody knows how old what is left is: what was known stays.
func (p *Pipeline) sourceLag(l outbox.Lag) {
	left := l.Bytes
	p.status.LagBytes(left)
	switch {
	case l.CaughtUp:
		p.status.DeliveredUpTo(p.deliveredUpTo(time.Now()))
	case l.Commit > 0:
		p.status.DeliveredUpTo(p.deliveredUpTo(time.UnixMicro(l.Commit)))
	}
	if l.CaughtUp {
		p.caughtUp.Store(true)
		if p.progress.what == catchingUp {
			p.progress.work.Set(p.progress.total, p.progress.total, false)
		}
		p.end()
		return
	}
	w := p.begin(catchingUp, "bytes")
	p.progress.total = max(p.progress.total, left)
	w.Set(p.progress.total-left, p.progress.total, false)
}
