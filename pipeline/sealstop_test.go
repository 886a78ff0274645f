package pipeline

import (
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/internal/fakebroker"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/sink"
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

// committed is a seal of one commit, which readers see and nobody has looked for.
func committed(t *testing.T, src Source) *seal {
	t.Helper()
	cl := fakebroker.Client(t, fakebroker.Start(t, kfake.SeedTopics(1, "offsets")))
	r := &kgo.Record{Topic: "offsets", Key: []byte("posts"), Value: []byte("1")}
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	store := &offsets.Store{Topic: "offsets", Pipeline: "posts", Client: cl}
	if found, err := store.Find(t.Context()); !found || err != nil {
		t.Fatal(found, err)
	}
	p := &Pipeline{cfg: &configs.Pipeline{Name: "posts", Delivery: "exactly_once"}, log: hclog.NewNullLogger()}
	s := newSeal(&ferry{Pipeline: p, sink: &sink.Sink{}, src: src, store: store})
	s.seal = s
	s.add(r, outbox.Position("1"))
	return s
}

// TestCommitsThatAreSeenInTheLastMomentOfAStop: the time is over, and none is left to speak of.
func TestCommitsThatAreSeenInTheLastMomentOfAStop(t *testing.T) {
	src := &slow{}
	committed(t, src).finish()
	if string(src.told) != "1" {
		t.Errorf("the source was told %q", src.told)
	}
}

// TestAnAbortIsNoSightOfWhatWasCommittedBefore: what hangs there is aborted with it.
func TestAnAbortIsNoSightOfWhatWasCommittedBefore(t *testing.T) {
	src := &slow{}
	s := committed(t, src)
	_ = s.abort(t.Context(), nil)
	s.finish()
	if src.told != nil {
		t.Errorf("the source was told %q", src.told)
	}
}
