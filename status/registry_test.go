package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/fakebroker"
)

// busy returns a registry in which every series has a value.
func busy(t *testing.T) (*Registry, *Pipeline) {
	t.Helper()
	r := NewRegistry("1.2.3", true)
	p := r.Pipeline("posts")
	p.State(Streaming, "")
	p.Delivered("outbox.event.post", 3, 300)
	p.Committed(3, 2, time.Unix(1000, 0))
	p.Split()
	p.Latencies(time.UnixMicro(30_000), []int64{10_000, 10_000})
	p.Skipped("update", 1)
	p.Error("connect", "pg.unreachable")
	p.Retry("connect")
	p.Reconnect()
	p.Inflight(5, 500)
	p.DeliveredUpTo(time.Now().Add(-3 * time.Second))
	p.LagBytes(4096)
	p.Slot(1<<20, 1<<30, true, "reserved")
	p.Snapshot(10, 100, 9*time.Second)
	produce(t, p, 1)
	return r, p
}

// produce sends one event through each of n clients that are all open at once.
func produce(t *testing.T, p *Pipeline, n int) {
	t.Helper()
	cluster := fakebroker.Start(t, kfake.SeedTopics(1, "outbox.event.post"))
	for range n {
		client := fakebroker.Client(t, cluster, kgo.WithHooks(p.KafkaHook()))
		record := &kgo.Record{Topic: "outbox.event.post", Value: []byte("{}")}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func families(t *testing.T, r *Registry) map[string]*dto.MetricFamily {
	t.Helper()
	all, err := r.prom.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*dto.MetricFamily{}
	for _, f := range all {
		out[f.GetName()] = f
	}
	return out
}

func TestEverySeriesOfTheReferenceIsThere(t *testing.T) {
	r, _ := busy(t)
	got := families(t, r)
	for _, name := range strings.Fields(`
		build_info pipeline_state events_total event_bytes_total events_skipped_total errors_total retries_total
		reconnects_total delivery_latency_seconds source_lag_seconds source_lag_bytes last_event_timestamp_seconds
		last_offset_commit_timestamp_seconds inflight_events inflight_bytes transactions_total split_transactions_total
		snapshot_rows_done snapshot_rows_expected snapshot_remaining_seconds postgres_slot_retained_bytes
		postgres_slot_safe_bytes postgres_slot_active postgres_slot_wal_status kafka_connects_total
		kafka_produce_records_total kafka_produce_uncompressed_bytes_total kafka_request_duration_e2e_seconds`) {
		if got["outferry_"+name] == nil {
			t.Errorf("no outferry_%s", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if got[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

func TestMetricsAreLintClean(t *testing.T) {
	r, _ := busy(t)
	problems, err := testutil.GatherAndLint(r.prom)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if _, err := promlint.New(strings.NewReader(scrape(t, r))).Lint(); err != nil {
		t.Errorf("the text form does not parse: %v", err)
	}
}

func TestUnknownNumbersAreAbsent(t *testing.T) {
	r := NewRegistry("dev", false)
	p := r.Pipeline("posts")
	for name := range families(t, r) {
		for _, early := range []string{"lag", "slot", "snapshot", "timestamp", "inflight"} {
			if strings.Contains(name, early) {
				t.Errorf("%s is shown before anybody said it", name)
			}
		}
	}
	p.Slot(10, -1, false, "")
	p.Snapshot(0, -1, -1)
	got := families(t, r)
	for _, name := range []string{"postgres_slot_safe_bytes", "snapshot_rows_expected", "snapshot_remaining_seconds"} {
		if got["outferry_"+name] != nil {
			t.Errorf("%s is shown though it is unknown", name)
		}
	}
	if v := value(t, r, "postgres_slot_active"); v != 0 {
		t.Errorf("active: %v", v)
	}
}

// TestNumbersOfASessionEndWithIt: an old one looks like one of now.
func TestNumbersOfASessionEndWithIt(t *testing.T) {
	for _, s := range []State{Waiting, Standby, Stopped, Failed, Streaming} {
		r, p := busy(t)
		p.Snapshot(90, 100, time.Second)
		p.State(s, "")
		got := families(t, r)
		for _, name := range []string{"postgres_slot_retained_bytes", "postgres_slot_safe_bytes", "postgres_slot_active", "postgres_slot_wal_status"} {
			if shown := got["outferry_"+name] != nil; shown != (s == Streaming) {
				t.Errorf("%s: %s shown: %t", s, name, shown)
			}
		}
		if got["outferry_snapshot_remaining_seconds"] != nil {
			t.Errorf("%s: the snapshot still has time to take", s)
		}
	}
}

func TestExactlyOneStateIsOn(t *testing.T) {
	r := NewRegistry("dev", false)
	p := r.Pipeline("posts")
	for s := Waiting; s <= Failed; s++ {
		p.State(s, "")
		on := []string{}
		for _, m := range families(t, r)["outferry_pipeline_state"].GetMetric() {
			if m.GetGauge().GetValue() == 1 {
				on = append(on, label(m, "state"))
			}
		}
		if !slices.Equal(on, []string{s.String()}) {
			t.Errorf("%v: on are %v", s, on)
		}
	}
}

func TestTopicsBeyondTheLimitFoldIntoOther(t *testing.T) {
	r := NewRegistry("dev", false)
	p := r.Pipeline("posts")
	for i := range 100_000 {
		p.Delivered(fmt.Sprintf("topic-%d", i), 1, 10)
	}
	p.Delivered("topic-0", 1, 10)
	counts := map[string]float64{}
	for _, m := range families(t, r)["outferry_events_total"].GetMetric() {
		counts[label(m, "topic")] = m.GetCounter().GetValue()
	}
	if len(counts) != maxTopics+1 || counts[otherTopics] != 99_000 || counts["topic-0"] != 2 {
		t.Errorf("%d series, other=%v, topic-0=%v", len(counts), counts[otherTopics], counts["topic-0"])
	}
	if len(p.topics) != maxTopics {
		t.Errorf("%d topics kept", len(p.topics))
	}
}

func TestLagGrowsWhileTheSourceIsSilent(t *testing.T) {
	p := NewRegistry("dev", false).Pipeline("posts")
	at := time.Unix(5000, 0)
	p.DeliveredUpTo(at)
	if got := p.lagAsOf.sinceTime(at.Add(90 * time.Second)); got != 90 {
		t.Errorf("after 90 s: %v", got)
	}
	if got := p.lagAsOf.sinceTime(at.Add(-time.Second)); got != 0 {
		t.Errorf("with the database's clock ahead: %v", got)
	}
}

func TestCountsSurviveRestartsOfPipelineAndClient(t *testing.T) {
	r := NewRegistry("dev", false)
	produce(t, r.Pipeline("posts"), 2)
	produce(t, r.Pipeline("posts"), 1)
	produce(t, r.Pipeline("comments"), 1)
	got := map[string]float64{}
	for _, m := range families(t, r)["outferry_kafka_produce_records_total"].GetMetric() {
		got[label(m, "pipeline")] += m.GetCounter().GetValue()
	}
	if want := map[string]float64{"posts": 3, "comments": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHostileLabelsNeverPanic(t *testing.T) {
	bad := "a\xff\n\x00\u202e\""
	r := NewRegistry(bad, false)
	p := r.Pipeline(bad)
	p.State(Failed, strings.Repeat(bad, maxWhy))
	p.State(State(99), bad)
	p.Delivered(bad, 1, 1)
	p.Skipped(bad, 1)
	p.Error(bad, bad)
	p.Retry(bad)
	p.Slot(-1, -1, true, bad)
	families(t, r)
}

func TestLatencyIsObservedOncePerTransaction(t *testing.T) {
	r := NewRegistry("dev", false)
	p := r.Pipeline("posts")
	acknowledged := time.UnixMicro(10_000_000)
	p.Latencies(acknowledged, []int64{9_000_000, 9_500_000, 11_000_000, 9_980_000, 9_980_000, 9_980_000})
	h := families(t, r)["outferry_delivery_latency_seconds"].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 6 || h.GetSampleSum() < 1.5599 || h.GetSampleSum() > 1.5601 {
		t.Errorf("%d samples, sum %v", h.GetSampleCount(), h.GetSampleSum())
	}
	if len(h.GetBucket()) == 0 || len(h.GetPositiveSpan()) == 0 {
		t.Error("want a classic and a native histogram")
	}
}

func TestTheLoopsCallsDoNotAllocate(t *testing.T) {
	p := NewRegistry("dev", false).Pipeline("posts")
	now := time.Now()
	commits := []int64{now.UnixMicro() - 1000, now.UnixMicro() - 2000}
	loop := func() {
		p.Beat()
		p.Delivered("outbox.event.post", 10, 1000)
		p.Committed(10, 2, now)
		p.Latencies(now, commits)
		p.Inflight(1, 2)
		p.DeliveredUpTo(now)
	}
	loop()
	if n := testing.AllocsPerRun(100, loop); n > 1 { // the native histogram boxes a new bucket now and then
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLatencies1000(b *testing.B) {
	p := NewRegistry("dev", false).Pipeline("posts")
	now := time.Now()
	commits := make([]int64, 1000)
	for i := range commits {
		commits[i] = now.UnixMicro() - int64(10*i)
	}
	for b.Loop() {
		p.Latencies(now, commits)
	}
}

func BenchmarkDelivered(b *testing.B) {
	p := NewRegistry("dev", false).Pipeline("posts")
	for b.Loop() {
		p.Delivered("outbox.event.post", 1, 200)
	}
}

func BenchmarkBeat(b *testing.B) {
	p := NewRegistry("dev", false).Pipeline("posts")
	for b.Loop() {
		p.Beat()
	}
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func value(t *testing.T, r *Registry, name string) float64 {
	t.Helper()
	f := families(t, r)["outferry_"+name]
	if f == nil || len(f.GetMetric()) != 1 {
		t.Fatalf("%s: %v", name, f)
	}
	return f.GetMetric()[0].GetGauge().GetValue()
}
