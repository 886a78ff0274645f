package feedcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// stage is a prefix on a real broker, with topics for a fake feed and what reads them.
type stage struct {
	t      *testing.T
	broker *servers.Broker
	prefix string
	feed   *fake
}

func newStage(t *testing.T, transactions int) *stage {
	t.Helper()
	s := &stage{t: t, broker: servers.Kafka(t), feed: newFake(t, testSpec(), transactions)}
	s.prefix = s.broker.Prefix(t)
	ctx := within(t, time.Minute)
	client := s.broker.Client(t)
	for topic := range s.feed.rules.Partitions {
		if _, err := kadm.NewClient(client).CreateTopic(ctx, fakePartitions, 1, nil, s.prefix+topic); err != nil {
			t.Fatal(err)
		}
	}
	if err := MakeOffsetsTopic(ctx, client, s.prefix+"offsets", 5); err != nil {
		t.Fatal(err)
	}
	return s
}

// producer returns a client that writes as the product would, under the transactional id or without.
func (s *stage) producer(id string) *kgo.Client {
	opts := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionTimeout(20 * time.Second), kgo.UnknownTopicRetries(-1)}
	if id != "" {
		opts = append(opts, kgo.TransactionalID(s.prefix+id))
	}
	return s.broker.Client(s.t, opts...)
}

func (s *stage) events(rows []Record) []*kgo.Record {
	var out []*kgo.Record
	for _, r := range rows {
		out = append(out, &kgo.Record{Topic: s.prefix + r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers})
	}
	return out
}

func (s *stage) offset(values ...map[string]any) []*kgo.Record {
	var out []*kgo.Record
	for _, v := range values {
		if v == nil {
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, &kgo.Record{Topic: s.prefix + "offsets", Partition: javaPartition([]byte("posts"), 5), Key: []byte("posts"), Value: text})
	}
	return out
}

func (s *stage) send(client *kgo.Client, records []*kgo.Record) {
	s.t.Helper()
	if err := client.ProduceSync(within(s.t, time.Minute), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// land writes one Kafka transaction.
func (s *stage) land(client *kgo.Client, commit bool, records ...[]*kgo.Record) {
	s.t.Helper()
	if err := client.BeginTransaction(); err != nil {
		s.t.Fatal(err)
	}
	s.send(client, slices.Concat(records...))
	if err := client.EndTransaction(within(s.t, time.Minute), kgo.TransactionEndTry(commit)); err != nil {
		s.t.Fatal(err)
	}
}

// ferry writes the whole feed, each fifth transaction aborted once before.
func (s *stage) ferry() {
	s.t.Helper()
	client := s.producer("posts")
	for i := range s.feed.txns {
		x := &s.feed.txns[i]
		if i%5 == 4 {
			s.land(client, false, s.events(x.rows), s.offset(x.offset))
		}
		s.land(client, true, s.events(x.rows), s.offset(x.offset, x.second))
	}
	client.Close()
}

func (s *stage) options() CheckOptions {
	return CheckOptions{Kafka: []kgo.Opt{kgo.SeedBrokers(s.broker.Addr)}, OffsetsTopic: s.prefix + "offsets", Pipeline: "posts",
		Rules: Rules{TopicPrefix: s.prefix + "outbox.event."}, Patience: 30 * time.Second}
}

func (s *stage) check(opts CheckOptions) *Report {
	s.t.Helper()
	r, err := Check(within(s.t, 2*time.Minute), s.feed.oracle, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func TestCleanFeedOnKafkaPasses(t *testing.T) {
	s := newStage(t, 150)
	opts := s.options()
	online, err := NewOnline(opts.Rules.TopicPrefix, opts.Kafka...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- online.Run(ctx) }()
	s.ferry()
	opts.Online = online
	r := s.check(opts)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	st := r.Stats
	if !r.OK() || st.Distinct != st.Expected || st.OnlineRecords != st.Expected || st.KafkaCommits != int64(len(s.feed.txns)) || st.AbortedRecords == 0 || len(r.Notes) > 0 {
		t.Fatalf("a clean feed was refused:\n%s", r)
	}
}

func TestMutantsOnKafkaAreCaughtAndNamed(t *testing.T) {
	for _, m := range []struct {
		name string
		play func(s *stage)
		want Class
	}{
		{"dropped row", func(s *stage) {
			s.feed.txns[9].rows = s.feed.txns[9].rows[1:]
			s.ferry()
		}, Lost},
		{"repeated transaction", func(s *stage) {
			s.ferry()
			s.land(s.producer("posts"), true, s.events(s.feed.txns[3].rows), s.offset(s.feed.txns[3].offset))
		}, Duplicate},
		{"offset written outside the transaction", func(s *stage) {
			last := len(s.feed.txns) - 1
			x := s.feed.txns[last]
			s.feed.txns = s.feed.txns[:last]
			s.ferry()
			s.land(s.producer("posts"), true, s.events(x.rows))
			s.send(s.producer(""), s.offset(x.offset))
		}, OffsetFork},
		{"events written outside a transaction", func(s *stage) {
			last := len(s.feed.txns) - 1
			x := s.feed.txns[last]
			s.feed.txns = s.feed.txns[:last]
			s.ferry()
			s.send(s.producer(""), s.events(x.rows))
			s.land(s.producer("posts"), true, s.offset(x.offset))
		}, Torn},
		{"torn transaction", func(s *stage) {
			s.feed.split(s.t, false)
			s.ferry()
		}, Torn},
		{"two writers", func(s *stage) {
			x := s.feed.txns[len(s.feed.txns)-1]
			s.ferry()
			s.land(s.producer("other"), true, s.events(x.rows), s.offset(x.offset))
		}, OffsetFork},
		{"transaction left open", func(s *stage) {
			s.ferry()
			client := s.producer("posts")
			if err := client.BeginTransaction(); err != nil {
				s.t.Fatal(err)
			}
			s.send(client, s.events(s.feed.txns[0].rows))
		}, Hanging},
		{"wrong partition", func(s *stage) {
			rows := s.feed.txns[9].rows
			rows[0].Partition = (rows[0].Partition + 1) % fakePartitions
			s.ferry()
		}, Affinity},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, 60)
			m.play(s)
			opts := s.options()
			opts.Patience = 2 * time.Second // some of them make the check wait in vain
			if r := s.check(opts); r.Count(m.want) == 0 {
				t.Errorf("not named %s:\n%s", m.want, r)
			}
		})
	}
}

// A slot that is told a position before the offset record with it is committed must be seen.
func TestSlotAheadOfTheOffsetIsCaught(t *testing.T) {
	s := newStage(t, 60)
	var told atomic.Uint64
	sampler := &Sampler{Kafka: s.options().Kafka, OffsetsTopic: s.prefix + "offsets", Pipeline: "posts",
		Confirmed: func(context.Context) (uint64, bool) { return told.Load(), true }}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := sampler.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	samples := sampler.seen
	client := s.producer("posts")
	for i := range s.feed.txns {
		s.land(client, true, s.offset(s.feed.txns[i].offset))
		told.Store(lsnOf(t, s.feed.txns[i].offset))
	}
	before := samples()
	servers.Eventually(t, time.Minute, "the slot is sampled", func() bool { return samples() > before+2 })
	if n := len(sampler.found()); n > 0 {
		t.Errorf("%d of a right slot were called wrong", n)
	}
	told.Add(1)
	servers.Eventually(t, time.Minute, "the slot is seen to be ahead", func() bool { return len(sampler.found()) > 0 })
	stop()
	wg.Wait()
	r := &Report{}
	sampler.Enter(r)
	if r.Count(AckAhead) == 0 {
		t.Fatalf("not in the report:\n%s", r)
	}
}

func lsnOf(t *testing.T, offset map[string]any) uint64 {
	t.Helper()
	lsn, ok := parseLSN(fmt.Sprint(offset["position"].(map[string]any)["lsn"]))
	if !ok {
		t.Fatal("no LSN in an offset record")
	}
	return lsn
}

// The coordinator tells a producer that it committed before the marker is in the partition, so a
// sample waits for the fate of a transaction that is open: only one that is aborted was acked ahead.
func TestSlotAheadOfAnOpenTransactionWaitsForItsFate(t *testing.T) {
	for _, commit := range []bool{true, false} {
		s := newStage(t, 60)
		first, second := s.feed.txns[0].offset, s.feed.txns[1].offset
		client := s.producer("posts")
		s.land(client, true, s.offset(first))
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		s.send(client, s.offset(second))
		sampler := &Sampler{Kafka: s.options().Kafka, OffsetsTopic: s.prefix + "offsets", Pipeline: "posts",
			Confirmed: func(context.Context) (uint64, bool) { return lsnOf(t, second), true }}
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { sampler.Run(ctx) })
		servers.Eventually(t, time.Minute, "a sample is open", func() bool { return sampler.seen() == 1 })
		if n := len(sampler.found()); n > 0 {
			t.Fatalf("judged before the transaction ended")
		}
		if err := client.EndTransaction(within(t, time.Minute), kgo.TransactionEndTry(commit)); err != nil {
			t.Fatal(err)
		}
		servers.Eventually(t, time.Minute, "more samples are taken", func() bool { return sampler.seen() > 3 })
		stop()
		wg.Wait()
		if wrong := len(sampler.found()) > 0; wrong == commit {
			t.Fatalf("committed %v, called wrong %v", commit, wrong)
		}
	}
}
