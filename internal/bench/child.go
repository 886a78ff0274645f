package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/binlog"
	"outferry/configs"
	"outferry/outbox"
	"outferry/walstream"

	"outferry/internal/bench/load"
)

// Child is what this program does when it runs itself again.
type Child struct {
	Part     string // position, reader or producer
	File     string // pipeline file
	Position []byte
	Shape    Shape
	Broker   string
	Prefix   string
}

// ChildResult is what it prints.
type ChildResult struct {
	Seconds  float64
	CPU      float64
	Memory   float64
	Position []byte
}

// Run does it and prints the result.
func (c *Child) Run(ctx context.Context) error {
	do := map[string]func(context.Context) (ChildResult, error){"position": c.position, "reader": c.reader, "producer": c.producer}[c.Part]
	if do == nil {
		return fmt.Errorf("no part is called %q", c.Part)
	}
	out, err := do(ctx)
	if err != nil {
		return err
	}
	_, out.Memory = memory(os.Getpid())
	return json.NewEncoder(os.Stdout).Encode(out)
}

type source interface {
	Run(ctx context.Context, from outbox.Position, out chan<- *outbox.Batch) error
	Confirm(outbox.Position)
}

func (c *Child) open() (source, error) {
	set, findings := configs.Load([]string{c.File}, configs.Options{})
	if findings.HasErrors() {
		return nil, errors.New("the pipeline file has mistakes")
	}
	cfg := set.Pipelines[0]
	if cfg.Source.Type == "postgres" {
		return walstream.New(cfg, hclog.NewNullLogger(), walstream.Options{}), nil
	}
	return binlog.New(cfg, hclog.NewNullLogger(), binlog.Options{}), nil
}

// position is where the log stands.
func (c *Child) position(ctx context.Context) (out ChildResult, err error) {
	err = c.read(ctx, nil, func(b *outbox.Batch) bool {
		out.Position = append([]byte(nil), b.Position...)
		return len(out.Position) > 0
	})
	return out, err
}

// reader takes all rows and lets them go. The clock begins with the first batch, whose rows do not count; with the start, where they are most of all.
func (c *Child) reader(ctx context.Context) (out ChildResult, err error) {
	type mark struct {
		at   time.Time
		cpu  time.Duration
		rows int
	}
	now := func(rows int) mark { return mark{time.Now(), processorTime(), rows} }
	begin, rows := now(0), 0
	err = c.read(ctx, c.Position, func(b *outbox.Batch) bool {
		if rows == 0 && len(b.Rows) < c.Shape.Rows/2 {
			begin = now(len(b.Rows))
		}
		rows += len(b.Rows)
		return rows >= c.Shape.Rows
	})
	if err == nil && rows != c.Shape.Rows {
		err = fmt.Errorf("%d rows, want %d", rows, c.Shape.Rows)
	}
	part := float64(c.Shape.Rows) / float64(max(c.Shape.Rows-begin.rows, 1))
	out.Seconds, out.CPU = part*time.Since(begin.at).Seconds(), part*(processorTime()-begin.cpu).Seconds()
	return out, err
}

// read takes batches until done says so.
func (c *Child) read(ctx context.Context, from outbox.Position, done func(*outbox.Batch) bool) error {
	src, err := c.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	batches, ended := make(chan *outbox.Batch, 1), make(chan error, 1)
	go func() { ended <- src.Run(ctx, from, batches) }()
	defer func() { cancel(); <-ended }()
	for {
		select {
		case b := <-batches:
			over := done(b)
			src.Confirm(b.Position)
			b.Release()
			if over {
				return nil
			}
		case err := <-ended:
			ended <- err
			return fmt.Errorf("read: %w", err)
		}
	}
}

// producerCommits is as often as a pipeline commits under load.
const producerCommits = 250 * time.Millisecond

// lot is records in memory that is used again when all of them are acknowledged.
type lot struct {
	filler *filler
	sent   sync.WaitGroup
}

// producer sends what the rows become, in transactions.
func (c *Child) producer(ctx context.Context) (out ChildResult, err error) {
	const perLot = 20_000
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Broker), kgo.TransactionalID(c.Prefix), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.MaxBufferedRecords(2*perLot), kgo.DefaultProduceTopic(c.Prefix+"t0"), kgo.ProducerLinger(5*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		return out, err
	}
	defer cl.Close()
	if err := ready(ctx, cl, c.Prefix, &c.Shape); err != nil {
		return out, err
	}
	lots := [2]*lot{{filler: newFiller(&c.Shape, c.Prefix, perLot)}, {filler: newFiller(&c.Shape, c.Prefix, perLot)}}
	began, cpu := time.Now(), processorTime()
	for from := 0; from < c.Shape.Rows; {
		if from, err = c.transaction(ctx, cl, lots, from); err != nil {
			return out, err
		}
	}
	out.Seconds, out.CPU = time.Since(began).Seconds(), (processorTime() - cpu).Seconds()
	return out, nil
}

// transaction sends rows from one on until a commit is due, and returns the next.
func (c *Child) transaction(ctx context.Context, cl *kgo.Client, lots [2]*lot, from int) (int, error) {
	if err := cl.BeginTransaction(); err != nil {
		return from, err
	}
	began := time.Now()
	var failed atomic.Pointer[error]
	for n := 0; from < c.Shape.Rows && time.Since(began) < producerCommits; n++ {
		l := lots[n%2]
		l.sent.Wait()
		for at := 0; at < len(l.filler.records) && from < c.Shape.Rows; at, from = at+1, from+1 {
			l.sent.Add(1)
			cl.Produce(ctx, l.filler.record(at, from), func(_ *kgo.Record, err error) {
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
				l.sent.Done()
			})
		}
	}
	if err := cl.Flush(ctx); err != nil {
		return from, err
	}
	if err := failed.Load(); err != nil { // the client would commit the rest
		return from, *err
	}
	return from, cl.EndTransaction(ctx, kgo.TryCommit)
}

// ready takes what a client does once out of the measurement: it knows the topics, which are new, and has its producer id.
func ready(ctx context.Context, cl *kgo.Client, prefix string, s *Shape) error {
	for _, route := range s.Routes() {
		for {
			ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, prefix+route)
			if err == nil && ends.Error() == nil {
				break
			}
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
	}
	_, _, err := cl.ProducerID(ctx)
	return err
}

// filler makes records in memory that is used again, so that little but the producer is measured.
type filler struct {
	shape   *Shape
	texts   []string
	topics  []string
	records []kgo.Record
	created []byte
}

func newFiller(s *Shape, prefix string, n int) *filler {
	f := &filler{shape: s, texts: s.Texts(), records: make([]kgo.Record, n), created: []byte("created")}
	for _, route := range s.Routes() {
		f.topics = append(f.topics, prefix+route)
	}
	return f
}

// record is what row i becomes.
func (f *filler) record(at, i int) *kgo.Record {
	r := &f.records[at]
	var id []byte
	if len(r.Headers) > 0 {
		id = r.Headers[0].Value[:0]
	}
	value := append(strconv.AppendInt(append(r.Value[:0], `{"seq": `...), int64(i), 10), `, "text": "`...)
	*r = kgo.Record{Topic: f.topics[i%len(f.topics)], Key: strconv.AppendInt(append(r.Key[:0], "key-"...), int64(i%load.Keys), 10),
		Value: append(append(value, f.texts[i%len(f.texts)]...), `"}`...), Headers: append(r.Headers[:0], kgo.RecordHeader{Key: "id", Value: f.id(id, i)})}
	if f.shape.Headers {
		route := f.topics[i%len(f.topics)]
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: "eventType", Value: f.created}, kgo.RecordHeader{Key: "aggregate", Value: []byte(route[strings.LastIndexByte(route, '.')+1:])})
	}
	return r
}

func (f *filler) id(b []byte, i int) []byte {
	if f.shape.ID == "text" {
		return fmt.Appendf(b, "event-%010d", i)
	}
	b = append(b, "10711fa5-0000-4000-8000-"...)
	for shift := 44; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[i>>shift&15])
	}
	return b
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
