// Package binlog turns the binary log of MySQL (8.0 and newer) or MariaDB (10.11 and newer) into batches of
// committed outbox rows, in commit order.
//
// In goes a position that is durable in Kafka, or none at a first start; out come batches, each with the
// position after it. An event that can't be read or whose checksum is wrong, a position that can't be
// proven continuous, rows that were logged in part, as a statement or prepared by XA: each stops the stream with a
// fault, and no row is skipped. Events of other tables are passed over undecoded. Rows written with
// sql_log_bin=0 are in no log, so nobody can see them. Routing, and deciding when a position is safe, are
// left to the caller.
//
// Where the log has no column names, and on MariaDB, the position carries the tables' layouts. At a statement that may change a
// table the catalog is read anew, and the log up to its end: rows between that statement and another such one have
// names that nobody can tell, so they stop the stream before any of them is handed over.
package binlog

import (
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/outbox"
)

// Options are what the pipeline asks of a source beyond its file. Every func may be nil.
type Options struct {
	Single   bool                          // one transaction a batch: everything before a bad row can then be delivered
	Progress func(done, expected int64)    // snapshot rows
	Lag      func(outbox.Lag)              // every few seconds while streaming
	Ghosts   func(gtids string)            // a promoted server never had what we published
	Phase    func(phase string)            // snapshot or stream begins
	Skipped  func(reason string, rows int) // rows of ours that are not handed over
}

// Source streams the log of one server. Make a new one for each Run.
type Source struct {
	cfg   *configs.Pipeline
	set   settings
	log   hclog.Logger
	opt   Options
	pool  *outbox.Pool
	phase *outbox.Phase
	done  atomic.Pointer[position] // the last that is committed
}

// New returns a source for the pipeline. Nothing is connected yet.
func New(cfg *configs.Pipeline, log hclog.Logger, opt Options) *Source {
	return &Source{cfg: cfg, set: settingsOf(cfg), log: log, opt: opt,
		pool: outbox.NewPool(int(cfg.Kafka.MaxBuffered)), phase: outbox.NewPhase()}
}

// Confirm says that everything up to pos is committed in Kafka. The server needs no such word; the
// snapshot's steps wait for it. Any goroutine may call it.
func (s *Source) Confirm(pos outbox.Position) {
	p, err := parsePosition(pos)
	if err != nil {
		return // it came from us, through the pipeline; Run would have refused it
	}
	s.done.Store(p)
	s.phase.Set(p.Phase)
}

// Inflight returns the bytes of batches that the pipeline still holds.
func (s *Source) Inflight() int { return s.pool.Used() }
