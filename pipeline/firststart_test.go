package pipeline

import (
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/internal/configtest"
	"outferry/internal/fakebroker"
	"outferry/outbox"
	"outferry/sink"
	"outferry/status"
)

// TestFirstStartMayWaitForLong: each session takes an epoch, as where a table can't be locked for an hour, and none of them commits.
func TestFirstStartMayWaitForLong(t *testing.T) {
	p := onKfake(t)
	for n := range 110 {
		f := &ferry{Pipeline: p}
		var err error
		if f.sink, err = sink.Open(t.Context(), p.cfg, p.log); err != nil {
			t.Fatal(err)
		}
		err = f.load(t.Context())
		f.sink.Close()
		if err != nil {
			t.Fatalf("session %d: %v", n+1, err)
		}
	}
}

// TestOneAtATimeLastsUntilRowsCame: a source may read for minutes until it comes to the first one.
func TestOneAtATimeLastsUntilRowsCame(t *testing.T) {
	p := onKfake(t)
	p.single = true
	f := &ferry{Pipeline: p, testify: time.Now().Add(time.Hour)}
	var err error
	if f.sink, err = sink.Open(t.Context(), p.cfg, p.log); err != nil {
		t.Fatal(err)
	}
	defer f.sink.Close()
	if err := f.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.seal = newSeal(f)
	for _, rows := range []int{0, 1} {
		if err := f.passed(true); err != nil {
			t.Errorf("it ends before %d rows came: %v", rows, err)
		}
		if err := f.sink.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.hold.position, f.hold.rows = outbox.Position("{}"), rows
		if err := f.commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f.since = f.since.Add(-2 * singleFor)
	if err := f.passed(true); err != errSingleOver {
		t.Errorf("it goes on for ever: %v", err)
	}
}

// onKfake is a pipeline whose brokers are a fake one, and whose source is none.
func onKfake(t *testing.T) *Pipeline {
	t.Helper()
	text := fmt.Sprintf("name: posts\nsource: {url: postgres://outferry@localhost/app, tables: [public.outbox]}\nkafka: {brokers: [%q]}\n", fakebroker.Start(t).ListenAddrs()[0])
	return New(configtest.Load(t, text), hclog.NewNullLogger(), status.NewRegistry("test", false).Pipeline("posts"), time.Second)
}
