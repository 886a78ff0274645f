package pipeline

import (
	"time"

	"outferry/binlog"
	"outferry/outbox"
	"outferry/status"
	"outferry/walstream"
)

// source makes the source that the file names.
func (p *Pipeline) source() Source {
	log := p.log.Named("source")
	if p.cfg.Source.Type == "postgres" {
		return walstream.New(p.cfg, log, walstream.Options{
			Single:   p.single,
			Progress: p.snapshotProgress,
			Slot:     func(s walstream.SlotStatus) { p.status.Slot(s.Retained, s.Safe, true, s.WALStatus) },
			Lag:      p.sourceLag,
			Ghosts:   func(string, int64) { p.status.Error("source", "pg.ghosts") },
			Phase:    p.phase,
		})
	}
	return binlog.New(p.cfg, log, binlog.Options{
		Single:   p.single,
		Progress: p.snapshotProgress,
		Lag:      p.sourceLag,
		Ghosts:   func(string) { p.status.Error("source", "mysql.ghosts") },
		Phase:    p.phase,
		Skipped:  p.status.Skipped,
	})
}

// wayOn is the flags of outferry offsets set for a position, beyond the open transaction where it is inside one; "" where
// there are none.
func (p *Pipeline) wayOn(pos outbox.Position) string {
	if p.cfg.Source.Type == "postgres" {
		return walstream.WayOn(pos)
	}
	return binlog.WayOn(pos)
}

// phase is called when the source begins to deliver.
func (p *Pipeline) phase(phase string) {
	if phase == snapshotting {
		p.progress = progress{} // of a session that broke, if any: it is not done
		p.status.State(status.Snapshot, "")
		return
	}
	p.end()
	p.streams.Store(time.Now().UnixNano())
	if p.attempt.Load() == 0 { // after a failure only when the stream holds: readiness must not flap
		p.status.State(status.Streaming, "")
	}
}
