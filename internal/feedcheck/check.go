package feedcheck

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// CheckOptions says where the feed is and what it was meant to be.
type CheckOptions struct {
	Kafka        []kgo.Opt // at least kgo.SeedBrokers
	OffsetsTopic string    // outferry-offsets when empty; "-" when the feed under trial has none
	Pipeline     string    // the offset record's key
	Rules        Rules     // Partitions are asked from the broker
	Patience     time.Duration
	Online       *Online // optional: it goes on reading meanwhile
}

func (o CheckOptions) defaults() CheckOptions {
	if o.OffsetsTopic == "" {
		o.OffsetsTopic = "outferry-offsets"
	}
	if o.Rules.TopicPrefix == "" {
		o.Rules.TopicPrefix = "outbox.event."
	}
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	return o
}

// Check waits until every row has arrived or none has for as long as Patience, reads the topics from
// their beginning, and reports. The workload must have ended; the pipeline may run or not.
func Check(ctx context.Context, o *Oracle, opts CheckOptions) (*Report, error) {
	opts = opts.defaults()
	s, err := newShelf(opts.Kafka)
	if err != nil {
		return nil, err
	}
	defer s.close()
	c := &check{opts: opts, oracle: o, shelf: s, report: &Report{}, saw: newSightings()}
	ends, err := c.committed(ctx)
	if err != nil {
		return nil, err
	}
	if opts.Online != nil {
		if err := opts.Online.catchUp(ctx, ends, opts.Patience, c.report); err != nil {
			return nil, err
		}
		if err := c.compareOnline(ctx, ends); err != nil {
			return nil, err
		}
	}
	if opts.OffsetsTopic != "-" {
		if err := c.raw(ctx, ends); err != nil {
			return nil, err
		}
	}
	return c.report, nil
}

type check struct {
	opts   CheckOptions
	oracle *Oracle
	shelf  *shelf
	report *Report
	saw    *sightings
}

// compareOnline holds the online reader still and compares. What a pipeline that still runs repeats meanwhile lies
// beyond ends and is not compared, as long as it is still there.
func (c *check) compareOnline(ctx context.Context, ends map[place]int64) error {
	o := c.opts.Online
	o.mu.Lock()
	defer o.mu.Unlock()
	topics := map[string]bool{}
	for p := range o.saw.parts {
		topics[p.topic] = true
	}
	now, err := patiently(ctx, c.opts.Patience, func() (map[place]int64, error) {
		return offsets(ctx, c.shelf.admin.ListEndOffsets, slices.Collect(maps.Keys(topics))...)
	})
	if err != nil {
		return err
	}
	o.saw.compare(c.saw, func(p place, offset int64) bool { return offset >= ends[p] && offset < now[p] }, c.report)
	return nil
}

// committed reads as a consumer does that comes after the faults, and returns how far.
func (c *check) committed(ctx context.Context) (map[place]int64, error) {
	r, err := newReader(c.opts.Kafka, kgo.ReadCommitted())
	if err != nil {
		return nil, err
	}
	defer r.close()
	c.rules()
	j := NewJudge(c.oracle, c.opts.Rules, c.report)
	var rec Record
	see := func(k *kgo.Record) {
		c.saw.add(k)
		if !k.Attrs.IsControl() {
			j.See(record(k, &rec))
		}
	}
	if err := c.drain(ctx, r, j, see); err != nil {
		return nil, err
	}
	ends, err := c.shelf.settle(ctx, c.opts.Patience, c.report, slices.Collect(maps.Keys(j.rules.Partitions))...)
	if err != nil {
		return nil, err
	}
	if err := c.to(ctx, r, ends, see); err != nil {
		return nil, err
	}
	j.Finish()
	return ends, nil
}

// rules fills in what only now can be known.
func (c *check) rules() {
	r := &c.opts.Rules
	r.Partitions = map[string]int32{}
	if r.Begin.IsZero() && !c.oracle.Begun.IsZero() {
		r.Begin = c.oracle.Begun.Add(-time.Minute)
	}
	if r.End.IsZero() {
		r.End = time.Now().Add(c.opts.Patience + time.Minute)
	}
}

// drain reads until everything has arrived, or nothing more does.
func (c *check) drain(ctx context.Context, r *reader, j *Judge, see func(*kgo.Record)) error {
	last, since := int64(-1), time.Now()
	for {
		stable, err := patiently(ctx, c.opts.Patience, func() (map[place]int64, error) { return c.stable(ctx, j) })
		if err != nil {
			return err
		}
		if err := c.to(ctx, r, stable, see); err != nil {
			return err
		}
		if n := c.report.Stats.Records; n != last {
			last, since = n, time.Now()
		}
		if c.report.Stats.Distinct >= c.report.Stats.Expected || time.Since(since) > c.opts.Patience {
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the feed: %w", err)
		}
	}
}

// stable asks what topics there are by now, and how far each can be read.
func (c *check) stable(ctx context.Context, j *Judge) (map[place]int64, error) {
	topics, err := c.shelf.topics(ctx, c.opts.Rules.TopicPrefix)
	if err != nil {
		return nil, err
	}
	maps.Copy(j.rules.Partitions, topics)
	return offsets(ctx, c.shelf.admin.ListCommittedOffsets, slices.Collect(maps.Keys(topics))...)
}

func (c *check) to(ctx context.Context, r *reader, ends map[place]int64, see func(*kgo.Record)) error {
	topics := map[string]bool{}
	for p := range ends {
		topics[p.topic] = true
	}
	starts, err := patiently(ctx, c.opts.Patience, func() (map[place]int64, error) {
		return offsets(ctx, c.shelf.admin.ListStartOffsets, slices.Collect(maps.Keys(topics))...)
	})
	if err != nil {
		return err
	}
	return r.readTo(ctx, starts, ends, see)
}

// raw reads the log as it is: first the offsets partition, then the events as far as the other
// reader got.
func (c *check) raw(ctx context.Context, ends map[place]int64) error {
	commits := NewCommits(c.oracle, c.opts.Rules, c.opts.Pipeline, c.report)
	parts, err := c.shelf.topics(ctx, c.opts.OffsetsTopic)
	if err != nil {
		return err
	}
	n := parts[c.opts.OffsetsTopic]
	if n == 0 {
		c.report.Add(OffsetFork, "there is no topic %s", c.opts.OffsetsTopic)
		return nil
	}
	home := place{c.opts.OffsetsTopic, javaPartition([]byte(c.opts.Pipeline), n)}
	all, err := c.shelf.settle(ctx, c.opts.Patience, c.report, c.opts.OffsetsTopic)
	if err != nil {
		return err
	}
	err = c.rawTo(ctx, map[place]int64{home: all[home]}, commits.Offset, commits.OffsetMarker)
	if err != nil {
		return err
	}
	if err := c.rawTo(ctx, ends, commits.Event, commits.Marker); err != nil {
		return err
	}
	commits.Finish()
	return nil
}

func (c *check) rawTo(ctx context.Context, ends map[place]int64, data func(*Record), mark func(*Record, bool)) error {
	r, err := newReader(c.opts.Kafka, kgo.ReadUncommitted())
	if err != nil {
		return err
	}
	defer r.close()
	var rec Record
	return c.to(ctx, r, ends, func(k *kgo.Record) {
		if !k.Attrs.IsControl() {
			data(record(k, &rec))
		} else if commit, ok := marker(k); ok {
			mark(record(k, &rec), commit)
		}
	})
}
