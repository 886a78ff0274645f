package sink_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"outferry/outbox"
)

// codes are what Kafka may answer to a producer: those that pass, and those that don't.
func codes() (all []*kerr.Error) {
	for code := int16(-1); code < 140; code++ {
		var e *kerr.Error
		if code != 0 && errors.As(kerr.ErrorForCode(code), &e) && (code == -1 || e != kerr.UnknownServerError) {
			all = append(all, e)
		}
	}
	return all
}

// TestNoAnswerOfKafkaLosesARecord gives each kind of request each error once, at a random moment of a run of
// commits. Whatever comes of it, success means that all is there, and a fault means that the offsets topic tells
// the truth to the next sink, which repeats the rest: in the end every event is there once.
func TestNoAnswerOfKafkaLosesARecord(t *testing.T) {
	kinds := []kmsg.Key{kmsg.Metadata, kmsg.FindCoordinator, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.EndTxn}
	for _, kind := range kinds {
		t.Run(kind.Name(), func(t *testing.T) {
			t.Parallel()
			for i, code := range codes() {
				t.Run(code.Message, func(t *testing.T) { survive(t, kind, code, i%3) })
			}
		})
	}
}

func survive(t *testing.T, kind kmsg.Key, code *kerr.Error, commits int) {
	var opts []kfake.Opt
	if kind == kmsg.AddPartitionsToTxn { // which only older brokers are asked
		opts = append(opts, kfake.MaxVersions(kversion.V3_6_0()))
	}
	c := fake(t, opts...)
	addr := c.ListenAddrs()[0]
	cfg := file(t, addr, "posts")
	client := client(t, addr)
	makeTopic(t, client, cfg.Offsets.Topic, 1)
	makeTopic(t, client, "events", 1)
	var planted *kfake.FaultHandle
	install := func() { planted = c.Fault(kfake.Fault{Keys: []kmsg.Key{kind}, Err: code, Count: 1}) }
	if commits == 0 {
		install()
	}
	faults := 0
	for done := 0; done < 3; {
		r, err := tryOpen(deadline(t), t, cfg)
		if err == nil {
			r.seq = done
			err = r.upTo(3, func(n int) {
				if n == commits && faults == 0 {
					install()
				}
			})
			r.Close()
		}
		if planted == nil {
			t.Fatalf("before any fault: %v", err)
		}
		planted.Remove() // our reader would meet it
		if err == nil {
			break
		}
		wantSomeFault(t, err)
		if faults++; faults > 2 {
			t.Fatalf("fault after fault: %v", err)
		}
		done = believed(t, addr, cfg.Offsets.Topic) // as the next start does, behind a fence
	}
	wantValues(t, landed(t, addr, "events"), "1a", "1b", "2a", "2b", "3a", "3b")
	wantValues(t, landed(t, addr, cfg.Offsets.Topic), "1", "2", "3")
}

// upTo lands two events with each commit until there are last commits.
func (r *rig) upTo(last int, before func(commit int)) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for r.seq < last {
		before(r.seq)
		next := r.seq + 1
		if err := r.land(ctx, to("events", fmt.Sprint(next, "a"), fmt.Sprint(next, "b"))); err != nil {
			return err
		}
	}
	return nil
}

// believed fences and reads the newest offset.
func believed(t *testing.T, addr, topic string) int {
	t.Helper()
	r := open(t, file(t, addr, "posts"))
	defer r.Close()
	got := landed(t, addr, topic)
	if len(got) == 0 {
		return 0
	}
	n, err := strconv.Atoi(got[len(got)-1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantSomeFault(t *testing.T, err error) {
	t.Helper()
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code == "" {
		t.Fatalf("got %v, want a fault", err)
	}
	if f.Class == outbox.PositionLost || f.Class == outbox.Config {
		t.Fatalf("an error of a broker has class %d: %v", f.Class, f)
	}
}

// What a person must mend, and what passes, is told apart by the broker's code.
func TestFaultsOfKafkaHaveTheirClass(t *testing.T) {
	for _, c := range []struct {
		kind  kmsg.Key
		code  *kerr.Error
		fault string
		class outbox.Class
	}{
		{kmsg.InitProducerID, kerr.TransactionalIDAuthorizationFailed, "kafka.permission", outbox.Environment},
		{kmsg.InitProducerID, kerr.InvalidTransactionTimeout, "kafka.config", outbox.Environment},
		{kmsg.EndTxn, kerr.ProducerFenced, "kafka.fenced", outbox.Busy},
		{kmsg.EndTxn, kerr.InvalidProducerEpoch, "kafka.fenced", outbox.Busy},
		{kmsg.EndTxn, kerr.InvalidTxnState, "kafka.stale_producer", outbox.Transient},
		{kmsg.Produce, kerr.TopicAuthorizationFailed, "kafka.permission", outbox.Environment},
		{kmsg.Produce, kerr.MessageTooLarge, "row.refused_by_broker", outbox.Internal},
		{kmsg.Produce, kerr.InvalidTimestamp, "row.refused_by_broker", outbox.Internal},
		{kmsg.Produce, kerr.InvalidRecord, "row.refused_by_broker", outbox.Internal},
	} {
		t.Run(c.kind.Name()+" "+c.code.Message, func(t *testing.T) {
			cl := fake(t)
			cfg := file(t, cl.ListenAddrs()[0], "posts")
			makeTopic(t, client(t, cl.ListenAddrs()[0]), cfg.Offsets.Topic, 1)
			f := kfake.Fault{Keys: []kmsg.Key{c.kind}, Err: c.code, Count: -1}
			if c.kind == kmsg.Produce {
				f.Topic = "events"
			}
			cl.Fault(f)
			r, err := tryOpen(deadline(t), t, cfg)
			if err == nil {
				err = r.land(deadline(t), to("events", "one"))
			}
			wantFault(t, err, c.fault, c.class)
		})
	}
}
