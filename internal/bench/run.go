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
	LaunchRate float64 `json:"events_per_second_from_launch,omitempty"`
	First      float64 `json:"seconds_to_first_event,omitempty"`
	CPU        float64 `json:"cpu_seconds_per_million,omitempty"` // steady
	WholeCPU   float64 `json:"cpu_seconds_per_million_whole,omitempty"`
	DBCPU      float64 `json:"db_cpu_seconds_per_million,omitempty"`
	BrokerCPU  float64 `json:"broker_cpu_seconds_per_million,omitempty"`
	Marks      int     `json:"transaction_marks,omitempty"` // of commits, one in each partition that a transaction touched
	Memory     float64 `json:"peak_rss_mib,omitempty"`      // of idleness not the peak: what it holds then
	Seconds    float64 `json:"cpu_seconds,omitempty"`
	Cores      float64 `json:"cores,omitempty"` // of the subject
	Wanted     int     `json:"wanted_per_second,omitempty"`
	P50        float64 `json:"p50_ms,omitempty"`
	P90        float64 `json:"p90_ms,omitempty"`
	P99        float64 `json:"p99_ms,omitempty"`
	P999       float64 `json:"p999_ms,omitempty"`
	Max        float64 `json:"max_ms,omitempty"`
	Wake       float64 `json:"wake,omitempty"` // see there
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

// What tells a steady rate: samples come twenty times a second, and rows in lumps, a commit each.
const (
	shortest  = time.Second
	fewest    = 6                // lumps
	manyMarks = 1                // of transactions, in per cent of the rows: more of them hide too much of the end
	jvmWarmUp = 15 * time.Second // of events, in which a JVM compiles, do not count as steady
)

// sample is how far a run was at a moment.
type sample struct {
	rows int
	Usage
}

// follow samples from begin, the launch, until done, and works out the run. The warm-up is time from the first event on that is not steady.
func follow(ctx context.Context, pid, rows int, warmUp time.Duration, begin Usage, progress func(context.Context) (int, error), ended <-chan struct{}) (*Run, error) {
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
		if used := samples[len(samples)-1].Subject; s.Subject < used { // it has ended by itself, and what it used is its parent's, ours
			s.Subject, s.Self = used, s.Self-used
		}
		if _, peak := memory(pid); peak > r.Memory {
			r.Memory = peak
		}
		if n > 0 && r.First == 0 {
			r.First = s.At.Sub(begin.At).Seconds()
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
	r.compute(samples, warmUp)
	return r, nil
}

// compute takes rates between lumps, from the end of one to the end of another: where in a lump a share of the rows was through, nobody knows.
func (r *Run) compute(samples []sample, warmUp time.Duration) {
	launch, lumps := samples[0], lumpsOf(samples)
	first, last := lumps[0], lumps[len(lumps)-1]
	r.LaunchRate = float64(last.rows) / last.At.Sub(launch.At).Seconds()
	r.WholeCPU = (last.Subject - launch.Subject).Seconds() / (float64(last.rows) / 1e6)
	r.WholeRate = r.LaunchRate
	if len(lumps) > 1 {
		r.WholeRate = rate(first, last)
	}
	from, to, between := steadyPart(lumps, r.Rows, warmUp)
	if r.Short = between < fewest || to.At.Sub(from.At) < shortest; r.Short {
		from, to = launch, last
		r.Rate = r.WholeRate
	} else {
		r.Rate = rate(from, to)
	}
	million := float64(to.rows-from.rows) / 1e6
	r.CPU, r.DBCPU, r.BrokerCPU = (to.Subject-from.Subject).Seconds()/million, (to.DB-from.DB).Seconds()/million, (to.Broker-from.Broker).Seconds()/million
	r.Others, r.LoadAfter = others(launch.Usage, last.Usage), Load()
}

func rate(from, to sample) float64 {
	return float64(to.rows-from.rows) / to.At.Sub(from.At).Seconds()
}

// lumpsOf keeps the samples in which more rows were there than before.
func lumpsOf(samples []sample) (lumps []sample) {
	rows := 0
	for _, s := range samples {
		if s.rows > rows {
			rows = s.rows
			lumps = append(lumps, s)
		}
	}
	return lumps
}

// steadyPart is between the first lump with 30 % of the rows, or after the warm-up, and the last with not more than 95 %.
func steadyPart(lumps []sample, rows int, warmUp time.Duration) (from, to sample, between int) {
	begin, end := -1, -1
	for i, s := range lumps {
		if begin < 0 && s.rows*100 >= rows*30 && s.At.Sub(lumps[0].At) >= warmUp {
			begin = i
		}
		if s.rows*100 <= rows*95 {
			end = i
		}
	}
	if begin < 0 || end <= begin {
		return from, to, 0
	}
	return lumps[begin], lumps[end], end - begin
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

// committed counts what a read_committed consumer could see. Marks of transactions count too, so the end is seen early by so many
// rows: see manyMarks.
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
				run.Short = run.Short || run.Wanted == 0 && run.Marks*100 > run.Rows*manyMarks
				return errors.Join(err, v.Err())
			}
		}
	}
}

// reached reports whether everything that the topics hold now was read.
func (t *topics) reached(ctx context.Context, next map[string]int64) (bool, error) {
	ends, err := kadm.NewClient(t.cl).ListCommittedOffsets(ctx, t.names...)
	err = errors.Join(err, ends.Error())
	done := err == nil
	ends.Each(func(o kadm.ListedOffset) { done = done && next[fmt.Sprint(o.Topic, o.Partition)] >= o.Offset })
	return done, err
}

func (t *topics) remove(ctx context.Context) error {
	_, err := kadm.NewClient(t.cl).DeleteTopics(ctx, t.names...)
	return err
}
