package offsets_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
	"outferry/offsets"
	"outferry/outbox"
)

func TestMain(m *testing.M) { servers.Main(m) }

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// rig is a store of pipeline posts on a topic of one partition that the test made.
type rig struct {
	*offsets.Store
	broker *servers.Broker
	adm    *kadm.Client
}

func newRig(t *testing.T) *rig {
	t.Helper()
	b := servers.Kafka(t)
	prefix, client := b.Prefix(t), b.Client(t)
	return &rig{
		Store:  &offsets.Store{Topic: prefix + "offsets", Pipeline: "posts", Group: prefix + "posts", Replication: -1, Client: client},
		broker: b, adm: kadm.NewClient(client),
	}
}

func (r *rig) make(t *testing.T, policy string) *rig {
	t.Helper()
	if _, err := r.adm.CreateTopic(deadline(t), 1, 1, map[string]*string{"cleanup.policy": &policy}, r.Topic); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) open(t *testing.T) *rig {
	t.Helper()
	if err := r.Open(deadline(t)); err != nil {
		t.Fatal(err)
	}
	return r
}

func record(seq int64) []byte {
	r := sample
	r.Seq = seq
	return r.Marshal()
}

func (r *rig) put(t *testing.T, key string, value []byte) {
	t.Helper()
	if err := r.Client.ProduceSync(deadline(t), r.to(key, value)).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) to(key string, value []byte) *kgo.Record {
	return &kgo.Record{Topic: r.Topic, Key: []byte(key), Value: value}
}

// writer is a transactional client of its own.
func (r *rig) writer(t *testing.T, id string) *kgo.Client {
	return r.broker.Client(t, kgo.TransactionalID(r.Group+id), kgo.TransactionTimeout(time.Minute))
}

func (r *rig) transaction(t *testing.T, writer *kgo.Client, end kgo.TransactionEndTry, records ...*kgo.Record) {
	t.Helper()
	if err := writer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := writer.ProduceSync(deadline(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := writer.EndTransaction(deadline(t), end); err != nil {
		t.Fatal(err)
	}
}

// load tries again while the fault is one that passes, as a pipeline does: a new broker's group coordinator takes its time.
func (r *rig) load(t *testing.T) (rec *offsets.Record, err error) {
	t.Helper()
	r.patiently(t, func() error { rec, err = r.Load(deadline(t)); return err })
	return rec, err
}

func (r *rig) testify(t *testing.T) (err error) {
	t.Helper()
	r.patiently(t, func() error { err = r.Testify(deadline(t), 0); return err })
	return err
}

func (r *rig) patiently(t *testing.T, do func() error) {
	t.Helper()
	servers.Eventually(t, time.Minute, "Kafka is ready", func() bool {
		var f *outbox.Fault
		return !errors.As(do(), &f) || f.Class != outbox.Transient
	})
}

// want loads, and compares the sequence; 0 is a first start.
func (r *rig) want(t *testing.T, seq int64) {
	t.Helper()
	got, err := r.load(t)
	switch {
	case err != nil:
		t.Fatal(err)
	case seq == 0 && got != nil:
		t.Fatalf("got record %d, want a first start", got.Seq)
	case seq != 0 && (got == nil || got.Seq != seq):
		t.Fatalf("got %+v, want record %d", got, seq)
	}
}

func wantFault(t *testing.T, err error, code string, class outbox.Class, words ...string) {
	t.Helper()
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code != code || f.Class != class {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, w := range words {
		if !strings.Contains(f.Error(), w) {
			t.Errorf("the fault does not say %q: %v", w, f)
		}
	}
}

func TestTopicIsMadeAtFirst(t *testing.T) {
	r := newRig(t).open(t)
	topics, err := r.adm.ListTopics(deadline(t), r.Topic)
	if err != nil {
		t.Fatal(err)
	}
	d := topics[r.Topic]
	if len(d.Partitions) != 50 || len(d.Partitions[0].Replicas) != 1 {
		t.Errorf("%d partitions of %d replicas, want 50 of 1", len(d.Partitions), len(d.Partitions[0].Replicas))
	}
	configs, err := r.adm.DescribeTopicConfigs(deadline(t), r.Topic)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range configs[0].Configs {
		got[c.Key] = c.MaybeValue()
	}
	if got["cleanup.policy"] != "compact" || got["segment.bytes"] != "16777216" {
		t.Errorf("cleanup.policy=%s segment.bytes=%s", got["cleanup.policy"], got["segment.bytes"])
	}
	if topic, partition := r.Place(); topic != r.Topic || partition != offsets.Partition("posts", 50) {
		t.Errorf("the place is %s partition %d", topic, partition)
	}
	r.want(t, 0)
	r.open(t) // once more, as at any later start
}

func TestTopicThatForgetsIsRefused(t *testing.T) {
	for _, policy := range []string{"delete", "compact,delete"} {
		r := newRig(t).make(t, policy)
		wantFault(t, r.Open(deadline(t)), "kafka.offsets_not_compacted", outbox.Environment, r.Topic, policy, "--add-config cleanup.policy=compact")
	}
}

func TestNewestRecordIsFoundAmongThousands(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	r.put(t, "posts", record(1))
	r.put(t, "posts", record(2))
	var others []*kgo.Record
	for n := range 5000 {
		others = append(others, r.to(fmt.Sprintf("other-%d", n%700), record(9)))
	}
	if err := r.Client.ProduceSync(deadline(t), others...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.want(t, 2)
	r.put(t, "posts", record(3))
	r.want(t, 3)
}

// Fact F26's other half: an offset whose events were rolled back would skip rows.
func TestAbortedRecordIsNotBelieved(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	w := r.writer(t, "-writer")
	r.transaction(t, w, kgo.TryCommit, r.to("posts", record(1)))
	r.transaction(t, w, kgo.TryAbort, r.to("posts", record(9)))
	r.want(t, 1)
}

// Behind the last record stand only the marks of transactions, more of them than a first look covers.
func TestTailOfControlRecordsIsPassed(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	w := r.writer(t, "-writer")
	r.transaction(t, w, kgo.TryCommit, r.to("posts", record(4)))
	for range 140 {
		r.transaction(t, w, kgo.TryAbort, r.to("posts", record(9)))
	}
	r.want(t, 4)
}

func TestOnlyAbortedRecordsAreAFirstStart(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	r.transaction(t, r.writer(t, "-writer"), kgo.TryAbort, r.to("posts", record(1)), r.to("other", record(1)))
	r.want(t, 0)
}

func TestTombstoneIsAFirstStartWhateverTheGroupSays(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	r.put(t, "posts", record(1))
	if err := r.testify(t); err != nil {
		t.Fatal(err)
	}
	r.want(t, 1)
	r.put(t, "posts", nil)
	r.want(t, 0)
}

// A topic that lost its records, by a restored disk or a policy set too late: the group knows that there was one.
// A topic that is deleted takes the group's offset with it, so there it is the source that has to notice.
func TestLostRecordIsNoFirstStart(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	if err := r.testify(t); err != nil {
		t.Fatal(err)
	}
	_, err := r.load(t)
	wantFault(t, err, "kafka.offsets_lost", outbox.PositionLost, r.Topic, r.Group, "posts")
	if err := r.Forget(deadline(t)); err != nil {
		t.Fatal(err)
	}
	r.want(t, 0)
}

// afterLists acts when the second list of offsets, that of the ends, has come: what a store saw is old then.
type afterLists struct {
	seen int
	act  func()
}

func (h *afterLists) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	const listOffsets = 2
	if key == listOffsets {
		if h.seen++; h.seen == 2 {
			h.act()
		}
	}
}

// Two instances start at once. The second finds no record, then a group that remembers one: the first's.
func TestRecordThatCameMeanwhileIsNotLost(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	h := &afterLists{act: func() {
		r.put(t, "posts", record(1))
		if err := r.testify(t); err != nil {
			t.Error(err)
		}
	}}
	second := *r.Store
	second.Client = r.broker.Client(t, kgo.WithHooks(h))
	got, err := second.Load(deadline(t))
	if err != nil || got == nil || got.Seq != 1 {
		t.Fatalf("got %+v, %v, want record 1", got, err)
	}
}

func TestGarbageIsNamedByItsPlace(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	r.put(t, "posts", record(1))
	r.put(t, "posts", []byte("{\"v\":1,"))
	_, err := r.Load(deadline(t))
	wantFault(t, err, "kafka.offset_invalid", outbox.PositionLost, r.Topic, "partition 0", "offset 1")
}

func TestForeignOpenTransactionIsWaitedFor(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	w := r.writer(t, "-foreign")
	if err := w.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := w.ProduceSync(deadline(t), r.to("foreign", record(1))).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.put(t, "posts", record(1)) // hidden until the foreign one ends

	r.Patience = 500 * time.Millisecond
	_, err := r.Load(deadline(t))
	wantFault(t, err, "kafka.hanging_transaction", outbox.Environment, r.Topic, "offset 0", "kafka-transactions.sh")

	r.Patience = time.Minute
	ended := make(chan error, 1)
	go func() { ended <- w.EndTransaction(deadline(t), kgo.TryCommit) }()
	r.want(t, 1)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	r := newRig(t).make(t, "compact").open(t)
	r.put(t, "posts", record(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the context's error", err)
	}
}
