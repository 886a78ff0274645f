package walstream

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestWaitForThePipelineIsNotTheServersSilence: while Kafka is away nobody reads what the server says.
func TestWaitForThePipelineIsNotTheServersSilence(t *testing.T) {
	for name, wait := range map[string]func(*ferried) error{
		"for a reader": func(f *ferried) error {
			time.AfterFunc(300*time.Millisecond, func() { <-f.out; <-f.out })
			if err := f.st.handOver(t.Context(), f.st.pool.Get(0), true); err != nil { // fills the channel
				return err
			}
			return f.st.handOver(t.Context(), f.st.pool.Get(0), true)
		},
		"for room": func(f *ferried) error {
			b := f.st.pool.Get(int(f.Config.Kafka.MaxBuffered))
			time.AfterFunc(300*time.Millisecond, b.Release)
			_, err := f.st.room(t.Context(), 0)
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
			if err := wait(f); err != nil {
				t.Fatal(err)
			}
			if quiet := time.Since(st.heard); quiet > st.silence {
				t.Errorf("the server counts as silent for %s", quiet)
			}
		})
	}
}
