package sink

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/fakebroker"
	"outferry/outbox"
)

// Where the client's own goroutine is late between sending the first record of a topic and storing the topic, EndTransaction
// aborted a commit alone and returned nil. Nobody can arrange that from outside, so what is waited for is tested: that the client
// knows the topics of a transaction.

func opened(t *testing.T, topics ...string) *Sink {
	t.Helper()
	addr := fakebroker.Start(t, kfake.SeedTopics(1, topics...)).ListenAddrs()[0]
	s, err := Open(t.Context(), File(t, addr, "posts"), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Fence(t.Context(), "offsets", 0); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTransactionWaitsUntilTheClientHasStoredItsTopics(t *testing.T) {
	s := opened(t, "events", "offsets")
	commit := func(within time.Duration) error {
		if err := s.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.topics.ready(t.Context(), "events", -1); err != nil {
			t.Fatal(err)
		}
		s.cl.Produce(t.Context(), &kgo.Record{Topic: "events", Value: []byte("1")}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		return s.Commit(ctx, &kgo.Record{Topic: "offsets", Value: []byte("1")})
	}
	if err := commit(time.Minute); err != nil {
		t.Fatal(err)
	}
	if !s.topics.noted["events"] || !s.topics.noted["offsets"] || len(s.topics.unseen) > 0 {
		t.Errorf("noted %v, not seen %v", s.topics.noted, s.topics.unseen)
	}
	s.topics.note("never")
	var f *outbox.Fault
	if err := commit(time.Second); !errors.As(err, &f) || f.Class != outbox.Transient {
		t.Errorf("committed while the client did not know a topic: %v", err)
	}
	if !s.open {
		t.Error("the transaction can't be aborted")
	}
}

// TestErrorOfAnEarlierAnswerIsNoStoredTopic: the first broker asked may not have heard of a topic that was just made.
func TestErrorOfAnEarlierAnswerIsNoStoredTopic(t *testing.T) {
	s := opened(t, "offsets")
	cl := fakebroker.Client(t, fakebroker.Start(t), kgo.UnknownTopicRetries(-1))
	s.cl.Close()
	s.cl = cl
	cl.Produce(t.Context(), &kgo.Record{Topic: "late", Value: []byte("1")}, nil)
	for {
		if _, _, err := cl.PartitionLeader("late", 0); err != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s.topics.note("late")
	soon, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if s.topics.loaded(soon) == nil {
		t.Error("a topic that no broker has told of was taken for stored")
	}
	if !slices.Contains(s.topics.unseen, "late") {
		t.Error("it is waited for no more")
	}
}
