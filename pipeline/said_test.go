package pipeline_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/internal/servers"
	"outferry/pipeline"
	"outferry/status"
)

// lines is a log that is read while it is written.
type lines struct {
	sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.Lock()
	defer l.Unlock()
	return l.text.String()
}

// startTo is start with a log of its own.
func (r *rig) startTo(log *lines) *pipeline.Pipeline {
	return pipeline.New(r.cfg, hclog.New(&hclog.LoggerOptions{Output: log}), status.NewRegistry("test", false).Pipeline(r.cfg.Name), 20*time.Second)
}

func TestSnapshotThatBrokeIsNotSaidToBeDone(t *testing.T) {
	r := newRig(t, "")
	r.insert("bad", "no such/topic", "{}")
	r.insert("good", "order", "{}")
	var log lines
	err := r.startTo(&log).Run(t.Context())
	wantFault(t, err, "row.topic_invalid", 1)
	if said := log.String(); strings.Contains(said, "snapshot done") || !strings.Contains(said, "first start") {
		t.Error(said)
	}
}

func TestWaitingHasNoEmptyRemedy(t *testing.T) {
	r := newRig(t, "")
	var log lines
	r.cfg.Source.Port = 1
	ended := make(chan error, 1)
	p := r.startTo(&log)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- p.Run(ctx) }()
	servers.Eventually(t, deadline, "it waits", func() bool { return strings.Contains(log.String(), "waiting: ") })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if said := log.String(); strings.Contains(said, `remedy=""`) {
		t.Error(said)
	}
}
