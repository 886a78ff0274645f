// Package inbox applies the events of other services, each one once. In go the records of one topic; out come
// changes of the service's own database, each in one transaction with the note that its event is done.
// An event that arrives again changes nothing. One that can't be applied is tried again, then set aside in a
// dead-letter topic, so that it does not hold up the others. The notes are one consumer's: a second one of the same
// topic in the same service needs a table of its own. While the database is away, all of them wait.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/examples/go/database"
)

// Event is what a record says.
type Event struct {
	ID      string // of the outbox row
	Type    string
	Key     string // the id of the thing it happened to
	Payload []byte
}

// Handler applies an event within a transaction that belongs to it.
type Handler func(ctx context.Context, tx *database.Tx, e Event) error

// Consumer takes part in a consumer group.
type Consumer struct {
	Brokers  []string
	Group    string
	Topic    string
	DB       *database.DB
	Handle   Handler
	Attempts int           // before an event is set aside; default 5
	Pause    time.Duration // before the second attempt, doubled before each further one; default 200 ms
	Log      *slog.Logger

	client  *kgo.Client
	letters *kgo.Client
}

// Run consumes until ctx ends.
func (c *Consumer) Run(ctx context.Context) (err error) {
	c.setDefaults()
	if c.client, err = kgo.NewClient(c.options()...); err != nil {
		return fmt.Errorf("make the consumer of %s: %w", c.Topic, err)
	}
	defer c.client.CloseAllowingRebalance()
	if c.letters, err = kgo.NewClient(kgo.SeedBrokers(c.Brokers...)); err != nil {
		return fmt.Errorf("make the producer of dead letters: %w", err)
	}
	defer c.letters.Close()
	for ctx.Err() == nil {
		if err := c.round(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("consume %s: %w", c.Topic, err)
		}
	}
	return nil
}

func (c *Consumer) setDefaults() {
	if c.Attempts == 0 {
		c.Attempts = 5
	}
	if c.Pause == 0 {
		c.Pause = 200 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func (c *Consumer) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ConsumerGroup(c.Group),
		kgo.ConsumeTopics(c.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // a new service wants the whole story
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),      // of a Kafka transaction that was aborted it sees nothing
		kgo.DisableAutoCommit(),                           // offsets are committed after the work, by round
		kgo.BlockRebalanceOnPoll(),                        // others wait until a round has ended, for a minute at most; then the notes keep what we do from being done twice
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(5 * time.Second), // how soon a topic is found that did not exist when we started
	}
}

// round takes what has arrived, applies it in order, and only then says so to Kafka. A crash in between
// brings events again, and they are known by their id; the other order would lose them.
func (c *Consumer) round(ctx context.Context) error {
	defer c.client.AllowRebalance()
	fetches := c.client.PollRecords(ctx, 100)
	fetches.EachError(func(topic string, _ int32, err error) {
		if !errors.Is(err, context.Canceled) {
			c.Log.Warn("waiting for kafka", "topic", topic, "error", err) // the client tries again by itself
		}
	})
	records := fetches.Records()
	for _, r := range records {
		if err := c.process(ctx, r); err != nil {
			return err
		}
	}
	if err := c.client.CommitRecords(ctx, records...); err != nil {
		c.Log.Warn("offsets not committed", "error", err) // the next round's commit covers them, or they come again
	}
	return nil
}
