package pipeline

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/offsets"
	"outferry/outbox"
)

// slow is a source that is told in the last moment.
type slow struct {
	Source
	told outbox.Position
}

func (s *slow) Confirm(pos outbox.Position) {
	time.Sleep(sealStop)
	s.told = pos
}

// TestCommitsThatAreSeenInTheLastMomentOfAStop: the time is over, and none is left to speak of.
func TestCommitsThatAreSeenInTheLastMomentOfAStop(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "offsets"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	r := &kgo.Record{Topic: "offsets", Key: []byte("posts"), Value: []byte("1")}
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	store := &offsets.Store{Topic: "offsets", Pipeline: "posts", Client: cl}
	if found, err := store.Find(context.Background()); !found || err != nil {
		t.Fatal(found, err)
	}
	src := &slow{}
	s := newSeal(&ferry{Pipeline: &Pipeline{cfg: &configs.Pipeline{Name: "posts", Delivery: "exactly_once"}, log: hclog.NewNullLogger()}, src: src, store: store})
	s.add(r, outbox.Position("1"))
	s.finish()
	if string(src.told) != "1" {
		t.Errorf("the source was told %q", src.told)
	}
}
