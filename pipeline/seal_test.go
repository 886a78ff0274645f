package pipeline_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
	"outferry/offsets"
)

// The answer to a commit is no proof that readers see it.
func TestSourceIsToldOnlyWhatReadersSee(t *testing.T) {
	r := newRig(t, "offsets: {topic: PREFIX-offsets}\n")
	run := r.start()
	r.insert("1", "order", "first")
	r.consume("order", 1) // the slot exists
	r.insert("2", "order", "second")
	r.awaitSlot(r.end())

	other := r.kafka.Client(t, kgo.TransactionalID(r.prefix+"other"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	hides := &kgo.Record{Topic: r.cfg.Offsets.Topic, Partition: offsets.Partition(r.cfg.Name, 50), Key: []byte("other"), Value: []byte("open")}
	if err := other.ProduceSync(t.Context(), hides).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.insert("3", "order", "third")
	r.consume("order", 3)
	behind := r.end()
	for range 10 {
		if r.slotIsBeyond(behind) {
			t.Fatal("the slot was moved beyond a commit that readers don't see")
		}
		time.Sleep(150 * time.Millisecond)
	}
	if err := other.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	r.awaitSlot(behind)
	run.stop()
}

func (r *rig) end() string { return r.db.Text(r.t, "SELECT pg_current_wal_insert_lsn()::text") }

func (r *rig) slotIsBeyond(lsn string) bool {
	return r.db.Text(r.t, "SELECT (confirmed_flush_lsn >= '"+lsn+"')::text FROM pg_replication_slots WHERE database = current_database()") == "true"
}

func (r *rig) awaitSlot(lsn string) {
	r.t.Helper()
	servers.Eventually(r.t, deadline, "the slot follows to "+lsn, func() bool { return r.slotIsBeyond(lsn) })
}

// The broker answered the commit of row 2 and crashed before it wrote the markers.
func TestCommitWhoseEndWasLostIsNeitherLostNorRepeated(t *testing.T) {
	r := newRigOn(t, servers.StartKafka(t, servers.KafkaOptions{Properties: []string{servers.Trusting}}), "offsets: {topic: PREFIX-offsets}\n")
	run := r.start()
	r.insert("1", "order", "first")
	r.consume("order", 1)
	run.stop()

	r.insert("2", "order", "second")
	rec := r.record()
	rec.Seq++
	rec.Position = json.RawMessage(strings.Replace(string(rec.Position), jsonOf(t, rec.Position)["lsn"].(string), r.end(), 1))
	id := r.cfg.Kafka.TransactionalID
	r.kafka.Hang(t, id, 0, r.prefix+".order", 0, "key", "second")
	r.kafka.Hang(t, id, 0, r.cfg.Offsets.Topic, offsets.Partition(r.cfg.Name, 50), r.cfg.Name, string(rec.Marshal()))

	run = r.start()
	r.insert("3", "order", "third")
	var values []string
	for _, got := range r.consume("order", 3) {
		values = append(values, string(got.Value))
	}
	if !slices.Equal(values, []string{"first", "second", "third"}) {
		t.Errorf("readers see %q", values)
	}
	run.stop()
}
