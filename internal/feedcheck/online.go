package feedcheck

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Online reads the topics with read_committed while the faults happen, as a consumer would, and
// remembers what it saw: about six bytes a record.
type Online struct {
	client *kgo.Client
	mu     sync.Mutex
	saw    *sightings
	lastAt time.Time
	err    error // the last that a fetch gave
}

// NewOnline returns a reader of all topics with the prefix, also of those to come.
func NewOnline(prefix string, opts ...kgo.Opt) (*Online, error) {
	client, err := kgo.NewClient(append(opts[:len(opts):len(opts)],
		kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+regexp.QuoteMeta(prefix)+".*"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second), kgo.FetchMaxWait(200*time.Millisecond))...)
	if err != nil {
		return nil, fmt.Errorf("online reader: %w", err)
	}
	return &Online{client: client, saw: newSightings()}, nil
}

// Run reads until ctx ends.
func (o *Online) Run(ctx context.Context) error {
	defer o.client.Close()
	for ctx.Err() == nil {
		fetches := o.client.PollFetches(ctx)
		o.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			o.saw.add(r)
			o.lastAt = time.Now()
		})
		fetches.EachError(func(_ string, _ int32, err error) { o.err = err })
		o.mu.Unlock()
	}
	if err := ctx.Err(); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("online reader: %w", err)
	}
	return nil
}

// Records returns how many it has seen, and when it saw the last.
func (o *Online) Records() (int64, time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.saw.records, o.lastAt
}

func (o *Online) lastError() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// catchUp waits until it has read to the ends.
func (o *Online) catchUp(ctx context.Context, ends map[place]int64, patience time.Duration, report *Report) error {
	for deadline := time.Now().Add(patience); ; {
		late, missing := o.behind(ends)
		if !missing {
			return nil
		}
		if time.Now().After(deadline) {
			report.Add(Hanging, "%s/%d: the online reader is stuck (last error: %v)", late.topic, late.partition, o.lastError())
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the online reader: %w", err)
		}
	}
}

func (o *Online) behind(ends map[place]int64) (place, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, end := range ends {
		if t := o.saw.parts[p]; end > 0 && (t == nil || t.next < end) {
			return p, true
		}
	}
	return place{}, false
}

// sightings is what a reader saw: for each partition the offsets, and four bytes of what was there.
type sightings struct {
	parts   map[place]*track
	records int64
}

type track struct {
	next    int64 // everything below it was shown to the reader
	last    int64 // offset of the last data record
	marks   []byte
	rewound int64 // how often the reader was given a lower offset again
}

func newSightings() *sightings { return &sightings{parts: map[place]*track{}} }

var crcTable = crc32.MakeTable(crc32.Castagnoli)

func (s *sightings) add(r *kgo.Record) {
	here := place{r.Topic, r.Partition}
	t := s.parts[here]
	if t == nil {
		t = &track{last: -1}
		s.parts[here] = t
	}
	if r.Offset < t.next {
		t.rewound++
		return
	}
	t.next = r.Offset + 1
	if r.Attrs.IsControl() {
		return
	}
	s.records++
	sum := crc32.Update(0, crcTable, r.Key)
	sum = crc32.Update(sum, crcTable, r.Value)
	for i := range r.Headers {
		sum = crc32.Update(sum, crcTable, r.Headers[i].Value)
	}
	t.marks = binary.AppendUvarint(t.marks, uint64(r.Offset-t.last))
	t.marks = binary.LittleEndian.AppendUint32(t.marks, sum)
	t.last = r.Offset
}

// compare reports what the online reader saw and the later one did not, or the other way round, but for what came
// after the later one.
func (s *sightings) compare(later *sightings, after func(place, int64) bool, report *Report) {
	report.Stats.OnlineRecords = s.records
	for here, a := range s.parts {
		if a.rewound > 0 {
			report.Add(Vanished, "%s/%d: the online reader was set back %d times", here.topic, here.partition, a.rewound)
		}
		c := later.parts[here]
		if c == nil {
			c = &track{}
		}
		compareTracks(here, a, c, after, report)
	}
}

func compareTracks(here place, a, c *track, after func(place, int64) bool, report *Report) {
	x, y := cursor{b: a.marks, at: -1}, cursor{b: c.marks, at: -1}
	okX, okY := x.step(), y.step()
	for okX || okY {
		switch {
		case okX && okY && x.at == y.at:
			if x.sum != y.sum {
				report.Add(Vanished, "%s: another record than the online reader saw", address(here.topic, here.partition, x.at))
			}
			okX, okY = x.step(), y.step()
		case okX && (!okY || x.at < y.at):
			if !after(here, x.at) {
				report.Add(Vanished, "%s: only the online reader saw it", address(here.topic, here.partition, x.at))
			}
			okX = x.step()
		default:
			if y.at >= a.next {
				return // the online reader never came so far
			}
			report.Add(Vanished, "%s: the online reader did not see it", address(here.topic, here.partition, y.at))
			okY = y.step()
		}
	}
}

type cursor struct {
	b   []byte
	at  int64
	sum uint32
}

func (c *cursor) step() bool {
	if len(c.b) == 0 {
		return false
	}
	d, n := binary.Uvarint(c.b)
	c.at += int64(d)
	c.sum = binary.LittleEndian.Uint32(c.b[n:])
	c.b = c.b[n+4:]
	return true
}
