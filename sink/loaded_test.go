package sink

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/fakebroker"
)

// TestTransactionWaitsUntilTheClientHasStoredATopic: where the client's own goroutine is late between sending the first record
// of a topic and storing the topic, EndTransaction aborted a commit alone and returned nil. When it is late nobody can arrange
// from outside, so what is waited for is tested: that the client knows the topic.
func TestTransactionWaitsUntilTheClientHasStoredATopic(t *testing.T) {
	cl := fakebroker.Client(t, fakebroker.Start(t, kfake.SeedTopics(1, "events")))
	s := &Sink{cl: cl}
	s.topics = topics{sink: s, noted: map[string]bool{}}
	if err := s.topics.loaded(t.Context()); err != nil {
		t.Fatalf("no topic is new: %v", err)
	}
	s.topics.note("events")
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if s.topics.loaded(soon) == nil {
		t.Error("a topic that the client does not know was taken for stored")
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "events", Value: []byte("1")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := s.topics.loaded(t.Context()); err != nil {
		t.Error(err)
	}
	s.topics.note("events")
	if len(s.topics.unseen) != 0 {
		t.Error("a topic is new twice")
	}
}
