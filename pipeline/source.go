package pipeline

import (
	"time"

	"outferry/status"
	"outferry/walstream"
)

// source makes the source that the file names.
func (p *Pipeline) source() Source {
	return walstream.New(p.cfg, p.log.Named("source"), walstream.Options{
		Single: p.single,
		Progress: func(done, expected int64) {
			p.status.Snapshot(done, expected, -1)
			if p.progress != nil {
				p.progress(done, expected)
			}
		},
		Slot: func(s walstream.SlotStatus) { p.status.Slot(s.Retained, s.Safe, true, s.WALStatus) },
		Lag: func(bytes int64, caughtUp bool) {
			if caughtUp {
				p.status.SourceLag(time.Now(), bytes)
			}
		},
		Ghosts: func(string, int64) { p.status.Error("source", "pg.ghosts") },
		Phase: func(phase string) {
			p.streaming()
			if phase == "snapshot" {
				p.status.State(status.Snapshot, "")
				return
			}
			p.status.State(status.Streaming, "")
		},
	})
}
