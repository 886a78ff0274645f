package pipeline

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/outbox"
	"outferry/status"
)

// TestLongPauseIsNoReasonToKillTheProcess: source.retry.max may be longer than the silence that health bears.
func TestLongPauseIsNoReasonToKillTheProcess(t *testing.T) {
	healthyAfterHalfAnHour(t, func(ctx context.Context, p *Pipeline) {
		p.pause(ctx, &outbox.Fault{Code: "kafka.unreachable", Class: outbox.Transient, Err: errors.New("nobody answers")})
	})
}

// TestShortPausesAreNoReasonToKillTheProcess: whoever was fenced makes one after the other while the leader is busy.
func TestShortPausesAreNoReasonToKillTheProcess(t *testing.T) {
	healthyAfterHalfAnHour(t, func(ctx context.Context, p *Pipeline) {
		for p.wait(ctx, fencedWait) {
		}
	})
}

func healthyAfterHalfAnHour(t *testing.T, of func(context.Context, *Pipeline)) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		cfg := &configs.Pipeline{Name: "posts"}
		cfg.Source.Retry.Initial, cfg.Source.Retry.Max = time.Hour, time.Hour
		reg := status.NewRegistry("test", false)
		p := New(cfg, hclog.NewNullLogger(), reg.Pipeline("posts"), time.Second)
		p.seen.looked = true
		go of(ctx, p)
		time.Sleep(30 * time.Minute)

		served := make(chan error, 1)
		go func() {
			served <- status.Serve(ctx, configs.HTTP{Listen: addr, ListenSet: true}, configs.Metrics{Path: "/metrics"}, reg, hclog.NewNullLogger())
		}()
		cl := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		resp, err := cl.Get("http://" + addr + "/healthz")
		for range 10_000 {
			if err == nil {
				break
			}
			runtime.Gosched() // no time goes by while somebody listens
			resp, err = cl.Get("http://" + addr + "/healthz")
		}
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("health is %s after half an hour", resp.Status)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// TestWhoStoodByIsBackAsSoonAsTheFirst: to stand by is no failure, and counts as none.
func TestWhoStoodByIsBackAsSoonAsTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := &configs.Pipeline{Name: "posts"}
		cfg.Source.Retry.Initial, cfg.Source.Retry.Max = time.Second, time.Hour
		p := New(cfg, hclog.NewNullLogger(), status.NewRegistry("test", false).Pipeline("posts"), time.Second)
		p.seen.looked, p.seen.record = true, true
		for range 20 {
			p.pause(t.Context(), &outbox.Fault{Code: "pg.slot_active", Class: outbox.Busy, Err: errors.New("another one works")})
		}
		began := time.Now()
		p.pause(t.Context(), &outbox.Fault{Code: "pg.connection", Class: outbox.Transient, Err: errors.New("it was cut")})
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the first failure of a take-over waits %s", took)
		}
	})
}
