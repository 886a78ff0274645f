package inbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// longestPause is where doubling ends.
const longestPause = 30 * time.Second

// DeadLetters names the topic for what could not be applied, as Spring Kafka does.
func DeadLetters(topic string) string { return topic + "-dlt" }

// process applies a record, or sets it aside. It returns an error only when ctx ended or Kafka refused.
func (c *Consumer) process(ctx context.Context, r *kgo.Record) error {
	pause := c.Pause
	for attempt := 1; ; attempt++ {
		err := c.apply(ctx, r)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		c.Log.Warn("event not applied", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "attempt", attempt, "error", err)
		if c.hopeless(ctx, err, attempt) {
			return c.setAside(ctx, r, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, longestPause)
	}
}

// hopeless tells a bad event from bad times: while the database does not answer, no event is to blame.
func (c *Consumer) hopeless(ctx context.Context, err error, attempt int) bool {
	if errors.Is(err, ErrUnreadable) || errors.Is(err, ErrImpossible) {
		return true
	}
	return attempt >= c.Attempts && c.DB.PingContext(ctx) == nil
}

// setAside returns when the dead letter is safe: its event is committed as done right after, and the later events
// of its key overtake it.
func (c *Consumer) setAside(ctx context.Context, r *kgo.Record, cause error) error {
	letter := &kgo.Record{
		Topic: DeadLetters(r.Topic), Key: r.Key, Value: r.Value,
		Headers: append(r.Headers[:len(r.Headers):len(r.Headers)],
			kgo.RecordHeader{Key: "error", Value: []byte(cause.Error())},
			kgo.RecordHeader{Key: "original-partition", Value: []byte(strconv.Itoa(int(r.Partition)))},
			kgo.RecordHeader{Key: "original-offset", Value: []byte(strconv.FormatInt(r.Offset, 10))}),
	}
	if err := c.makeTopic(ctx, letter.Topic); err != nil {
		return err
	}
	if err := c.letters.ProduceSync(ctx, letter).FirstErr(); err != nil {
		return fmt.Errorf("set aside an event in %s: %w", letter.Topic, err)
	}
	c.Log.Error("event set aside", "topic", letter.Topic, "offset", r.Offset, "error", cause)
	return nil
}

// makeTopic leaves a topic that is there as it is. It is made when it is needed and not at the start, when Kafka may be away.
func (c *Consumer) makeTopic(ctx context.Context, topic string) error {
	_, err := kadm.NewClient(c.letters).CreateTopic(ctx, 1, -1, nil, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("make the topic %s: %w", topic, err)
	}
	return nil
}
