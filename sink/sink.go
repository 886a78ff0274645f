package sink

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kslog"

	"outferry/configs"
	"outferry/internal/logging"
	"outferry/outbox"
)

// reachTimeout is how long Kafka may take to answer at a start, and to resolve what an older instance left open.
const (
	reachTimeout = 30 * time.Second
	abortTimeout = 5 * time.Second
)

// Sink is one client that produces. It is used by one goroutine, but for Hangs; promises come on the client's own.
type Sink struct {
	cfg      *configs.Pipeline
	log      hclog.Logger
	cl       *kgo.Client
	exact    bool
	before   past
	producer int64 // since the fence
	passed   bool  // partitions that may hold events did not say what hangs in them
	topics   topics

	Made int // topics that the pipeline has made, in former sessions too

	open    bool          // a transaction is open
	began   atomic.Int64  // when it was opened, microseconds since 1970; promises that fail read it
	ended   time.Time     // when the last one was
	markers time.Duration // what those of a transaction should take after its end
	blind   bool          // the coordinator does not say whether it is complete

	noted atomic.Bool // first is set
	mu    sync.Mutex
	err   error // of the first promise that failed
	first *Landed
	free  []*Cargo
}

// Landed says where a record arrived.
type Landed struct {
	Topic     string
	Partition int32
	Offset    int64
	At        time.Time
}

// Open makes a client that reaches a broker. Nobody is fenced yet.
func Open(ctx context.Context, cfg *configs.Pipeline, log hclog.Logger, hooks ...kgo.Hook) (*Sink, error) {
	opts, err := ClientOptions(&cfg.Kafka)
	if err != nil {
		return nil, err
	}
	opts = append(opts, producerOptions(cfg)...)
	s := &Sink{cfg: cfg, log: log, exact: cfg.Delivery == "exactly_once"}
	opts = append(opts, kgo.WithHooks(hooks...), kgo.WithLogger(kslog.New(slog.New(logging.Handler(log.Named("kafka"))))))
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, &outbox.Fault{Code: "kafka.config", Class: outbox.Config, Err: fmt.Errorf("make kafka client: %w", err)}
	}
	s.cl = cl
	s.topics = topics{sink: s, known: map[string]int{}, noted: map[string]bool{}}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := cl.Ping(ctx); err != nil {
		cl.Close()
		return nil, s.fault("reach kafka at "+fmt.Sprint(cfg.Kafka.Brokers), err)
	}
	return s, nil
}

// Client is for reading and administration beside the records.
func (s *Sink) Client() *kgo.Client { return s.cl }

// Buffered returns what the client holds that Kafka has not acknowledged.
func (s *Sink) Buffered() (records, bytes int) {
	return int(s.cl.BufferedProduceRecords()), int(s.cl.BufferedProduceBytes())
}

// Close drops the client. An open transaction is left to the next fence, or to the broker's timeout.
func (s *Sink) Close() { s.cl.Close() }

// Began returns when the open transaction began; the zero time when none is.
func (s *Sink) Began() time.Time {
	if !s.open {
		return time.Time{}
	}
	return time.UnixMicro(s.began.Load())
}

// Begin opens a transaction if none is open.
func (s *Sink) Begin(ctx context.Context) error {
	if s.open {
		return nil
	}
	if s.exact {
		s.settle(ctx)
		if err := s.cl.BeginTransaction(); err != nil {
			return s.fault("begin transaction", err)
		}
	}
	s.open = true
	s.began.Store(time.Now().UnixMicro())
	return ctx.Err()
}

// Produce sends the record that Cargo.Next gave out.
func (s *Sink) Produce(ctx context.Context, c *Cargo, r *kgo.Record) error {
	if err := s.topics.ready(ctx, r.Topic, r.Partition); err != nil {
		return err
	}
	if size := recordSize(r); int64(size) > s.cfg.Kafka.MaxRecord {
		return &outbox.Fault{Code: "row.record_too_large", Class: outbox.Internal,
			Err:    fmt.Errorf("record for topic %s takes %d bytes, kafka.max_record is %d", r.Topic, size, s.cfg.Kafka.MaxRecord),
			Remedy: "raise kafka.max_record together with the topic's max.message.bytes"}
	}
	c.left.Add(1)
	// Not the caller's context: the client would fail what it holds when a stop is asked for, and nothing could drain.
	s.cl.Produce(context.Background(), r, c.promise)
	return nil
}

// recordSize is at least what a record takes in a batch of its own, before compression.
func recordSize(r *kgo.Record) int {
	n := 100 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += 10 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// Commit produces the offset record as the last of the transaction and ends it. Only nil means committed. After
// any fault the outcome is unknown: nothing in memory may be believed.
func (s *Sink) Commit(ctx context.Context, offset *kgo.Record) error {
	if !s.exact { // the events first, so that a position is never ahead of them
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.cl.Produce(context.Background(), offset, func(_ *kgo.Record, err error) {
		if err != nil {
			s.fail(fmt.Errorf("write offset record to topic %s: %w", offset.Topic, err))
		}
	})
	if err := s.flush(ctx); err != nil {
		return err
	}
	if !s.exact {
		s.open = false
		return nil
	}
	s.topics.note(offset.Topic)
	if err := s.topics.loaded(ctx); err != nil {
		return err
	}
	s.open = false
	// A commit that is given up half-way has an unknown outcome, so the caller's context ends only with the process.
	err := s.cl.EndTransaction(ctx, kgo.TryCommit)
	s.ended = time.Now()
	if err != nil {
		return s.fault("commit transaction", err)
	}
	return nil
}

// CommitAlone commits an offset record without events, or leaves no transaction open.
func (s *Sink) CommitAlone(ctx context.Context, offset *kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	if err := s.Begin(ctx); err != nil {
		return err
	}
	err := s.Commit(ctx, offset)
	if err != nil {
		abort, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		s.Abort(abort)
	}
	return err
}

// flush waits for all promises. One that failed forbids the commit: the client would commit the rest.
func (s *Sink) flush(ctx context.Context) error {
	if err := s.cl.Flush(ctx); err != nil {
		return &outbox.Fault{Code: "kafka.unreachable", Class: outbox.Transient, Err: fmt.Errorf("wait for kafka to take the records: %w", err)}
	}
	return s.Err()
}

// Abort ends the open transaction without its records. Its own outcome does not matter: the next fence decides.
func (s *Sink) Abort(ctx context.Context) {
	if !s.open || !s.exact {
		return
	}
	s.open = false
	if err := s.cl.AbortBufferedRecords(ctx); err != nil {
		s.log.Debug("abort buffered records", "error", err)
	}
	if err := s.cl.EndTransaction(ctx, kgo.TryAbort); err != nil {
		s.log.Debug("abort transaction", "error", err)
	}
}

// Err returns the fault of the first record that failed.
func (s *Sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *Sink) fail(err error) {
	err = s.fault("produce", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// First returns where the first record of this client landed, once.
func (s *Sink) First() *Landed {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.first
	if f != nil && f.Topic == "" {
		return nil
	}
	if f != nil {
		s.first = &Landed{}
	}
	return f
}
