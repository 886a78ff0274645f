package pipeline

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/outbox"
	"outferry/status"
)

// TestOnlyARowThatFailsComesAgainAtOnce: what fails while its predecessors are delivered is waited for like any other failure.
func TestOnlyARowThatFailsComesAgainAtOnce(t *testing.T) {
	cfg := &configs.Pipeline{Name: "posts"}
	cfg.Source.Retry.Initial, cfg.Source.Retry.Max = time.Hour, time.Hour
	p := New(cfg, hclog.NewNullLogger(), status.NewRegistry("test", false).Pipeline("posts"), time.Second)
	row := &outbox.Fault{Code: "row.unroutable", Class: outbox.Internal, Err: errors.New("it can't be routed")}
	away := &outbox.Fault{Code: "kafka.unreachable", Class: outbox.Transient, Err: errors.New("nobody answers")}
	if !p.again(row) || !p.pause(t.Context(), row) {
		t.Error("what precedes the row is not delivered")
	}
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if !p.again(away) || p.pause(soon, away) {
		t.Error("a broker that is away is asked without a pause")
	}
	if p.again(row) {
		t.Error("the row comes again for ever")
	}
}

// TestStandingByIsNoFailure: whoever stood by for a day has the whole of give_up_after when it is its turn.
func TestStandingByIsNoFailure(t *testing.T) {
	cfg := &configs.Pipeline{Name: "posts"}
	cfg.Source.Retry.GiveUpAfter = time.Hour
	p := New(cfg, hclog.NewNullLogger(), status.NewRegistry("test", false).Pipeline("posts"), time.Second)
	busy := &outbox.Fault{Code: "kafka.fenced", Class: outbox.Busy, Err: errors.New("another one works")}
	away := &outbox.Fault{Code: "kafka.unreachable", Class: outbox.Transient, Err: errors.New("nobody answers")}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	p.failing = time.Now().Add(-24 * time.Hour)
	if !p.again(busy) {
		t.Fatal("it does not stand by")
	}
	p.pause(over, busy)
	if !p.again(away) {
		t.Error("it gives up at the first failure")
	}
}

// TestGivingUpIsForWhateverKeepsFailing: a password that was rotated and forgotten is waited for no longer than a server.
func TestGivingUpIsForWhateverKeepsFailing(t *testing.T) {
	cfg := &configs.Pipeline{Name: "posts"}
	cfg.Source.Retry.GiveUpAfter = time.Hour
	p := New(cfg, hclog.NewNullLogger(), status.NewRegistry("test", false).Pipeline("posts"), time.Second)
	for _, f := range []*outbox.Fault{
		{Code: "pg.auth", Class: outbox.Environment, Err: errors.New("the password is wrong")},
		{Code: "kafka.unreachable", Class: outbox.Transient, Err: errors.New("nobody answers")},
	} {
		p.connected, p.failing = true, time.Now().Add(-time.Minute)
		if !p.again(f) {
			t.Errorf("%s: it gives up after a minute", f.Code)
		}
		p.failing = time.Now().Add(-2 * time.Hour)
		if p.again(f) || ExitCode(f) != 3 {
			t.Errorf("%s: it goes on after two hours, or its exit code is %d", f.Code, ExitCode(f))
		}
	}
}

// TestPipelinesOfAProcessShareNoFault: what all of them end a session with is not written to.
func TestPipelinesOfAProcessShareNoFault(t *testing.T) {
	var wg sync.WaitGroup
	for _, name := range []string{"posts", "comments"} {
		wg.Go(func() { _ = Named(errSingleOver, name) })
	}
	wg.Wait()
}
