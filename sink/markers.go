package sink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"outferry/configs"
	"outferry/outbox"
)

// Kafka answers the end of a transaction before it writes the markers that end it in each partition. A coordinator
// leaves a partition without one, and calls the transaction complete, if the partition has no leader at that
// moment, as while a crashed broker comes back (TransactionMarkerChannelManager of 4.3.1: "these partitions are
// likely deleted already"). Its records hang: readers of committed records don't see them, nor what follows,
// until the producer's next transaction there ends, and then they share its fate.
//
// So the end of a transaction is not believed until it is seen (pipeline), and what hangs when a client has taken
// over is ended as it was meant to end. The fence has ended everything that is open, so what is open after it hangs.

// hanging are records of ours that a transaction's end did not reach.
type hanging struct {
	topic     string
	partition int32
	epoch     int16
	start     int64 // offset of the first
}

// mendOffsets ends what hangs if the offset record does: as the last transaction ended. Where that is not known
// it is aborted: a commit that was not seen was not confirmed to the source either, and comes again.
func (s *Sink) mendOffsets(ctx context.Context, topic string, partition int32) error {
	found, err := s.hanging(ctx, s.producer, kadm.TopicsSet{topic: {partition: {}}})
	if err != nil || len(found) == 0 {
		return err
	}
	events, err := s.hangingEvents(ctx, s.producer)
	if err != nil {
		return err
	}
	return s.end(ctx, append(found, events...), s.before.committed())
}

// MendEvents ends what hangs of events, when the newest committed offset record is of that producer and epoch.
// What is younger was never committed, nor was what the fence aborted.
func (s *Sink) MendEvents(ctx context.Context, producer int64, epoch int16) error {
	if !s.exact {
		return nil
	}
	found, err := s.hangingEvents(ctx, s.producer)
	if err != nil {
		return err
	}
	var committed, younger []hanging
	for _, h := range found {
		_, aborted := s.before.open[h.topic][h.partition]
		if s.producer == producer && h.epoch <= epoch && !aborted {
			committed = append(committed, h)
		} else {
			younger = append(younger, h)
		}
	}
	if len(younger) > 0 {
		return s.end(ctx, younger, false) // the next client ends the others
	}
	if len(committed) > 0 {
		s.warnOfDoubt(committed, epoch)
		return s.end(ctx, committed, true)
	}
	return nil
}

// warnOfDoubt: below transaction.version 2 all transactions of a session have one epoch, so what hangs may be of one behind
// the record that was aborted.
func (s *Sink) warnOfDoubt(committed []hanging, epoch int16) {
	if s.before.committed() {
		return
	}
	for _, h := range committed {
		if h.epoch == epoch {
			s.log.Warn("what hangs is ended as committed, though nobody knows whether it was: with transaction.version below 2 its rows may come twice",
				"topic", h.topic, "partition", h.partition, "offset", h.start)
		}
	}
}

// Hangs reports whether a committed record hangs. Any goroutine may call it.
func (s *Sink) Hangs(ctx context.Context, r *kgo.Record) bool {
	found, err := s.hanging(ctx, r.ProducerID, kadm.TopicsSet{r.Topic: {r.Partition: {}}})
	return err == nil && slices.ContainsFunc(found, func(h hanging) bool { return h.start <= r.Offset })
}

const (
	besideTimeout = 5 * time.Second // for topics that are hardly ours
	askAgain      = 200 * time.Millisecond
)

// eventTopics are those whose name begins as router.topic does, and others that may hold events as well: where it begins with
// the route itself, or the pattern of the file does not match all values, there is no telling. The others are asked for so long.
func (s *Sink) eventTopics(ctx context.Context) (routed, others kadm.TopicsSet, patience time.Duration, err error) {
	prefix := s.cfg.Router.Topic
	if i := strings.IndexAny(prefix, `$\`); i >= 0 {
		prefix = prefix[:i]
	}
	topics, err := kadm.NewClient(s.cl).ListTopics(ctx)
	if err != nil {
		return nil, nil, 0, s.fault("list the topics of events", err)
	}
	topics.FilterInternal()
	routed, others = kadm.TopicsSet{}, topics.TopicsSet()
	delete(others, s.cfg.Offsets.Topic)
	if prefix == "" {
		return routed, others, reachTimeout, nil
	}
	for topic, partitions := range others {
		if strings.HasPrefix(topic, prefix) {
			routed[topic] = partitions
			delete(others, topic)
		}
	}
	if s.cfg.Router.TopicPattern == configs.AnyRoute {
		others = nil
	}
	return routed, others, besideTimeout, nil
}

// hangingRouted looks through the topics that hold events for certain.
func (s *Sink) hangingRouted(ctx context.Context, producer int64) ([]hanging, error) {
	routed, _, _, err := s.eventTopics(ctx)
	if err != nil {
		return nil, err
	}
	return s.hanging(ctx, producer, routed)
}

// hangingEvents looks through all topics that may hold events.
func (s *Sink) hangingEvents(ctx context.Context, producer int64) ([]hanging, error) {
	routed, others, patience, err := s.eventTopics(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.hanging(ctx, producer, routed)
	if err != nil {
		return nil, err
	}
	return append(found, s.hangingBeside(ctx, producer, others, patience)...), nil
}

// PassedOver reports whether partitions that may hold events did not say what hangs in them.
func (s *Sink) PassedOver() bool { return s.passed }

// hangingBeside passes over what does not answer for so long: it may be a topic of others that is away for good.
func (s *Sink) hangingBeside(whole context.Context, producer int64, set kadm.TopicsSet, patience time.Duration) (found []hanging) {
	ctx, cancel := context.WithTimeout(whole, patience)
	defer cancel()
	for {
		more, silent := s.ask(ctx, producer, set)
		found = append(found, more...)
		if len(silent) == 0 {
			return found
		}
		select {
		case <-time.After(askAgain):
			set = kadm.TopicsSet{}
			for _, p := range silent {
				set.Add(p.topic, p.partition)
			}
		case <-ctx.Done():
			if s.passed = true; errors.Is(whole.Err(), context.Canceled) { // nobody goes on
				return found
			}
			s.log.Warn("what hangs there can't be seen: what was committed is lost for readers when the next transaction there is aborted, and what was aborted comes twice when it is committed",
				"topic", silent[0].topic, "partition", silent[0].partition, "partitions", len(silent), "error", silent[0].err)
			return found
		}
	}
}

// hanging asks the leaders of partitions for open transactions of a producer. One that can't answer now is a fault.
func (s *Sink) hanging(ctx context.Context, producer int64, set kadm.TopicsSet) ([]hanging, error) {
	found, silent := s.ask(ctx, producer, set)
	if len(silent) == 0 {
		return found, nil
	}
	first := silent[0]
	return found, s.fault(fmt.Sprintf("look for hanging transactions in topic %s partition %d", first.topic, first.partition), first.err)
}

// silent is a partition that will answer later.
type silent struct {
	topic     string
	partition int32
	err       error
}

// ask returns what hangs, and who does not say so now.
func (s *Sink) ask(ctx context.Context, producer int64, set kadm.TopicsSet) (found []hanging, later []silent) {
	if !s.exact || len(set) == 0 || producer < 0 {
		return nil, nil
	}
	req := kmsg.NewPtrDescribeProducersRequest()
	for _, t := range set.IntoList() {
		rt := kmsg.NewDescribeProducersRequestTopic()
		rt.Topic, rt.Partitions = t.Topic, t.Partitions
		req.Topics = append(req.Topics, rt)
	}
	note := func(topic string, partition int32, err error) {
		if s.answersLater(topic, partition, err) {
			later = append(later, silent{topic, partition, err})
		}
	}
	for _, shard := range s.cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			for _, t := range shard.Req.(*kmsg.DescribeProducersRequest).Topics {
				for _, p := range t.Partitions {
					note(t.Topic, p, shard.Err)
				}
			}
			continue
		}
		for _, t := range shard.Resp.(*kmsg.DescribeProducersResponse).Topics {
			for _, p := range t.Partitions {
				note(t.Topic, p.Partition, kerr.ErrorForCode(p.ErrorCode))
				found = appendOpen(found, producer, t.Topic, p)
			}
		}
	}
	return found, later
}

// answersLater: a broker that does not know the question (before Kafka 2.8), or to whom we may not put it, never will.
func (s *Sink) answersLater(topic string, partition int32, err error) bool {
	if err == nil || errors.Is(err, kerr.UnknownTopicOrPartition) {
		return false
	}
	if kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	s.log.Debug("look for hanging transactions", "topic", topic, "partition", partition, "error", err)
	return false
}

func appendOpen(found []hanging, producer int64, topic string, p kmsg.DescribeProducersResponseTopicPartition) []hanging {
	for _, a := range p.ActiveProducers {
		if a.ProducerID == producer && a.CurrentTxnStartOffset >= 0 {
			found = append(found, hanging{topic, p.Partition, int16(a.ProducerEpoch), a.CurrentTxnStartOffset})
		}
	}
	return found
}

// end has the coordinator write the markers, in an empty transaction of the partitions. It returns the fault that
// makes way for a new client, which waits until they are written.
func (s *Sink) end(ctx context.Context, found []hanging, commit bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachTimeout) // half of it would be an abort
	defer cancel()
	first := fmt.Sprintf("topic %s partition %d offset %d", found[0].topic, found[0].partition, found[0].start)
	if err := s.endWithMarkers(ctx, found, commit); err != nil {
		return s.fault("end the transaction that hangs at "+first, err)
	}
	return &outbox.Fault{Code: "kafka.markers_lost", Class: outbox.Transient,
		Err: fmt.Errorf("a broker lost the end of a transaction in %d partitions, the first is %s: it was ended again, commit=%t", len(found), first, commit)}
}

// endWithMarkers speaks as clients did before transaction.version 2, who name partitions before they write to them.
func (s *Sink) endWithMarkers(ctx context.Context, found []hanging, commit bool) error {
	id, epoch, err := s.cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	opts, err := ClientOptions(&s.cfg.Kafka)
	if err != nil {
		return err
	}
	cl, err := kgo.NewClient(append(opts, kgo.MaxVersions(kversion.V3_0_0()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch = s.cfg.Kafka.TransactionalID, id, epoch
	for _, h := range found {
		t := kmsg.NewAddPartitionsToTxnRequestTopic()
		t.Topic, t.Partitions = h.topic, []int32{h.partition}
		add.Topics = append(add.Topics, t)
	}
	added, err := add.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, t := range added.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("topic %s partition %d: %w", t.Topic, p.Partition, err)
			}
		}
	}
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = s.cfg.Kafka.TransactionalID, id, epoch, commit
	ended, err := end.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(ended.ErrorCode)
}
