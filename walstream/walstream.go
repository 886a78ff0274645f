// Package walstream turns a PostgreSQL replication slot into batches of committed outbox rows, in
// commit order (PostgreSQL 13 to 18, pgoutput protocol 1: "Logical Streaming Replication Protocol" of
// PostgreSQL's documentation).
//
// In goes a position that is durable in Kafka, or none at a first start; out come batches, each with
// the position after it. A message that can't be read, a position that can't be proven continuous, a
// publication that no longer covers the tables: each stops the stream with a fault, and no row is
// skipped. The slot is told "done" only for what Confirm was given. Routing, and deciding when a
// position is safe, are left to the caller.
package walstream

import (
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/outbox"
)

// Options are what the pipeline asks of a source beyond its file. Every func may be nil.
type Options struct {
	Single   bool                           // one transaction a batch: everything before a bad row can then be delivered
	Progress func(done, expected int64)     // snapshot rows
	Slot     func(SlotStatus)               // every few seconds while streaming
	Lag      func(outbox.Lag)               // every few seconds while streaming
	Ghosts   func(from string, bytes int64) // a promoted server never had what we published
	Phase    func(phase string)             // snapshot or stream begins
}

// SlotStatus is what the server says about the slot.
type SlotStatus struct {
	Retained  int64  // bytes of WAL held
	Safe      int64  // bytes that may still be written before it is lost; -1: no limit
	WALStatus string // reserved, extended, unreserved, lost
}

// Source streams one slot. Make a new one for each Run.
type Source struct {
	cfg       *configs.Pipeline
	log       hclog.Logger
	opt       Options
	pool      *outbox.Pool
	confirmed atomic.Uint64 // LSN
	phase     *outbox.Phase
}

// New returns a source for the pipeline. Nothing is connected yet.
func New(cfg *configs.Pipeline, log hclog.Logger, opt Options) *Source {
	return &Source{cfg: cfg, log: log, opt: opt, pool: outbox.NewPool(int(cfg.Kafka.MaxBuffered)), phase: outbox.NewPhase()}
}

// Confirm says that everything up to pos is committed in Kafka. Any goroutine may call it.
func (s *Source) Confirm(pos outbox.Position) {
	p, err := parsePosition(pos)
	if err != nil {
		return // it came from us, through the pipeline; Run would have refused it
	}
	if p.Phase == phaseStream {
		s.confirmed.Store(uint64(p.LSN))
	}
	s.phase.Set(p.Phase)
}

// Inflight returns the bytes of batches that the pipeline still holds.
func (s *Source) Inflight() int { return s.pool.Used() }
