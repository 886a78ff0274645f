package sink_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"outferry/internal/servers"
	"outferry/outbox"
)

func makeTopic(t testing.TB, cl *kgo.Client, topic string, partitions int32, settings ...string) {
	t.Helper()
	configs := map[string]*string{}
	for i := 0; i < len(settings); i += 2 {
		configs[settings[i]] = &settings[i+1]
	}
	if _, err := kadm.NewClient(cl).CreateTopic(deadline(t), partitions, 1, configs, topic); err != nil {
		t.Fatal(err)
	}
}

// onKafka is a sink on the real broker, with topics of its own.
func onKafka(t *testing.T, more ...string) (r *rig, addr, topic string) {
	t.Helper()
	b := servers.Kafka(t)
	name := strings.TrimSuffix(b.Prefix(t), "-")
	return open(t, file(t, b.Addr, name, more...)).offsetsTopic(t), b.Addr, name + "-events"
}

func TestEventsAndOffsetLandTogether(t *testing.T) {
	r, addr, topic := onKafka(t)
	for n := range 3 {
		if err := r.land(deadline(t), to(topic, fmt.Sprint(n, "a"), fmt.Sprint(n, "b"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.take(deadline(t), to(topic, "never")); err != nil {
		t.Fatal(err)
	}
	r.Abort(deadline(t))
	wantValues(t, landed(t, addr, topic), "0a", "0b", "1a", "1b", "2a", "2b")
	wantValues(t, landed(t, addr, r.cfg.Offsets.Topic), "1", "2", "3")
	if first := r.First(); first == nil || first.Topic != topic || first.Offset != 0 || r.First() != nil {
		t.Errorf("the first record landed at %+v, once", first)
	}
}

// TestCompactedTopicWantsAKey, and the broker's word for that says nothing of it.
func TestCompactedTopicWantsAKey(t *testing.T) {
	r, _, topic := onKafka(t)
	makeTopic(t, r.Client(), topic, 1, "cleanup.policy", "compact")
	err := r.land(deadline(t), []event{{topic: topic, value: "v", partition: -1}})
	wantFault(t, err, "row.refused_by_broker", outbox.Internal, topic, "without a key")
}

// Fact F24: Kafka commits what succeeded, and the offset would move past the rest.
func TestOneFailedRecordForbidsTheCommit(t *testing.T) {
	r, addr, topic := onKafka(t)
	makeTopic(t, r.Client(), topic, 1, "max.message.bytes", "2000")
	if err := r.land(deadline(t), to(topic, "before")); err != nil {
		t.Fatal(err)
	}
	err := r.land(deadline(t), append(append(to(topic, "good"), to(topic, noise(9000))...), to(topic+"-other", "good too")...))
	wantFault(t, err, "row.refused_by_broker", outbox.Internal, topic, "max.message.bytes")
	r.Abort(deadline(t))
	wantValues(t, landed(t, addr, topic), "before")
	wantValues(t, landed(t, addr, topic+"-other"))
	wantValues(t, landed(t, addr, r.cfg.Offsets.Topic), "1")
}

func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

func TestTopicDeletedMeanwhileForbidsTheCommit(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	if err := r.land(deadline(t), to("events", "before")); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteTopic("events"); err != nil {
		t.Fatal(err)
	}
	err := r.land(deadline(t), append(to("others", "good"), to("events", "lost")...))
	wantFault(t, err, "kafka.unreachable", outbox.Transient, "events")
	r.Abort(deadline(t))
	wantValues(t, landed(t, c.ListenAddrs()[0], r.cfg.Offsets.Topic), "1")
	wantValues(t, landed(t, c.ListenAddrs()[0], "others"))
}

// Fact F27: the transactional id decides, whatever the first instance still believes.
func TestSecondInstanceFencesTheFirst(t *testing.T) {
	first, addr, topic := onKafka(t)
	if err := first.land(deadline(t), to(topic, "one")); err != nil {
		t.Fatal(err)
	}
	if err := first.take(deadline(t), to(topic, "zombie")); err != nil {
		t.Fatal(err)
	}
	second := open(t, first.cfg)
	wantFault(t, first.commit(deadline(t)), "kafka.fenced", outbox.Busy)
	first.Abort(deadline(t)) // which the pipeline does before it drops the client
	second.seq = first.seq
	if err := second.land(deadline(t), to(topic, "two")); err != nil {
		t.Fatal(err)
	}
	wantValues(t, landed(t, addr, topic), "one", "two")
}

// A stop ends the pipeline's context, but what was taken before is to be drained.
func TestStopDoesNotFailWhatIsUnderWay(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	ctx, stop := context.WithCancel(t.Context())
	if err := r.take(ctx, to("events", "one", "two")); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := r.commit(deadline(t)); err != nil {
		t.Fatal(err)
	}
	wantValues(t, landed(t, c.ListenAddrs()[0], "events"), "one", "two")
}

func TestCommitGivesUpWithItsContext(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	if err := r.land(deadline(t), to("events", "one")); err != nil {
		t.Fatal(err)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantFault(t, r.land(ctx, to("events", "two")), "kafka.unreachable", outbox.Transient)
}

// A transaction right behind another's end would be put to sleep by the broker.
func TestTransactionsKeepADistanceWhereNobodyTellsWhenOneIsComplete(t *testing.T) {
	var e ends
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts"), &e).offsetsTopic(t)
	asked := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeTransactions}, Err: kerr.TransactionalIDAuthorizationFailed, Count: -1})
	for n := range 20 {
		if err := r.Begin(deadline(t)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		e.Lock()
		if len(e.at) != n {
			t.Fatalf("%d transactions ended, want %d", len(e.at), n)
		}
		if n > 0 && began.Sub(e.at[n-1]) < time.Millisecond {
			t.Fatalf("began %s after an end", began.Sub(e.at[n-1]))
		}
		e.Unlock()
		if err := r.land(deadline(t), to("events", "x")); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Hits() != 1 {
		t.Errorf("a coordinator that does not tell was asked %d times", asked.Hits())
	}
}

func TestTransactionBeginsWhenTheLastOneIsComplete(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	asked := 0
	states := []string{"PrepareCommit", "PrepareCommit", "PrepareCommit", "CompleteCommit"}
	c.ControlKey(int16(kmsg.DescribeTransactions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		state := kmsg.NewDescribeTransactionsResponseTransactionState()
		state.TransactionalID, state.State = r.cfg.Kafka.TransactionalID, states[asked]
		resp.TransactionStates = append(resp.TransactionStates, state)
		if asked++; asked < len(states) {
			c.KeepControl()
		}
		return resp, nil, true
	})
	if err := r.land(deadline(t), to("events", "one")); err != nil {
		t.Fatal(err)
	}
	if err := r.Begin(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if asked != len(states) {
		t.Errorf("began when the coordinator had said %v", states[:asked])
	}
}

// A question each 200 microseconds, from the end on, would be some ten a transaction where markers take three milliseconds.
func TestCoordinatorIsAskedWhenATransactionShouldBeComplete(t *testing.T) {
	var e ends
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts"), &e).offsetsTopic(t)
	asked := 0
	c.ControlKey(int16(kmsg.DescribeTransactions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		asked++
		resp := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		state := kmsg.NewDescribeTransactionsResponseTransactionState()
		state.TransactionalID, state.State = r.cfg.Kafka.TransactionalID, "CompleteCommit"
		e.Lock()
		if time.Since(e.at[len(e.at)-1]) < 3*time.Millisecond {
			state.State = "PrepareCommit"
		}
		e.Unlock()
		resp.TransactionStates = append(resp.TransactionStates, state)
		return resp, nil, true
	})
	const learn, look = 50, 100
	for n := range learn + look {
		if n == learn {
			asked = 0
		}
		if err := r.land(deadline(t), to("events", "x")); err != nil {
			t.Fatal(err)
		}
	}
	if asked > 3*look {
		t.Errorf("asked %d times for %d transactions", asked, look)
	}
}

func TestAtLeastOnceWritesTheOffsetBehindTheEvents(t *testing.T) {
	c := fake(t)
	addr := c.ListenAddrs()[0]
	r := open(t, file(t, addr, "posts", "delivery=at_least_once")).offsetsTopic(t)
	transactions := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.EndTxn}, Observe: true, TopLevel: true, Count: -1})
	if err := r.land(deadline(t), to("events", "one")); err != nil {
		t.Fatal(err)
	}
	if n := transactions.Hits(); n != 0 {
		t.Errorf("%d requests of a transaction were sent", n)
	}
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "events", Err: kerr.MessageTooLarge, Count: 1})
	wantFault(t, r.land(deadline(t), to("events", "two")), "row.refused_by_broker", outbox.Internal)
	wantValues(t, landed(t, addr, "events"), "one")
	wantValues(t, landed(t, addr, r.cfg.Offsets.Topic), "1")
}

func TestCloseLeavesNothingRunning(t *testing.T) {
	c := fake(t)
	cfg := file(t, c.ListenAddrs()[0], "posts")
	open(t, cfg).offsetsTopic(t).Close()
	before := goleak.IgnoreCurrent()
	for _, delivery := range []string{"exactly_once", "at_least_once"} {
		cfg.Delivery = delivery
		r := open(t, cfg)
		if err := r.land(deadline(t), to("events", "one")); err != nil {
			t.Fatal(err)
		}
		if err := r.take(deadline(t), to("events", "left open")); err != nil {
			t.Fatal(err)
		}
		r.Close()
	}
	// The connections' ends in the fake broker are not ours.
	goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read"), goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).write"))
}
