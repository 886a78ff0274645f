package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"outferry/configs"
	workload "outferry/internal/bench/load"
	"outferry/pipeline"
	"outferry/sink"
	"outferry/status"
)

// What a benchmark makes. Nothing else is touched.
const (
	benchPipeline = "bench" // slot and publication are outferry_bench, transactional id and group begin with outferry-bench
	benchTable    = "outferry_bench"
	benchTopics   = "outferry-bench."
	benchOffsets  = "outferry-bench.offsets"
)

// benchmark is one on its way.
type benchmark struct {
	*benchOptions
	cfg   *configs.Pipeline
	log   hclog.Logger
	say   io.Writer
	table benchDatabase
	kafka *kgo.Client
	opts  []kgo.Opt
	made  []string // topics
}

// newBenchmark makes a pipeline of its own that connects, commits and delivers as the file's does. Routing is not taken over: the table is ours.
func newBenchmark(set *configs.Set, o *benchOptions, say io.Writer) (*benchmark, error) {
	theirs := set.Pipelines[0]
	cfg, err := benchConfig(theirs.Source.Type + "://u@localhost/d")
	if err != nil {
		return nil, err
	}
	schema, _, _ := strings.Cut(theirs.Source.Tables[0], ".")
	slot, publication, replica := cfg.Source.Postgres.Slot, cfg.Source.Postgres.Publication, cfg.Source.MySQL.ServerID
	cfg.Source = theirs.Source
	cfg.Source.Tables, cfg.Source.Snapshot, cfg.Source.Retry.GiveUpAfter = []string{schema + "." + benchTable}, "initial", time.Minute
	cfg.Source.Postgres.Slot, cfg.Source.Postgres.Publication, cfg.Source.Postgres.Create = slot, publication, true
	cfg.Source.MySQL.ServerID = replica
	// One for each run: an id that has committed before, without a record in the offsets topic, would stop the pipeline.
	id, client := cfg.Kafka.TransactionalID+"-"+strings.ToLower(rand.Text()[:8]), cfg.Kafka.ClientID
	cfg.Kafka = theirs.Kafka
	cfg.Kafka.TransactionalID, cfg.Kafka.ClientID, cfg.Kafka.Topics.Create = id, client, true
	cfg.Commit, cfg.Delivery = theirs.Commit, theirs.Delivery
	cfg.Offsets.Topic, cfg.Offsets.ReplicationFactor = benchOffsets, theirs.Offsets.ReplicationFactor
	b := &benchmark{benchOptions: o, cfg: cfg, log: quiet(set.Service.Log), say: say}
	writer := cfg.Source
	if o.writeURL != "" {
		other, err := benchConfig(o.writeURL)
		if err != nil {
			return nil, fmt.Errorf("--write-url: %w", err)
		}
		writer.Host, writer.Port, writer.Database, writer.User, writer.Password = other.Source.Host, other.Source.Port, other.Source.Database, other.Source.User, other.Source.Password
	}
	if b.opts, err = sink.ClientOptions(&cfg.Kafka); err != nil {
		return nil, err
	}
	b.table = newBenchDatabase(writer, schema)
	return b, nil
}

// noTable says whose rights are asked for.
func (b *benchmark) noTable(doing string, err error) error {
	if b.writeURL == "" {
		return refused(fmt.Errorf("%s: %w; the account of the pipeline needs the right, or another one with --write-url", doing, err))
	}
	return refused(fmt.Errorf("%s with the account of --write-url: %w", doing, err))
}

// benchConfig is a pipeline of all defaults.
func benchConfig(url string) (*configs.Pipeline, error) {
	text := fmt.Sprintf("name: %s\nsource:\n  url: %q\n  tables: [s.%s]\nkafka:\n  brokers: [localhost:9092]\n", benchPipeline, url, benchTable)
	set, findings := configs.LoadBytes("bench", []byte(text), configs.Options{LookupEnv: func(string) (string, bool) { return "", false }, Environ: func() []string { return nil }})
	if findings.HasErrors() {
		return nil, fmt.Errorf("%s", findings.Errors()[0].Message)
	}
	return set.Pipelines[0], nil
}

// measure makes, measures and takes away. What it made goes also when it fails or is interrupted.
func (b *benchmark) measure(ctx context.Context) (result *benchResult, err error) {
	if b.kafka, err = kgo.NewClient(b.opts...); err != nil {
		return nil, err
	}
	defer b.kafka.Close()
	err = b.refuse(ctx)
	if ctx.Err() != nil {
		return nil, &exitError{code: exitInterrupted, err: errors.New("interrupted: nothing was changed")}
	}
	if err != nil {
		return nil, err
	}
	shape := workload.Shape{PerTx: b.perTx, Size: b.size, Topics: 2, ID: "uuid"}
	announce(b.say, "makes table %s, pipeline outferry-bench (slot, publication, group) and topics %s*; they go at the end", benchTable, benchTopics)
	if err := b.wholly(ctx, func(ctx context.Context) error { return b.table.create(ctx, &shape) }); err != nil {
		return nil, b.noTable("make table "+benchTable, err)
	}
	defer func() {
		if err != nil && ctx.Err() != nil { // whatever it is: rows that nobody waited for look like lost ones
			err = &exitError{code: exitInterrupted, err: errors.New("interrupted: nothing was measured to its end")}
		}
		if gone := b.takeAway(context.WithoutCancel(ctx)); gone != nil {
			err = errors.Join(err, fmt.Errorf("take away what was made: %w", gone))
		}
	}()
	result = &benchResult{LoadAverage: loadAverage()}
	if err := b.probe(ctx, shape); err != nil {
		return nil, fmt.Errorf("ferry a first row: %w", err)
	}
	if b.rows > 0 {
		if err := b.drain(ctx, shape, result); err != nil {
			return nil, fmt.Errorf("drain a backlog: %w", err)
		}
	}
	if b.rate > 0 {
		if err := b.pace(ctx, shape, result); err != nil {
			return nil, fmt.Errorf("ferry at a rate: %w", err)
		}
	}
	return result, nil
}

// wholly does what must not be given up half-way: what was asked for may be done after nobody waits any more, and would be left.
func (b *benchmark) wholly(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return do(ctx)
}

func refused(err error) error {
	return &exitError{code: exitEnvironment, err: fmt.Errorf("%w: nothing was changed", err)}
}

// refuse looks for what we would make, and names all of it: what a benchmark that was killed has left holds the log of the database.
func (b *benchmark) refuse(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	found, err := b.table.find(ctx)
	if err != nil {
		return b.noTable("look for table "+benchTable, err)
	}
	there, err := kadm.NewClient(b.kafka).ListTopics(ctx)
	if err != nil {
		return refused(fmt.Errorf("look at kafka: %w", err))
	}
	for _, name := range there.Names() {
		if strings.HasPrefix(name, benchTopics) {
			found = append(found, "topic "+name)
		}
	}
	if len(found) > 0 {
		return refused(fmt.Errorf("there already: %s; if they are what a killed benchmark left, drop them first (docs/benchmarks.md)", strings.Join(found, ", ")))
	}
	return nil
}

// ferry runs the pipeline into topics of a prefix while do works.
func (b *benchmark) ferry(ctx context.Context, prefix string, do func(context.Context) error) error {
	cfg := *b.cfg
	cfg.Router.Topic = prefix + "${routedByValue}"
	p := pipeline.New(&cfg, b.log, status.NewRegistry(version, false).Pipeline(cfg.Name), 30*time.Second)
	inner, cancel := context.WithCancelCause(ctx)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		err := p.Run(running)
		cancel(errBenchEnded)
		ended <- err
	}()
	err := do(inner)
	if inner.Err() != nil && ctx.Err() == nil {
		err = context.Cause(inner)
	}
	stop()
	return errors.Join(err, <-ended)
}

// consume reads all rows of a shape.
func (b *benchmark) consume(ctx context.Context, s workload.Shape, prefix string) (*workload.Arrivals, error) {
	a := workload.NewArrivals(s, prefix)
	var names []string
	for _, route := range s.Routes() {
		names = append(names, prefix+route)
	}
	cl, err := kgo.NewClient(append(b.opts, kgo.ConsumeTopics(names...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMinBytes(1), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.UnknownTopicRetries(-1))...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := a.Read(ctx, cl); err != nil {
		return a, errors.Join(err, a.Verdict.Err())
	}
	ends, err := kadm.NewClient(b.kafka).ListCommittedOffsets(ctx, names...)
	if err = errors.Join(err, ends.Error()); err == nil {
		err = a.ReadOn(ctx, cl, ends)
	}
	return a, errors.Join(err, a.Verdict.Err())
}

func (b *benchmark) writers(s *workload.Shape, p workload.Pace) *workload.Writers {
	return &workload.Writers{Pace: p, Committed: make([]int64, s.Rows), Open: func(ctx context.Context) (workload.Inserter, func(), error) { return b.table.open(ctx, s) }}
}

// topics makes those of a phase, so that neither side waits for them.
func (b *benchmark) topics(ctx context.Context, s *workload.Shape, phase int) (prefix string, err error) {
	prefix = fmt.Sprintf("%s%d.", benchTopics, phase)
	var names []string
	for _, route := range s.Routes() {
		names = append(names, prefix+route)
	}
	t := b.cfg.Kafka.Topics
	b.made = append(b.made, names...) // without an answer too
	return prefix, b.wholly(ctx, func(ctx context.Context) error {
		made, err := kadm.NewClient(b.kafka).CreateTopics(ctx, int32(t.Partitions), int16(t.ReplicationFactor), nil, names...)
		for _, m := range made {
			if err = errors.Join(err, m.Err); errors.Is(m.Err, kerr.TopicAlreadyExists) { // somebody else's
				b.made = slices.DeleteFunc(b.made, func(name string) bool { return name == m.Topic })
			}
		}
		return err
	})
}

// phase writes rows and reads them back while the pipeline runs; before it runs where they are a backlog.
func (b *benchmark) phase(ctx context.Context, n int, s workload.Shape, p workload.Pace, backlog bool) (w *workload.Writers, a *workload.Arrivals, began time.Time, err error) {
	w = b.writers(&s, p)
	prefix, err := b.topics(ctx, &s, n)
	if err == nil && backlog {
		err = w.Write(ctx, time.Now())
	}
	if err != nil {
		return nil, nil, began, err
	}
	began = time.Now()
	err = b.ferry(ctx, prefix, func(ctx context.Context) error {
		all, ctx := errgroup.WithContext(ctx)
		if !backlog {
			all.Go(func() error { return w.Write(ctx, began) })
		}
		all.Go(func() (err error) {
			a, err = b.consume(ctx, s, prefix)
			return err
		})
		return all.Wait()
	})
	if err == nil {
		err = b.table.empty(ctx)
	}
	return w, a, began, err
}

// probe has the pipeline find its position.
func (b *benchmark) probe(ctx context.Context, s workload.Shape) error {
	s.Rows = 1
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	_, _, _, err := b.phase(ctx, 0, s, workload.Pace{PerTx: 1}, true)
	return err
}

func (b *benchmark) drain(ctx context.Context, s workload.Shape, result *benchResult) error {
	s.Rows = b.rows
	announce(b.say, "writes %d rows of %d bytes, %d a transaction, and drains them", b.rows, b.size, b.perTx)
	_, a, began, err := b.phase(ctx, 1, s, workload.Pace{PerTx: b.perTx}, true)
	if err != nil {
		return err
	}
	first, last := a.At[0], a.At[0]
	for _, at := range a.At {
		first, last = min(first, at), max(last, at)
	}
	since := func(at int64) float64 { return float64(at-began.UnixNano()) / 1e9 }
	result.Rows, result.First, result.Seconds, result.PerSecond = b.rows, since(first), since(last), float64(b.rows)/since(last)
	return nil
}

func (b *benchmark) pace(ctx context.Context, s workload.Shape, result *benchResult) error {
	p := workload.Pace{Rate: b.rate, PerTx: b.perTx, Warm: 3 * time.Second, Time: b.duration}
	s.Rows = p.Rows()
	announce(b.say, "writes %d rows/s for %s, %d a transaction", b.rate, b.duration, b.perTx)
	w, a, began, err := b.phase(ctx, 2, s, p, false)
	if err != nil {
		return err
	}
	last := began.UnixNano()
	for _, at := range w.Committed {
		last = max(last, at)
	}
	q := workload.Latencies(w.Committed, a.At, began.Add(p.Warm))
	result.Wanted, result.Written, result.Latency = b.rate, float64(s.Rows)/(float64(last-began.UnixNano())/1e9), &q
	return nil
}

// takeAway removes the pipeline as outferry remove does, then table and topics. It does all that it can.
func (b *benchmark) takeAway(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	claim, err := pipeline.Take(ctx, b.cfg, b.log, pipeline.Without{})
	if err == nil {
		_, err = claim.Remove(ctx)
		claim.Close()
	}
	err = errors.Join(err, b.table.drop(ctx))
	deleted, failed := kadm.NewClient(b.kafka).DeleteTopics(ctx, append(b.made, benchOffsets)...)
	err = errors.Join(err, failed)
	for _, d := range deleted {
		if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) { // the pipeline may have failed before it made its topic
			err = errors.Join(err, fmt.Errorf("topic %s: %w", d.Topic, d.Err))
		}
	}
	return err
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
