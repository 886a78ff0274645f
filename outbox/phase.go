package outbox

import (
	"context"
	"sync/atomic"
)

// Phase is the phase of its life that a source has reached in Kafka: that of its newest committed position.
type Phase struct {
	name atomic.Value  // string
	news chan struct{} // Set was called
}

// NewPhase returns the phase before any position.
func NewPhase() *Phase { return &Phase{news: make(chan struct{}, 1)} }

// Set is called for each position that is committed, by any goroutine.
func (p *Phase) Set(name string) {
	p.name.Store(name)
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Wait blocks until the phase is the named one. One goroutine at a time may.
func (p *Phase) Wait(ctx context.Context, name string) error {
	for p.name.Load() != name {
		select {
		case <-p.news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
