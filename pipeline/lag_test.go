package pipeline_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/pipeline"
	"outferry/status"
)

// served is a pipeline that runs, and what it shows at /metrics.
type served struct {
	t    *testing.T
	addr string
	log  lines
}

func (r *rig) serve() *served {
	r.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	s := &served{t: r.t, addr: ln.Addr().String()}
	ln.Close()
	reg := status.NewRegistry("test", false)
	p := pipeline.New(r.cfg, hclog.New(&hclog.LoggerOptions{Output: &s.log}), reg.Pipeline(r.cfg.Name), 2*time.Second)
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 2)
	go func() { ended <- p.Run(ctx) }()
	go func() {
		ended <- status.Serve(ctx, configs.HTTP{Listen: s.addr, ListenSet: true}, configs.Metrics{Path: "/metrics"}, reg, hclog.NewNullLogger())
	}()
	r.t.Cleanup(func() {
		cancel()
		<-ended
		<-ended
	})
	return s
}

// metric returns the value of a series, -1 where it is absent.
func (s *served) metric(name string) float64 {
	resp, err := http.Get("http://" + s.addr + "/metrics")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	_, rest, ok := strings.Cut("\n"+string(text), "\noutferry_"+name+"{")
	if !ok {
		return -1
	}
	line, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
	if err != nil {
		s.t.Fatal(line, err)
	}
	return v
}

// TestLagIsToldWhileThereIsOne: by a process that starts into a backlog, and while Kafka takes nothing.
func TestLagIsToldWhileThereIsOne(t *testing.T) {
	r := newRigOn(t, servers.StartKafka(t, servers.KafkaOptions{}), "")
	r.begin()
	r.db.Exec(t, "ALTER TABLE outbox ALTER payload SET STORAGE EXTERNAL") // not compressed
	for range 20 {
		r.db.Exec(t, `INSERT INTO outbox SELECT gen_random_uuid()::text, 'order', 'key', 'created', repeat(md5(n::text), 100) FROM generate_series(1, 1000) n`)
	}
	since := time.Now()
	s := r.serve()
	servers.Eventually(t, deadline, "it streams", func() bool { return strings.Contains(s.log.String(), "source: streaming") })
	r.kafka.Pause()
	servers.Eventually(t, deadline, "it says how many bytes are left", func() bool { return s.metric("source_lag_bytes") > 20e6 })
	if lag, least := s.metric("source_lag_seconds"), time.Since(since).Seconds()-1; lag < least {
		t.Errorf("it says that all is delivered up to %f seconds ago, and nothing is of the last %f", lag, least)
	}
	if s.metric("postgres_slot_active") != 1 {
		t.Error("nobody uses the slot")
	}
	r.kafka.Resume()
	r.consume("order", 20_001)
	r.db.Exec(t, "CREATE TABLE other (n bigint)")
	servers.Eventually(t, deadline, "the lag is over, in a database that is busy with other tables", func() bool {
		r.db.Exec(t, "INSERT INTO other SELECT generate_series(1, 1000)")
		bytes, seconds := s.metric("source_lag_bytes"), s.metric("source_lag_seconds")
		return bytes >= 0 && bytes < 5e6 && seconds >= 0 && seconds < 8
	})
}
