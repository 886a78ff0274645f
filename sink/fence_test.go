package sink_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestStartsAreNoWitnessOfACommit: a supervisor makes many of them where something is waited for, each in a process of its own.
func TestStartsAreNoWitnessOfACommit(t *testing.T) {
	r, addr, topic := onKafka(t)
	for range 150 {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID(r.cfg.Kafka.TransactionalID))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := cl.ProducerID(deadline(t)); err != nil {
			t.Fatal(err)
		}
		cl.Close()
	}
	r = open(t, r.cfg)
	if r.HasCommitted(0) {
		t.Error("a commit is seen where there was none")
	}
	if err := r.land(deadline(t), to(topic, "one")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r = open(t, r.cfg); !r.HasCommitted(0) {
			t.Error("the commit is not seen")
		}
		if err := r.CommitAlone(deadline(t), r.offset()); err != nil {
			t.Fatal(err)
		}
	}
}
