// Command consumer applies each event once, however often it comes.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	client, err := consumer(os.Getenv("KAFKA_BROKERS"), os.Getenv("TOPIC"), os.Getenv("TOPIC")+"-go")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(consume(ctx, client, conn))
}

// snippet: begin
func consumer(brokers, topic, group string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // of a Kafka transaction that was aborted it sees nothing
		kgo.DisableAutoCommit())                      // consume commits, after the work
}

func consume(ctx context.Context, client *kgo.Client, conn *pgx.Conn) error {
	for {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		records := fetches.Records()
		for _, r := range records {
			// The change and the note that its event is done, together.
			if err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return once(ctx, tx, r) }); err != nil {
				return err
			}
		}
		// Only now: a crash before it repeats events, and they are known.
		if err := client.CommitRecords(ctx, records...); err != nil {
			return err
		}
	}
}

func once(ctx context.Context, tx pgx.Tx, r *kgo.Record) error {
	id := header(r, "id")
	if id == "" {
		return fmt.Errorf("no header id at offset %d of partition %d", r.Offset, r.Partition) // or all of these would be one event
	}
	note, err := tx.Exec(ctx, `INSERT INTO processed_events (event_id) VALUES ($1) ON CONFLICT DO NOTHING`, id)
	if err != nil || note.RowsAffected() == 0 {
		return err
	}
	return apply(ctx, tx, r)
}

// snippet: end

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

func apply(ctx context.Context, tx pgx.Tx, r *kgo.Record) error {
	_, err := tx.Exec(ctx, `INSERT INTO posts (title) VALUES ($1)`, string(r.Value))
	return err
}
