package offsets_test

import (
	"testing"

	"outferry/internal/fakebroker"
	"outferry/offsets"
	"outferry/outbox"
)

// TestATopicThatKafkaRefusesIsNoMissingGrant: three replicas on one broker.
func TestATopicThatKafkaRefusesIsNoMissingGrant(t *testing.T) {
	cl := fakebroker.Client(t, fakebroker.Start(t))
	s := &offsets.Store{Topic: "offsets", Pipeline: "posts", Group: "posts", Replication: 3, Client: cl}
	wantFault(t, s.Open(t.Context()), "kafka.topic_refused", outbox.Environment)
}
