package pipeline_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/internal/servers"
	"outferry/pipeline"
	"outferry/status"
)

// hold is a log whose writer is held up at a line.
type hold struct {
	at      string
	reached chan struct{}
	release chan struct{}
}

func (h *hold) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(h.at)) {
		select {
		case h.reached <- struct{}{}:
			<-h.release
		default: // once
		}
	}
	return len(p), nil
}

// TestAFirstStartThatIsOvertakenStandsBy: it has seen no record, and then finds the slot of the instance that fenced it.
func TestAFirstStartThatIsOvertakenStandsBy(t *testing.T) {
	r := newRig(t, "")
	r.insert("a", "order", "{}")
	log := &hold{at: "first start", reached: make(chan struct{}, 1), release: make(chan struct{})}
	late := pipeline.New(r.cfg, hclog.New(&hclog.LoggerOptions{Output: log}), status.NewRegistry("test", false).Pipeline(r.cfg.Name), 20*time.Second)
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- late.Run(ctx) }()
	servers.Eventually(t, deadline, "it has looked for a record", func() bool { return len(log.reached) == 1 })
	first := r.start()
	r.consume("order", 1)
	first.stop()
	close(log.release)
	r.insert("b", "order", "{}")
	r.consume("order", 2)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
