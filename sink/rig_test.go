package sink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/internal/fakebroker"
	"outferry/internal/servers"
	"outferry/outbox"
	"outferry/sink"
)

func TestMain(m *testing.M) { servers.Main(m) }

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// fake is an in-memory cluster of one broker.
func fake(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	return fakebroker.Start(t, append([]kfake.Opt{kfake.DefaultNumPartitions(1)}, opts...)...)
}

var file = sink.File

// rig is a sink with what a pipeline has beside it.
type rig struct {
	*sink.Sink
	cfg  *configs.Pipeline
	pool *outbox.Pool
	seq  int
}

func open(t testing.TB, cfg *configs.Pipeline, hooks ...kgo.Hook) *rig {
	t.Helper()
	r, err := tryOpen(deadline(t), t, cfg, hooks...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryOpen(ctx context.Context, t testing.TB, cfg *configs.Pipeline, hooks ...kgo.Hook) (*rig, error) {
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: t.Output()})
	s, err := sink.Open(ctx, cfg, log, hooks...)
	if err != nil {
		return nil, err
	}
	t.Cleanup(s.Close)
	return &rig{Sink: s, cfg: cfg, pool: outbox.NewPool(1 << 20)}, s.Fence(ctx, cfg.Offsets.Topic, 0)
}

var table = &outbox.Table{Schema: "public", Name: "outbox", Columns: []outbox.Column{{Name: "payload"}}}

// event is a record whose value lies in the batch's memory, as a routed row's does.
type event struct {
	topic     string
	key       []byte
	value     string
	partition int32
}

func to(topic string, values ...string) (events []event) {
	for _, v := range values {
		events = append(events, event{topic: topic, key: []byte("k"), value: v, partition: -1})
	}
	return events
}

// take does with a batch what the pipeline does.
func (r *rig) take(ctx context.Context, events []event) error {
	if err := r.Begin(ctx); err != nil {
		return err
	}
	b := r.batch(events)
	cargo := r.Load(b)
	for i, e := range events {
		rec := cargo.Next()
		rec.Topic, rec.Partition, rec.Key, rec.Value = e.topic, e.partition, e.key, b.Rows[i].Values[0]
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: "id", Value: b.Rows[i].Values[0]})
		if err := r.Produce(ctx, cargo, rec); err != nil {
			return err
		}
	}
	cargo.Close()
	return r.Err()
}

func (r *rig) batch(events []event) *outbox.Batch {
	size := 0
	for _, e := range events {
		size += len(e.value)
	}
	b := r.pool.Get(size)
	for b == nil {
		<-r.pool.Freed()
		b = r.pool.Get(size)
	}
	for _, e := range events {
		at := len(b.Buf)
		b.Buf = append(b.Buf, e.value...)
		b.AddRow(table, outbox.Insert, 0).Values[0] = b.Buf[at:len(b.Buf):len(b.Buf)]
	}
	return b
}

// land is take and commit, the offset being the number of the commit.
func (r *rig) land(ctx context.Context, events []event) error {
	if err := r.take(ctx, events); err != nil {
		return err
	}
	return r.commit(ctx)
}

func (r *rig) commit(ctx context.Context) error {
	r.seq++
	return r.Commit(ctx, r.offset())
}

func (r *rig) offset() *kgo.Record {
	return &kgo.Record{Topic: r.cfg.Offsets.Topic, Partition: 0, Key: []byte(r.cfg.Name), Value: fmt.Append(nil, r.seq)}
}

// offsetsTopic makes the topic that the store makes in a pipeline, with one partition.
func (r *rig) offsetsTopic(t testing.TB) *rig {
	t.Helper()
	makeTopic(t, r.Client(), r.cfg.Offsets.Topic, 1)
	return r
}

func wantFault(t testing.TB, err error, code string, class outbox.Class, words ...string) {
	t.Helper()
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code != code || f.Class != class {
		t.Fatalf("got %v, want %s of class %d", err, code, class)
	}
	for _, w := range words {
		if !strings.Contains(f.Error(), w) {
			t.Errorf("the fault does not say %q: %v", w, f)
		}
	}
}

// landed returns the values that a reader with read_committed sees in partition 0 of a topic, in order. It writes
// a record behind them, so that it knows where the end is.
func landed(t testing.TB, addr, topic string) []string {
	t.Helper()
	var values []string
	for _, r := range records(t, addr, topic, 1) {
		values = append(values, string(r.Value))
	}
	return values
}

func records(t testing.TB, addr, topic string, partitions int32) []*kgo.Record {
	t.Helper()
	ctx := deadline(t)
	cl := client(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	end := []byte("end of " + t.Name())
	for p := range partitions {
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Partition: p, Value: end}).FirstErr(); err != nil {
			t.Fatalf("write the end of %s: %v", topic, err)
		}
	}
	var got []*kgo.Record
	for partitions > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read %s: %v", topic, err)
		}
		for _, r := range fetches.Records() {
			if bytes.Equal(r.Value, end) {
				partitions--
				continue
			}
			if !bytes.HasPrefix(r.Value, []byte("end of ")) {
				got = append(got, r)
			}
		}
	}
	return got
}

func client(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func wantValues(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("a reader sees %.200q, want %.200q", got, want)
	}
}

// ends notes when the answers to EndTxn came.
type ends struct {
	sync.Mutex
	at []time.Time
}

func (e *ends) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, _ kgo.BrokerE2E) {
	if key == 26 {
		e.Lock()
		defer e.Unlock()
		e.at = append(e.at, time.Now())
	}
}
