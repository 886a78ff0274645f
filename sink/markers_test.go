package sink_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
	"outferry/outbox"
)

// trusting is a broker that takes records which no transaction holds.
func trusting(t testing.TB) *servers.Broker {
	return servers.StartKafka(t, servers.KafkaOptions{Properties: []string{servers.Trusting}})
}

// hang writes records of the rig's producer whose end never comes.
func hang(t *testing.T, b *servers.Broker, r *rig, topic string, epochs int16, key string, values ...string) {
	t.Helper()
	b.Hang(t, r.cfg.Kafka.TransactionalID, epochs, topic, 0, key, values...)
}

// awaitMarkers waits until the last commit of the producer has ended in the offsets partition.
func awaitMarkers(t *testing.T, r *rig) {
	t.Helper()
	for anythingHangs(t, r) {
		time.Sleep(time.Millisecond)
	}
}

// anythingHangs asks for the rig's producer in the offsets partition.
func anythingHangs(t *testing.T, r *rig) bool {
	t.Helper()
	id, _, err := r.Client().ProducerID(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	return r.Hangs(deadline(t), &kgo.Record{Topic: r.cfg.Offsets.Topic, Offset: 1 << 40, ProducerID: id})
}

// A broker that crashed when a commit was just answered lost its markers.
func TestTransactionThatHangsEndsAsItWasMeantTo(t *testing.T) {
	b := trusting(t)
	for name, meant := range map[string]struct {
		last   func(*testing.T, *rig) // the last transaction that the coordinator knows
		events []string
		offset []string
		file   []string
	}{
		"committed": {func(t *testing.T, r *rig) {}, []string{"one", "two", "three"}, []string{"1", "2"}, nil},
		"unmatched": {func(t *testing.T, r *rig) {}, []string{"one", "two", "three"}, []string{"1", "2"}, []string{"router.topic_pattern=a(?<routedByValue>.*)"}},
		"aborted": {func(t *testing.T, r *rig) {
			if err := r.take(deadline(t), to(r.cfg.Name+"-events", "void")); err != nil {
				t.Fatal(err)
			}
			r.Abort(deadline(t))
		}, []string{"one"}, []string{"1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := file(t, b.Addr, "hangs-"+name, append(meant.file, "router.topic=hangs-"+name+"-${routedByValue}")...)
			events := cfg.Name + "-events"
			if meant.file != nil {
				events = "other-" + events
			}
			r := open(t, cfg).offsetsTopic(t)
			if err := r.land(deadline(t), to(events, "one")); err != nil {
				t.Fatal(err)
			}
			meant.last(t, r)
			awaitMarkers(t, r)
			hang(t, b, r, events, 0, "k", "two", "three")
			hang(t, b, r, cfg.Offsets.Topic, 0, cfg.Name, "2")
			if !anythingHangs(t, r) {
				t.Error("nobody sees that it hangs")
			}
			r.Close()

			_, err := tryOpen(deadline(t), t, cfg)
			wantFault(t, err, "kafka.markers_lost", outbox.Transient, "2 partitions")
			wantSound(t, open(t, cfg))
			wantValues(t, landed(t, b.Addr, events), meant.events...)
			wantValues(t, landed(t, b.Addr, cfg.Offsets.Topic), meant.offset...)
		})
	}
}

// wantSound checks that nothing of the client hangs.
func wantSound(t *testing.T, r *rig) {
	t.Helper()
	if err := r.MendEvents(deadline(t), 0, 0); err != nil {
		t.Error(err)
	}
	if anythingHangs(t, r) {
		t.Error("something hangs")
	}
}

// The offset record is seen, events beside it hang: the record's producer tells whether they belong to it.
func TestEventsThatHangShareTheFateOfTheirOffset(t *testing.T) {
	b := trusting(t)
	for name, meant := range map[string]struct {
		epochs int16 // of the events, behind the offset record
		events []string
	}{
		"with it":       {0, []string{"one", "two"}},
		"younger":       {1, []string{"one"}},
		"other product": {0, []string{"one"}},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := servers.Kafka(t).Prefix(t)
			cfg := file(t, b.Addr, prefix+"hangs", "router.topic="+prefix+"${routedByValue}")
			events := prefix + "events"
			r := open(t, cfg).offsetsTopic(t)
			if err := r.land(deadline(t), to(events, "one")); err != nil {
				t.Fatal(err)
			}
			id, epoch, err := r.Client().ProducerID(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			awaitMarkers(t, r)
			hang(t, b, r, events, meant.epochs, "k", "two")
			r.Close()
			if name == "other product" {
				id++
			}
			fenced := open(t, cfg)
			wantFault(t, fenced.MendEvents(deadline(t), id, epoch), "kafka.markers_lost", outbox.Transient, events)
			wantSound(t, open(t, cfg))
			wantValues(t, landed(t, b.Addr, events), meant.events...)
		})
	}
}

func TestTransactionsOfOthersAreLeftAlone(t *testing.T) {
	addr := servers.Kafka(t).Addr
	prefix := servers.Kafka(t).Prefix(t)
	cfg := file(t, addr, prefix+"posts", "router.topic="+prefix+"${routedByValue}")
	r := open(t, cfg).offsetsTopic(t)
	if err := r.land(deadline(t), to(prefix+"events", "one")); err != nil {
		t.Fatal(err)
	}
	other := client(t, addr, kgo.TransactionalID(prefix+"other"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{prefix + "events", cfg.Offsets.Topic} {
		if err := other.ProduceSync(deadline(t), &kgo.Record{Topic: topic, Value: []byte("open")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	wantSound(t, open(t, cfg))
	if err := other.EndTransaction(deadline(t), kgo.TryCommit); err != nil {
		t.Errorf("the other's transaction was ended: %v", err)
	}
}
