package walstream

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// TestWaitForThePipelineIsNotTheServersSilence: while Kafka is away nobody reads what the server says. What is due beside
// the stream is done all the same.
func TestWaitForThePipelineIsNotTheServersSilence(t *testing.T) {
	for name, wait := range map[string]func(f *ferried, over <-chan time.Time) error{
		"for a reader": func(f *ferried, over <-chan time.Time) error {
			if err := f.st.handOver(t.Context(), f.st.pool.Get(0), true); err != nil { // fills the channel
				return err
			}
			go func() { <-over; <-f.out; <-f.out }()
			return f.st.handOver(t.Context(), f.st.pool.Get(0), true)
		},
		"for room": func(f *ferried, over <-chan time.Time) error {
			all := f.st.pool.Get(int(f.Config.Kafka.MaxBuffered))
			go func() { <-over; all.Release() }()
			b, err := f.st.room(t.Context(), 0)
			if err == nil {
				b.Release()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFerried(t, nil)
			ours, server := net.Pipe()
			defer ours.Close()
			go func() { _, _ = io.Copy(io.Discard, server) }()
			st := f.st
			st.conn, st.keepalive, st.silence, st.heard = ours, 20*time.Millisecond, 200*time.Millisecond, time.Now()
			ticks := 0
			st.tick = func(context.Context) error { ticks++; return nil }
			if err := wait(f, time.After(300*time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if quiet := time.Since(st.heard); quiet > st.silence || ticks < 2 {
				t.Errorf("the server counts as silent for %s, and what else is due was done %d times", quiet, ticks)
			}
			down := transient("pg.connection", "it shuts down")
			st.tick = func(context.Context) error { return down }
			if err := wait(f, nil); !errors.Is(err, down) {
				t.Errorf("the wait ended with %v, want what else is due", err)
			}
		})
	}
}
