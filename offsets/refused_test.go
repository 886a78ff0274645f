package offsets_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/offsets"
	"outferry/outbox"
)

// TestATopicThatKafkaRefusesIsNoMissingGrant: three replicas on one broker.
func TestATopicThatKafkaRefusesIsNoMissingGrant(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	s := &offsets.Store{Topic: "offsets", Pipeline: "posts", Group: "posts", Replication: 3, Client: cl}
	wantFault(t, s.Open(t.Context()), "kafka.topic_refused", outbox.Environment)
}
