package feedcheck

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// reader reads partitions from their beginning to given ends, control records included: without them
// nobody could tell that a partition whose last record is a marker was read to its end.
type reader struct {
	client *kgo.Client
	next   map[place]int64
}

func newReader(opts []kgo.Opt, isolation kgo.IsolationLevel) (*reader, error) {
	client, err := kgo.NewClient(append(opts[:len(opts):len(opts)],
		kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(), kgo.FetchMaxWait(200*time.Millisecond),
		kgo.MetadataMinAge(100*time.Millisecond), // topics are added as they come
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{}))...)
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	return &reader{client: client, next: map[place]int64{}}, nil
}

func (r *reader) close() { r.client.Close() }

// readTo hands every record below the ends to f, those of a partition in order.
func (r *reader) readTo(ctx context.Context, starts, ends map[place]int64, f func(*kgo.Record)) error {
	r.add(starts, ends)
	for !r.there(ends) {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read to the end of the topics: %w", err)
		}
		fetches := r.poll(ctx)
		var failed error
		fetches.EachError(func(t string, p int32, err error) {
			if !kerr.IsRetriable(err) && !errors.Is(err, context.DeadlineExceeded) {
				failed = fmt.Errorf("read %s/%d: %w", t, p, err)
			}
		})
		if failed != nil {
			return failed
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			here := place{rec.Topic, rec.Partition}
			r.next[here] = rec.Offset + 1
			f(rec)
		})
	}
	return nil
}

func (r *reader) poll(ctx context.Context) kgo.Fetches {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return r.client.PollFetches(ctx)
}

func (r *reader) add(starts, ends map[place]int64) {
	more := map[string]map[int32]kgo.Offset{}
	for p := range ends {
		if _, ok := r.next[p]; ok {
			continue
		}
		r.next[p] = starts[p]
		if more[p.topic] == nil {
			more[p.topic] = map[int32]kgo.Offset{}
		}
		more[p.topic][p.partition] = kgo.NewOffset().At(starts[p])
	}
	if len(more) > 0 {
		r.client.AddConsumePartitions(more)
	}
}

func (r *reader) there(ends map[place]int64) bool {
	for p, end := range ends {
		if r.next[p] < end {
			return false
		}
	}
	return true
}

// marker reads a control record: whether it commits, and whether it ends a transaction at all.
func marker(r *kgo.Record) (commit, ok bool) {
	if !r.Attrs.IsControl() || len(r.Key) < 4 {
		return false, false
	}
	kind := binary.BigEndian.Uint16(r.Key[2:])
	return kind == 1, kind <= 1
}

// record copies the parts of r that the judges read into into.
func record(r *kgo.Record, into *Record) *Record {
	*into = Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Headers: r.Headers, Time: r.Timestamp,
		ProducerID: r.ProducerID, ProducerEpoch: r.ProducerEpoch, Transactional: r.Attrs.IsTransactional()}
	return into
}

// shelf asks the broker where topics begin and end.
type shelf struct {
	admin  *kadm.Client
	client *kgo.Client
}

func newShelf(opts []kgo.Opt) (*shelf, error) {
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("admin client: %w", err)
	}
	return &shelf{admin: kadm.NewClient(client), client: client}, nil
}

func (s *shelf) close() { s.client.Close() }

// patiently calls f until it works: the broker may be on its way back from what the test did to it.
func patiently[T any](ctx context.Context, patience time.Duration, f func() (T, error)) (T, error) {
	for deadline := time.Now().Add(patience); ; {
		v, err := f()
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return v, err
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return v, err
		}
	}
}

// topics returns the number of partitions of each topic with the prefix.
func (s *shelf) topics(ctx context.Context, prefix string) (map[string]int32, error) {
	all, err := s.admin.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	found := map[string]int32{}
	for name, t := range all {
		if strings.HasPrefix(name, prefix) && t.Err == nil {
			found[name] = int32(len(t.Partitions))
		}
	}
	return found, nil
}

type lister func(context.Context, ...string) (kadm.ListedOffsets, error)

func offsets(ctx context.Context, list lister, topics ...string) (map[place]int64, error) {
	m := map[place]int64{}
	if len(topics) == 0 {
		return m, nil
	}
	listed, err := list(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Err != nil {
			err = fmt.Errorf("list offsets of %s/%d: %w", o.Topic, o.Partition, o.Err)
		}
		m[place{o.Topic, o.Partition}] = o.Offset
	})
	return m, err
}

// settle waits until no transaction is open in the topics, and reports those where one stays so.
func (s *shelf) settle(ctx context.Context, patience time.Duration, report *Report, topics ...string) (map[place]int64, error) {
	deadline := time.Now().Add(patience)
	ask := func(list lister) (map[place]int64, error) {
		return patiently(ctx, patience, func() (map[place]int64, error) { return offsets(ctx, list, topics...) })
	}
	for {
		ends, err := ask(s.admin.ListEndOffsets)
		if err != nil {
			return nil, err
		}
		stable, err := ask(s.admin.ListCommittedOffsets)
		if err != nil {
			return nil, err
		}
		open := false
		for p, end := range ends {
			if stable[p] >= end {
				continue
			}
			open = true
			if time.Now().After(deadline) {
				report.Add(Hanging, "%s/%d: readers are stuck at %d of %d", p.topic, p.partition, stable[p], end)
				ends[p] = stable[p]
			}
		}
		if !open || time.Now().After(deadline) {
			return ends, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// MakeOffsetsTopic makes the offsets topic so that nothing of a run is compacted away before it was
// checked. One that is there already is left as it is.
func MakeOffsetsTopic(ctx context.Context, client *kgo.Client, topic string, partitions int32) error {
	text := func(s string) *string { return &s }
	_, err := kadm.NewClient(client).CreateTopic(ctx, partitions, -1, map[string]*string{
		"cleanup.policy":            text("compact"),
		"min.compaction.lag.ms":     text("604800000"),
		"segment.bytes":             text("1073741824"),
		"min.cleanable.dirty.ratio": text("1.0"),
	}, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}
