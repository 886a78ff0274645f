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

// topics knows which topics exist, so that a record is never buffered for one that doesn't.
type topics struct {
	sink  *Sink
	last  string
	known map[string]bool
}

// ready makes sure that a topic exists.
func (t *topics) ready(ctx context.Context, topic string) error {
	if topic == t.last {
		return nil
	}
	if !t.known[topic] {
		if err := t.find(ctx, topic); err != nil {
			return err
		}
		t.known[topic] = true
	}
	t.last = topic
	return nil
}

func (t *topics) find(ctx context.Context, topic string) error {
	cfg := &t.sink.cfg.Kafka.Topics
	if len(t.known) >= cfg.Limit {
		return &outbox.Fault{Code: "row.topics_limit", Class: outbox.Internal,
			Err:    fmt.Errorf("topic %s would be number %d of this pipeline, kafka.topics.limit is %d", topic, len(t.known)+1, cfg.Limit),
			Remedy: "raise kafka.topics.limit, or check what router.columns.route_by holds"}
	}
	adm := kadm.NewClient(t.sink.cl)
	exists, err := t.exists(ctx, adm, topic)
	if err != nil || exists {
		return err
	}
	if !cfg.Create {
		return &outbox.Fault{Code: "kafka.topic_missing", Class: outbox.Transient,
			Err: fmt.Errorf("topic %s does not exist and kafka.topics.create is false", topic), Remedy: "waiting for it; create it"}
	}
	if err := t.create(ctx, adm, topic); err != nil {
		return err
	}
	for {
		if exists, err := t.exists(ctx, adm, topic); err != nil || exists {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (t *topics) exists(ctx context.Context, adm *kadm.Client, topic string) (bool, error) {
	got, err := adm.ListTopics(ctx, topic)
	if err != nil {
		return false, t.sink.fault("look for topic "+topic, err)
	}
	d := got[topic]
	if errors.Is(d.Err, kerr.UnknownTopicOrPartition) || (d.Err == nil && len(d.Partitions) == 0) {
		return false, nil
	}
	if d.Err != nil {
		return false, t.sink.fault("look for topic "+topic, d.Err)
	}
	for _, p := range d.Partitions {
		if p.Leader < 0 {
			return false, nil
		}
	}
	return true, nil
}

func (t *topics) create(ctx context.Context, adm *kadm.Client, topic string) error {
	cfg := &t.sink.cfg.Kafka.Topics
	settings := make(map[string]*string, len(cfg.Config))
	for k, v := range cfg.Config {
		settings[k] = &v
	}
	_, err := adm.CreateTopic(ctx, int32(cfg.Partitions), int16(cfg.ReplicationFactor), settings, topic)
	if err == nil {
		t.sink.log.Info("topic created", "topic", topic)
		return nil
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	if errors.Is(err, kerr.InvalidReplicationFactor) || errors.Is(err, kerr.InvalidPartitions) || errors.Is(err, kerr.InvalidConfig) || errors.Is(err, kerr.PolicyViolation) {
		return &outbox.Fault{Code: "kafka.topic_refused", Class: outbox.Environment, Err: fmt.Errorf("create topic %s: %w", topic, err), Remedy: "correct kafka.topics, or create the topic by hand"}
	}
	return t.sink.fault("create topic "+topic, err)
}
