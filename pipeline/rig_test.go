package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/internal/configtest"
	"outferry/internal/servers"
	"outferry/offsets"
	"outferry/pipeline"
	"outferry/status"
)

func TestMain(m *testing.M) { servers.Main(m) }

const deadline = 90 * time.Second

// rig is one pipeline from a database of its own to topics of its own.
type rig struct {
	t      *testing.T
	db     *servers.Database
	kafka  *servers.Broker
	prefix string
	cfg    *configs.Pipeline
	reader *kgo.Client // of offset records
}

// newRig makes the tables and the pipeline; more are further lines of its file.
func newRig(t *testing.T, more string) *rig {
	t.Helper()
	return newRigOn(t, servers.Kafka(t), more)
}

func newRigOn(t *testing.T, broker *servers.Broker, more string) *rig {
	t.Helper()
	r := &rig{t: t, db: servers.Postgres(t, 15), kafka: broker}
	r.prefix = r.kafka.Prefix(t)
	r.db.Exec(t, `CREATE TABLE outbox (id varchar(64) PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL,
		type varchar(255), payload text, part int, happened timestamptz)`)
	r.configure(more)
	return r
}

func (r *rig) configure(more string) {
	r.t.Helper()
	text := fmt.Sprintf("name: %s\nsource:\n  url: %s\n  tables: [public.outbox]\n  heartbeat_interval: 1s\nkafka:\n  brokers: [%s]\n",
		r.db.Name, r.db.URL("postgres"), r.kafka.Addr)
	merged := text + strings.ReplaceAll(more, "PREFIX", r.prefix)
	if !strings.Contains(merged, "\nrouter:") {
		merged += "router: {topic: '" + r.prefix + ".${routedByValue}'}\n"
	}
	r.cfg = configtest.Load(r.t, merged)
}

// running is a pipeline that runs until stop.
type running struct {
	r      *rig
	cancel context.CancelFunc
	ended  chan error
}

// begin publishes one event to topic order, so that slot and position are there, and stops.
func (r *rig) begin() {
	r.t.Helper()
	run := r.start()
	r.insert("first", "order", "{}")
	r.consume("order", 1)
	run.stop()
}

func (r *rig) start() *running {
	ctx, cancel := context.WithCancel(r.t.Context())
	p := pipeline.New(r.cfg, hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: r.t.Output()}), status.NewRegistry("test", false).Pipeline(r.cfg.Name), 20*time.Second)
	run := &running{r: r, cancel: cancel, ended: make(chan error, 1)}
	go func() {
		err := p.Run(ctx)
		r.t.Log("pipeline ended:", err)
		run.ended <- err
	}()
	r.t.Cleanup(func() { cancel(); run.wait() })
	return run
}

func (run *running) stop() {
	run.r.t.Helper()
	run.cancel()
	if err := run.wait(); err != nil {
		run.r.t.Fatalf("stop: %v", err)
	}
}

// wait returns what the pipeline ended with.
func (run *running) wait() error {
	run.r.t.Helper()
	select {
	case err := <-run.ended:
		run.ended <- err
		return err
	case <-time.After(deadline):
		run.r.t.Fatal("the pipeline did not end")
		return nil
	}
}

// consume reads committed records of a topic until n have come.
func (r *rig) consume(topic string, n int) []*kgo.Record {
	r.t.Helper()
	cl := r.kafka.Client(r.t, kgo.ConsumeTopics(r.prefix+"."+topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(200*time.Millisecond))
	ctx, cancel := context.WithTimeout(r.t.Context(), deadline)
	defer cancel()
	var got []*kgo.Record
	for len(got) < n {
		f := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			r.t.Fatalf("topic %s: got %d records, want %d", topic, len(got), n)
		}
		got = append(got, f.Records()...)
	}
	return got
}

// record reads the pipeline's offset record.
func (r *rig) record() *offsets.Record {
	r.t.Helper()
	rec, err := r.store().Load(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return rec
}

func (r *rig) store() *offsets.Store {
	r.t.Helper()
	if r.reader == nil {
		r.reader = r.kafka.Client(r.t)
	}
	store := pipeline.NewStore(r.cfg, r.reader)
	if err := store.Open(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return store
}

// records reads all of the pipeline's offset records.
func (r *rig) records() (all []*offsets.Record) {
	r.t.Helper()
	last := r.record().Seq
	topic, partition := r.store().Place()
	cl := r.kafka.Client(r.t, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(r.t.Context(), deadline)
	defer cancel()
	for len(all) == 0 || all[len(all)-1].Seq < last {
		for _, found := range cl.PollFetches(ctx).Records() {
			if string(found.Key) != r.cfg.Name {
				continue
			}
			rec, err := offsets.Parse(found.Value, r.cfg.Name)
			if err != nil {
				r.t.Fatal(err)
			}
			all = append(all, rec)
		}
		if ctx.Err() != nil {
			r.t.Fatalf("got %d offset records, want them up to number %d", len(all), last)
		}
	}
	return all
}

func (r *rig) insert(id, route, payload string) {
	r.t.Helper()
	r.db.Exec(r.t, `INSERT INTO outbox VALUES ($1, $2, 'key', 'created', $3)`, id, route, payload)
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func ids(records []*kgo.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = header(r, "id")
	}
	return out
}

func jsonOf(t *testing.T, raw json.RawMessage) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
