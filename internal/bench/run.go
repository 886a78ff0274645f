package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/bench/load"
)

// Run is one run of one subject over one shape.
type Run struct {
	Engine  string `json:"engine"`
	Shape   string `json:"shape"`
	Subject string `json:"subject"`
	Kind    string `json:"kind"` // drain, latency, cold or idle
	Round   int    `json:"round"`
	Rows    int    `json:"rows,omitempty"`

	Rate       float64 `json:"events_per_second,omitempty"` // steady: between 30 and 95 % of the rows
	Short      bool    `json:"short,omitempty"`             // too short for that: the rate and CPU are those of the whole
	WholeRate  float64 `json:"events_per_second_whole,omitempty"`
	First      float64 `json:"seconds_to_first_event,omitempty"`
	CPU        float64 `json:"cpu_seconds_per_million,omitempty"` // steady
	WholeCPU   float64 `json:"cpu_seconds_per_million_whole,omitempty"`
	DBCPU      float64 `json:"db_cpu_seconds_per_million,omitempty"`
	BrokerCPU  float64 `json:"broker_cpu_seconds_per_million,omitempty"`
	Marks      int     `json:"transaction_marks,omitempty"` // of commits, one in each partition that a transaction touched
	Memory     float64 `json:"peak_rss_mib,omitempty"`
	Seconds    float64 `json:"cpu_seconds,omitempty"`
	Cores      float64 `json:"cores,omitempty"` // of the subject
	Wanted     int     `json:"wanted_per_second,omitempty"`
	P50        float64 `json:"p50_ms,omitempty"`
	P90        float64 `json:"p90_ms,omitempty"`
	P99        float64 `json:"p99_ms,omitempty"`
	P999       float64 `json:"p999_ms,omitempty"`
	Max        float64 `json:"max_ms,omitempty"`
	LoadBefore float64 `json:"load_average_before"`
	LoadAfter  float64 `json:"load_average_after"`
	Others     float64 `json:"cores_used_by_others"`
	Fault      string  `json:"fault,omitempty"` // why it is no result
}

// Subject ferries rows, or does a part of it. Nothing of it runs between runs.
type Subject interface {
	Name() string
	// Setup notes where the log stands before the rows are written, once for each round.
	Setup(ctx context.Context, rounds int) error
	// Drain ferries all rows of the shape.
	Drain(ctx context.Context, round int) (*Run, error)
}

// shortest is the least time that tells a steady rate: samples come twenty times a second, and rows in lumps, a commit each.
const shortest = time.Second

// sample is how far a run was at a moment.
type sample struct {
	rows int
	Usage
}

// follow samples until done, and works out the run.
func follow(ctx context.Context, pid, rows int, launched time.Time, begin Usage, progress func(context.Context) (int, error), ended <-chan struct{}) (*Run, error) {
	samples := []sample{{0, begin}}
	r := &Run{Rows: rows, LoadBefore: Load()}
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		n, err := progress(ctx)
		if err != nil {
			return nil, err
		}
		s := sample{n, usage(pid)}
		s.Subject = max(s.Subject, samples[len(samples)-1].Subject) // it may have ended by itself
		if _, peak := memory(pid); peak > r.Memory {
			r.Memory = peak
		}
		if n > 0 && r.First == 0 {
			r.First = s.At.Sub(launched).Seconds()
		}
		if last := samples[len(samples)-1]; n == 0 && last.rows == 0 && len(samples) > 1 {
			samples = samples[:len(samples)-1]
		}
		samples = append(samples, s)
		if n >= rows {
			break
		}
		select {
		case <-pause.C:
		case <-ended:
			return nil, errors.New("it ended by itself")
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d rows in time: %w", n, rows, ctx.Err())
		}
	}
	r.compute(samples)
	return r, nil
}

func (r *Run) compute(samples []sample) {
	million := float64(r.Rows) / 1e6
	first, last := samples[0], samples[len(samples)-1]
	from, to := at(samples, 0.30, r.Rows), at(samples, 0.95, r.Rows)
	r.Rate = 0.65 * float64(r.Rows) / to.At.Sub(from.At).Seconds()
	r.CPU = (to.Subject - from.Subject).Seconds() / (0.65 * million)
	r.DBCPU = (to.DB - from.DB).Seconds() / (0.65 * million)
	r.BrokerCPU = (to.Broker - from.Broker).Seconds() / (0.65 * million)
	r.WholeCPU = (last.Subject - first.Subject).Seconds() / million
	begun := first
	for _, s := range samples {
		if s.rows > 0 {
			break
		}
		begun = s
	}
	r.WholeRate = float64(r.Rows) / last.At.Sub(begun.At).Seconds()
	if to.At.Sub(from.At) < shortest {
		r.Short, r.Rate, r.CPU = true, r.WholeRate, r.WholeCPU
	}
	r.Others, r.LoadAfter = others(first.Usage, last.Usage), Load()
}

// at is the state of a run when a share of the rows was through, between the two samples around it.
func at(samples []sample, share float64, rows int) Usage {
	want := share * float64(rows)
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1], samples[i]
		if float64(b.rows) < want {
			continue
		}
		part := (want - float64(a.rows)) / float64(b.rows-a.rows)
		mid := func(x, y time.Duration) time.Duration { return x + time.Duration(part*float64(y-x)) }
		return Usage{At: a.At.Add(time.Duration(part * float64(b.At.Sub(a.At)))), Subject: mid(a.Subject, b.Subject), DB: mid(a.DB, b.DB), Broker: mid(a.Broker, b.Broker)}
	}
	return samples[len(samples)-1].Usage
}

// topics of one run.
type topics struct {
	cl     *kgo.Client
	broker string
	shape  *Shape
	prefix string
	names  []string
}

func makeTopics(ctx context.Context, cl *kgo.Client, broker string, s *Shape, prefix string) (*topics, error) {
	t := &topics{cl: cl, broker: broker, shape: s, prefix: prefix}
	for _, route := range s.Routes() {
		t.names = append(t.names, prefix+route)
	}
	made, err := kadm.NewClient(cl).CreateTopics(ctx, s.Partitions(), 1, nil, t.names...)
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("make topics: %w", err)
	}
	return t, t.settle(ctx)
}

// settle waits until the broker leads all partitions of topics that its controller has made. A consumer that finds only some of them
// waits for their records as long as a fetch may last, five seconds, before it asks for the others'.
func (t *topics) settle(ctx context.Context) error {
	for {
		ends, err := kadm.NewClient(t.cl).ListEndOffsets(ctx, t.names...)
		if err != nil {
			return fmt.Errorf("look at the topics: %w", err)
		}
		if err = ends.Error(); err == nil {
			return nil
		}
		if pause(ctx, 10*time.Millisecond) != nil {
			return fmt.Errorf("wait for the topics: %w", err)
		}
	}
}

// committed counts what a read_committed consumer could see. Marks of transactions count too: of thousands of rows each, so an end is seen
// that much early. The read-back counts records.
func (t *topics) committed(ctx context.Context) (int, error) {
	ends, err := kadm.NewClient(t.cl).ListCommittedOffsets(ctx, t.names...)
	if err != nil {
		return 0, fmt.Errorf("look at the topics: %w", err)
	}
	n := 0
	ends.Each(func(o kadm.ListedOffset) { n += int(max(o.Offset, 0)) })
	return n, nil
}

// readBack judges every record, up to the end that the topics have once all rows are there. What must still come has a minute for it.
func (t *topics) readBack(ctx context.Context, run *Run) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(t.broker), kgo.ConsumeTopics(t.names...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond), kgo.KeepControlRecords(), kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(2<<20))
	if err != nil {
		return err
	}
	defer cl.Close()
	v := load.NewVerdict(*t.shape, t.prefix)
	next := map[string]int64{}
	for {
		fetched := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return errors.Join(errors.New("not all rows came within a minute"), v.Err())
		}
		if err := fetched.Err(); err != nil {
			return fmt.Errorf("read back: %w", err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			next[fmt.Sprint(r.Topic, r.Partition)] = r.Offset + 1
			if r.Attrs.IsControl() {
				run.Marks++
			} else {
				v.See(r)
			}
		})
		if v.Done() {
			if done, err := t.reached(ctx, next); done || err != nil {
				return errors.Join(err, v.Err())
			}
		}
	}
}

// reached reports whether everything that the topics hold now was read.
func (t *topics) reached(ctx context.Context, next map[string]int64) (bool, error) {
	ends, err := kadm.NewClient(t.cl).ListCommittedOffsets(ctx, t.names...)
	done := err == nil
	ends.Each(func(o kadm.ListedOffset) { done = done && next[fmt.Sprint(o.Topic, o.Partition)] >= o.Offset })
	return done, err
}

func (t *topics) remove(ctx context.Context) error {
	_, err := kadm.NewClient(t.cl).DeleteTopics(ctx, t.names...)
	return err
}
