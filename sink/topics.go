package sink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"outferry/outbox"
)

// leadersTimeout is generous: a busy broker takes seconds to make a topic.
const leadersTimeout = 30 * time.Second

// topics knows which topics exist, so that a record is never buffered for one that doesn't.
type topics struct {
	sink  *Sink
	last  string
	count int // partitions of last
	known map[string]int

	noted  map[string]bool
	unseen []string // noted, and not yet known to be stored
}

// ready makes sure that a topic exists, and the partition where the row names one.
func (t *topics) ready(ctx context.Context, topic string, partition int32) error {
	if topic != t.last {
		if err := t.turn(ctx, topic); err != nil {
			return err
		}
	}
	if int(partition) < t.count {
		return nil
	}
	return t.outOfRange(ctx, partition)
}

func (t *topics) turn(ctx context.Context, topic string) (err error) {
	count, ok := t.known[topic]
	if !ok {
		if count, err = t.find(ctx, topic); err != nil {
			return err
		}
		t.known[topic] = count
		t.note(topic)
	}
	t.last, t.count = topic, count
	return nil
}

// note remembers a topic that the client gets its first record for.
func (t *topics) note(topic string) {
	if !t.noted[topic] {
		t.noted[topic] = true
		t.unseen = append(t.unseen, topic)
	}
}

// loaded waits until the client has stored the partitions of topics that are new to it. It sends their first records a moment
// before (franz-go v1.22.2, storePartitionsUpdate). A transaction that ended in that moment would be called committed where it
// holds no other topic's, and be aborted, or with transaction.version below 2 left open; where it does, the next one's first
// batch there would have an old sequence number, or lie outside of any transaction.
func (t *topics) loaded(ctx context.Context) error {
	if len(t.unseen) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leadersTimeout)
	defer cancel()
	for _, topic := range t.unseen {
		for {
			// -1 means not stored, also beside the error of an earlier answer: a stored partition without a leader has another.
			if leader, _, _ := t.sink.cl.PartitionLeader(topic, 0); leader != -1 {
				break
			}
			select {
			case <-time.After(100 * time.Microsecond):
			case <-ctx.Done():
				return t.sink.fault("load the partitions of topic "+topic, ctx.Err())
			}
		}
	}
	t.unseen = t.unseen[:0]
	return nil
}

// outOfRange looks again, since partitions may have been added. The client could only fail the record.
func (t *topics) outOfRange(ctx context.Context, partition int32) error {
	count, err := t.await(ctx, kadm.NewClient(t.sink.cl), t.last)
	if err != nil {
		return err
	}
	t.known[t.last], t.count = count, count
	if int(partition) < count {
		return nil
	}
	return &outbox.Fault{Code: "row.partition_out_of_range", Class: outbox.Internal,
		Err:    fmt.Errorf("the row names partition %d, topic %s has %d", partition, t.last, count),
		Remedy: "add partitions to the topic, or correct what router.columns.partition names"}
}

// find returns the number of the topic's partitions, and makes the topic where it is missing and may be made.
func (t *topics) find(ctx context.Context, topic string) (int, error) {
	cfg := &t.sink.cfg.Kafka.Topics
	adm := kadm.NewClient(t.sink.cl)
	count, led, err := t.partitions(ctx, adm, topic)
	switch {
	case err != nil || led:
		return count, err
	case count > 0:
		return t.await(ctx, adm, topic)
	}
	if !cfg.Create {
		return 0, &outbox.Fault{Code: "kafka.topic_missing", Class: outbox.Transient,
			Err: fmt.Errorf("topic %s does not exist and kafka.topics.create is false", topic), Remedy: "waiting for it; create it"}
	}
	if t.sink.Made >= cfg.Limit {
		return 0, &outbox.Fault{Code: "row.topics_limit", Class: outbox.Internal,
			Err:    fmt.Errorf("topic %s would be number %d that this pipeline makes, kafka.topics.limit is %d", topic, t.sink.Made+1, cfg.Limit),
			Remedy: "check what router.columns.route_by holds; then create the topic by hand, or raise kafka.topics.limit"}
	}
	if err := t.create(ctx, adm, topic); err != nil {
		return 0, err
	}
	return t.await(ctx, adm, topic)
}

// await waits until each partition of a topic has a leader.
func (t *topics) await(ctx context.Context, adm *kadm.Client, topic string) (int, error) {
	limit := time.NewTimer(leadersTimeout)
	defer limit.Stop()
	for {
		if count, led, err := t.partitions(ctx, adm, topic); err != nil || led {
			return count, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-limit.C:
			return 0, t.sink.fault("wait for the leaders of topic "+topic, kerr.LeaderNotAvailable)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// partitions returns how many the topic has, 0 while it does not exist, and whether each has a leader.
func (t *topics) partitions(ctx context.Context, adm *kadm.Client, topic string) (count int, led bool, err error) {
	got, err := adm.ListTopics(ctx, topic)
	if err != nil {
		return 0, false, t.sink.fault("look for topic "+topic, err)
	}
	d := got[topic]
	if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return 0, false, nil
	}
	if d.Err != nil {
		return 0, false, t.sink.fault("look for topic "+topic, d.Err)
	}
	for _, p := range d.Partitions {
		if p.Leader < 0 {
			return len(d.Partitions), false, nil
		}
	}
	return len(d.Partitions), len(d.Partitions) > 0, nil
}

func (t *topics) create(ctx context.Context, adm *kadm.Client, topic string) error {
	cfg := &t.sink.cfg.Kafka.Topics
	settings := make(map[string]*string, len(cfg.Config))
	for k, v := range cfg.Config {
		settings[k] = &v
	}
	_, err := adm.CreateTopic(ctx, int32(cfg.Partitions), int16(cfg.ReplicationFactor), settings, topic)
	if err == nil {
		t.sink.Made++
		t.sink.log.Info("topic created", "topic", topic)
		return nil
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	if errors.Is(err, kerr.InvalidReplicationFactor) || errors.Is(err, kerr.InvalidPartitions) || errors.Is(err, kerr.InvalidConfig) || errors.Is(err, kerr.PolicyViolation) {
		return &outbox.Fault{Code: "kafka.topic_refused", Class: outbox.Environment, Err: fmt.Errorf("create topic %s: %w", topic, err), Remedy: "correct kafka.topics, or create the topic by hand"}
	}
	if errors.Is(err, kerr.InvalidTopicException) {
		return &outbox.Fault{Code: "row.topic_invalid", Class: outbox.Internal, Err: fmt.Errorf("create topic %s: %w", topic, err),
			Remedy: "topics whose names differ in dots and underscores alone can't be beside each other: correct router.topic, or what the row is routed by"}
	}
	if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return &outbox.Fault{Code: "kafka.permission", Class: outbox.Environment, Err: fmt.Errorf("create topic %s: %w", topic, err),
			Remedy: "grant Create on Topic " + topic + " to the pipeline's principal, or create the topic by hand"}
	}
	return t.sink.fault("create topic "+topic, err)
}
