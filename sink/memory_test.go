package sink_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"outferry/outbox"
)

func TestBatchesComeBackWhenTheyAreAcknowledged(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	for n := range 5 {
		if err := r.take(deadline(t), to("events", "a", fmt.Sprint(n))); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.commit(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if used := r.pool.Used(); used != 0 {
		t.Fatalf("%d bytes are still out", used)
	}
}

// What failed may still be in a request, so its memory dies with the client.
func TestBatchThatFailedDoesNotComeBack(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	if err := r.land(deadline(t), to("events", "one")); err != nil {
		t.Fatal(err)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "events", Err: kerr.MessageTooLarge, Count: 1})
	wantFault(t, r.land(deadline(t), to("events", "two")), "row.refused_by_broker", outbox.Internal)
	r.Abort(deadline(t))
	if used := r.pool.Used(); used != outbox.BatchBytes {
		t.Fatalf("%d bytes are out, want the one batch", used)
	}
}

// The pool has room for four batches, so each one's memory is written again hundreds of times while the client
// sends from it, and sends again what the broker would not take at first. The race detector watches too.
func TestMemoryIsNotUsedAgainBeforeItLanded(t *testing.T) {
	const batches, rows = 300, 40
	c := fake(t)
	addr := c.ListenAddrs()[0]
	r := open(t, file(t, addr, "posts")).offsetsTopic(t)
	var want []string
	for n := range batches {
		var values []string
		for i := range rows {
			values = append(values, fmt.Sprintf("%d/%d %s", n, i, strings.Repeat(string(rune('a'+n%26)), 200)))
		}
		want = append(want, values...)
		if n%10 == 0 {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "events", Err: kerr.NotEnoughReplicas, Count: 1})
		}
		if err := r.take(deadline(t), to("events", values...)); err != nil {
			t.Fatal(err)
		}
		if n%7 == 0 {
			if err := r.commit(deadline(t)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.commit(deadline(t)); err != nil {
		t.Fatal(err)
	}
	wantValues(t, landed(t, addr, "events"), want...)
	if used := r.pool.Used(); used != 0 {
		t.Errorf("%d bytes are still out", used)
	}
}
