package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// consumer returns a client as a careful service has one: of an aborted transaction it sees nothing. It follows
// every topic of the router's default name, also those that a row of somebody's own brings about.
func consumer(brokers []string) (*kgo.Client, error) {
	cl, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ConsumeRegex(), kgo.ConsumeTopics(`^outbox\.event\..*`), kgo.ConsumeExcludeTopics(`-dlt$`), // what a service set aside has arrived already
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(250*time.Millisecond), // how soon a new topic is found
	)
	if err != nil {
		return nil, fmt.Errorf("make the consumer: %w", err)
	}
	return cl, nil
}

// consume hands records over until ctx ends, and closes the client. The client retries by itself what fails.
func consume(ctx context.Context, cl *kgo.Client, arrived chan<- *kgo.Record) {
	defer cl.Close()
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		for r := range fetches.RecordsAll() {
			select {
			case arrived <- r:
			case <-ctx.Done():
				return
			}
		}
	}
}

// tally counts what arrived, in all and since the last summary.
type tally struct {
	events int
	since  time.Time
	recent []time.Duration // latencies
}

// add counts a record and returns its latency: from the commit in the database, which is the record's
// timestamp in whole milliseconds, until now.
func (t *tally) add(r *kgo.Record, now time.Time) time.Duration {
	if t.since.IsZero() {
		t.since = now
	}
	latency := max(now.Sub(r.Timestamp), 0)
	t.events++
	t.recent = append(t.recent, latency)
	return latency
}

// rates are what a summary shows.
type rates struct {
	events   int     // in all
	perSec   float64 // since the last summary
	p50, p99 time.Duration
}

// take returns the rates and starts anew.
func (t *tally) take(now time.Time) rates {
	r := rates{events: t.events}
	if n := len(t.recent); n > 0 {
		slices.Sort(t.recent)
		r.perSec = float64(n) / max(now.Sub(t.since).Seconds(), 0.001)
		r.p50, r.p99 = t.recent[n/2], t.recent[n*99/100]
	}
	t.since, t.recent = now, t.recent[:0]
	return r
}
