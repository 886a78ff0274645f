package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/router"
	"outferry/sink"
	"outferry/status"
)

// testifyEvery is how often the second witness of the offsets topic is renewed, testifyAgain when that failed:
// a broker does not know a topic just made everywhere at once.
const testifyEvery, testifyAgain = time.Hour, 30 * time.Second

// testifyLong bounds the wait for it: a broker that does not answer must not hold up the rows.
const testifyLong = 10 * time.Second

// holdsAfter is how long a stream goes on until it counts as holding, though nothing came.
const holdsAfter = 10 * time.Second

// mostPlans are kept: PostgreSQL announces a table again and again, each time as a new one.
const mostPlans = 256

// ferry takes batches across: route, produce, commit with the offset. One goroutine does it all, so the order of
// the log is the order in Kafka. What is committed goes to seal, which confirms it.
type ferry struct {
	*Pipeline
	sink   *sink.Sink
	src    Source
	store  *offsets.Store
	router *router.Router
	plans  map[*outbox.Table]*router.Plan
	table  *outbox.Table // of the last row
	plan   *router.Plan
	since  time.Time // its first commit with rows; zero: none yet
	misfit error     // of the table as it is now: what was committed before is delivered first
	hangs  error     // a broker lost the end of a commit

	rec      offsets.Record // the last committed one
	seal     *seal
	hold     load           // what the open transaction holds
	counting map[string]int // where topics are in hold.counts
	kafka    kafkaWait
	holds    bool      // the stream does
	testify  time.Time // when the second witness is due
}

// load is what the open transaction holds so far.
type load struct {
	position outbox.Position // after it
	partial  bool
	rows     int
	events   int
	bytes    int
	part     int // bytes of the database transaction that is under way
	txns     int
	commits  []int64 // commit times of its database transactions
	counts   []count // per topic
	topic    int     // in counts, of the last event
}

type count struct {
	topic         string
	events, bytes int
}

// loop receives until ctx ends, the source does, or something fails.
func (f *ferry) loop(stop context.Context, out <-chan *outbox.Batch, ended <-chan error) error {
	ctx, cancel := grace(stop, f.shutdown)
	defer cancel()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		f.status.Beat()
		f.settle(false)
		if err := f.passed(len(out) == 0); err != nil {
			return err
		}
		if f.hangs != nil && f.sink.Began().IsZero() {
			return f.hangs
		}
		timer.Reset(f.nextDeadline())
		select {
		case b := <-out:
			if err := f.across(ctx, b, out); err != nil {
				return f.abort(ctx, f.undelivered(stop, err))
			}
		case <-timer.C:
			if err := f.overdue(ctx); err != nil {
				return f.abort(ctx, f.undelivered(stop, err))
			}
		case f.hangs = <-f.seal.lost: // an open transaction ends first, and what hangs with it; the next session ends what else does
		case err := <-ended:
			return f.sourceEnded(ctx, out, err)
		case <-stop.Done():
			return f.drain(ctx)
		}
	}
}

// grace returns a context that ends later than ctx by the time for an orderly stop: what is under way when a stop
// is asked for may still land.
func grace(ctx context.Context, shutdown time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() { time.AfterFunc(shutdown, cancel) })
	return later, func() { forget(); cancel() }
}

// across takes a batch, and commits when that is due.
func (f *ferry) across(ctx context.Context, b *outbox.Batch, out <-chan *outbox.Batch) error {
	dry := b.Dry // take gives the batch away
	if err := f.take(ctx, b); err != nil {
		return err
	}
	if f.due(dry && len(out) == 0) {
		return f.commit(ctx)
	}
	return nil
}

// take routes a batch and gives its records to the client. In a backlog of large transactions nearly every batch ends
// inside one, so a commit that is due comes before that one, in the middle of the batch.
func (f *ferry) take(ctx context.Context, b *outbox.Batch) error {
	if err := f.sink.Begin(ctx); err != nil {
		return err
	}
	l := &f.hold
	l.bytes += len(b.Buf)
	l.txns += b.Transactions
	cargo := f.sink.Load(b)
	if b.Whole > 0 {
		if err := f.rows(ctx, cargo, b.Rows[:b.Whole], b.WholePosition, false); err != nil {
			return err
		}
		if f.due(false) {
			if err := f.commit(ctx); err != nil {
				return err
			}
			if err := f.sink.Begin(ctx); err != nil {
				return err
			}
		}
	}
	l.part = under(b, l.part)
	if err := f.rows(ctx, cargo, b.Rows[b.Whole:], b.Position, b.Partial); err != nil {
		return err // the cargo dies with the client
	}
	cargo.Close()
	f.status.Inflight(f.sink.Buffered())
	return f.nameWayOn(f.sink.Err())
}

// under returns the bytes of the database transaction that is under way behind a batch, of which so many came before.
func under(b *outbox.Batch, before int) (bytes int) {
	switch {
	case !b.Partial:
		return 0
	case b.Whole == 0:
		return before + len(b.Buf)
	}
	for i := range b.Rows[b.Whole:] {
		for _, v := range b.Rows[b.Whole+i].Values {
			bytes += len(v)
		}
	}
	return bytes
}

// rows takes those of a batch that lead to a position.
func (f *ferry) rows(ctx context.Context, cargo *sink.Cargo, rows []outbox.Row, to outbox.Position, partial bool) error {
	l := &f.hold
	l.position, l.partial = append(l.position[:0], to...), partial
	if len(rows) > 0 {
		f.oldest.CompareAndSwap(0, rows[0].CommitTime)
	}
	err := f.whileInKafka(func() error { // a topic may have to be made
		for i := range rows {
			if err := f.row(ctx, cargo, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return f.nameWayOn(err)
	}
	l.rows += len(rows)
	return nil
}

func (f *ferry) row(ctx context.Context, cargo *sink.Cargo, row *outbox.Row) error {
	if row.Table != f.table {
		if err := f.shape(row.Table); err != nil {
			return err
		}
	}
	if row.Op == outbox.Update {
		return f.updated(row)
	}
	r := cargo.Next()
	var err error
	if cargo.Buf, err = f.plan.Route(row, r, cargo.Buf); err != nil {
		return err
	}
	if err := f.sink.Produce(ctx, cargo, r); err != nil {
		return f.named(row, err)
	}
	f.count(row, r)
	return nil
}

// shape finds the plan for rows of a new shape.
func (f *ferry) shape(t *outbox.Table) (err error) {
	plan, ok := f.plans[t]
	if !ok {
		if plan, err = f.router.Plan(t); err != nil {
			return otherColumns(t, err)
		}
		if len(f.plans) == mostPlans {
			clear(f.plans)
		}
		f.plans[t] = plan
	}
	f.table, f.plan = t, plan
	return nil
}

// otherColumns is the fault of rows that were written when their table was not what the file routes by.
func otherColumns(t *outbox.Table, err error) error {
	var names []string
	for i := range t.Columns {
		names = append(names, t.Columns[i].Name)
	}
	return &outbox.Fault{Code: "row.columns", Class: outbox.Config,
		Err:    fmt.Errorf("a row of %s was written when it had the columns %s: %w", t, strings.Join(names, ", "), faultOf(err).Err),
		Remedy: "what precedes it is delivered; go on with a file that names these columns, until it stops at rows with other ones"}
}

// updated follows router.on_update: an outbox row is written once.
func (f *ferry) updated(row *outbox.Row) error {
	f.status.Skipped("update", 1)
	switch f.cfg.Router.OnUpdate {
	case "warn":
		f.log.Warn("update of an outbox row is not published; REPLACE and ON DUPLICATE KEY UPDATE are updates too", "table", row.Table.String(), "id", fmt.Sprintf("%.64s", f.plan.ID(row)))
	case "stop":
		return &outbox.Fault{Code: "row.updated", Class: outbox.Internal,
			Err:    fmt.Errorf("row %.64q of %s was updated and router.on_update is stop", f.plan.ID(row), row.Table),
			Remedy: "publish by inserting rows; or set router.on_update to warn"}
	}
	return nil
}

// named adds the row to a fault.
func (f *ferry) named(row *outbox.Row, err error) error {
	var fault *outbox.Fault
	if !errors.As(err, &fault) || len(fault.Code) < 4 || fault.Code[:4] != "row." {
		return err
	}
	named := *fault
	named.Err = fmt.Errorf("row %.64q of %s: %w", f.plan.ID(row), row.Table, fault.Err)
	return &named
}

// nameWayOn adds the command that passes by the database transaction of a row that can't be published. One at a time is held
// then, so the position is the one behind it.
func (f *ferry) nameWayOn(err error) error {
	var fault *outbox.Fault
	if !f.single || !errors.As(err, &fault) || !strings.HasPrefix(fault.Code, "row.") {
		return err
	}
	flags := f.wayOn(f.hold.position)
	if flags == "" {
		return err
	}
	named := *fault
	if named.Remedy != "" {
		named.Remedy += "; "
	}
	named.Remedy += "or pass its transaction by, with all of its rows: outferry offsets set NAME " + flags + " --accept-gap"
	return &named
}

func (f *ferry) count(row *outbox.Row, r *kgo.Record) {
	l := &f.hold
	l.events++
	if n := len(l.commits); n == 0 || l.commits[n-1] != row.CommitTime {
		if row.Op == outbox.Insert {
			l.commits = append(l.commits, row.CommitTime)
		}
	}
	if l.topic >= len(l.counts) || l.counts[l.topic].topic != r.Topic {
		l.topic = f.counted(r.Topic)
	}
	c := &l.counts[l.topic]
	c.events++
	c.bytes += len(r.Value) + len(r.Key)
}

// counted returns the place of a topic among those that are counted.
func (f *ferry) counted(topic string) int {
	at, ok := f.counting[topic]
	if !ok || at >= len(f.hold.counts) || f.hold.counts[at].topic != topic {
		at = len(f.hold.counts)
		f.counting[topic] = at
		f.hold.counts = append(f.hold.counts, count{topic: topic})
	}
	return at
}

// due reports whether the open transaction ends with this batch: at once when the source has run dry, else
// after an interval or a size, and never inside a database transaction that may still become visible whole.
func (f *ferry) due(dry bool) bool {
	l, c := &f.hold, &f.cfg.Commit
	open := time.Since(f.sink.Began())
	if l.partial {
		return int64(l.part) >= f.cfg.Source.MaxTransaction || open >= sink.TransactionTimeout/4
	}
	if dry || f.single {
		return true
	}
	return l.rows >= c.Rows || int64(l.bytes) >= c.Bytes || open >= c.Interval
}

// nextDeadline is when the open transaction must end although nothing more comes.
func (f *ferry) nextDeadline() time.Duration {
	began := f.sink.Began()
	switch {
	case began.IsZero() && f.misfit != nil:
		return time.Second
	case began.IsZero():
		return 10 * time.Second
	}
	limit := f.cfg.Commit.Interval
	if f.hold.partial {
		limit = sink.TransactionTimeout / 4
	}
	return max(limit-time.Since(began), 0)
}

// settle notes that the stream holds: something of it was committed, or it has gone on for a while.
func (f *ferry) settle(committed bool) {
	since := f.streams.Load()
	if since == 0 || f.holds || !committed && time.Since(time.Unix(0, since)) < holdsAfter {
		return
	}
	f.holds = true
	f.status.State(status.Streaming, "")
	f.settled()
}

// passed ends a session that takes one transaction at a time, once it has gone past the row that asked for it, and
// one of a table that the file does not fit, once what was committed before is delivered.
func (f *ferry) passed(nothingWaits bool) error {
	if f.misfit != nil && nothingWaits && f.caughtUp.Load() && f.sink.Began().IsZero() {
		return f.misfit
	}
	if f.single && f.sink.Began().IsZero() && !f.since.IsZero() && time.Since(f.since) > singleFor {
		f.single = false
		return errSingleOver
	}
	return nil
}

func (f *ferry) overdue(ctx context.Context) error {
	if f.sink.Began().IsZero() {
		return nil
	}
	return f.commit(ctx)
}

// commit lands what the transaction holds, with the offset behind it. The source hears of it when it is seen.
func (f *ferry) commit(ctx context.Context) error {
	l := &f.hold
	next := f.rec
	next.Seq++
	next.Events += int64(l.events)
	next.Topics = f.sink.Made
	next.Partial = l.partial
	next.Position = json.RawMessage(l.position)
	next.At = time.Now().UTC()
	record := f.store.Record(next.Marshal())
	open, began := time.Since(f.sink.Began()), time.Now()
	if err := f.whileInKafka(func() error { return f.sink.Commit(ctx, record) }); err != nil {
		return f.nameWayOn(err)
	}
	f.log.Debug("committed", "seq", next.Seq, "rows", l.rows, "transactions", l.txns, "open", open, "took", time.Since(began))
	next.Position = append(json.RawMessage(nil), l.position...)
	f.rec, f.seen.record, f.seen.seq = next, true, next.Seq
	f.seal.add(record, outbox.Position(next.Position))
	f.settle(true)
	f.report()
	f.testified(ctx, record.Offset)
	return nil
}

// report tells status what was committed, and starts an empty load.
func (f *ferry) report() {
	l := &f.hold
	now := time.Now()
	for _, c := range l.counts {
		f.status.Delivered(c.topic, c.events, c.bytes)
	}
	f.status.Committed(l.events, l.txns, now)
	f.status.Latencies(now, l.commits)
	f.status.Inflight(0, 0)
	if l.partial {
		f.status.Split()
	}
	if first := f.sink.First(); first != nil {
		args := []any{"topic", first.Topic, "partition", first.Partition, "offset", first.Offset}
		if len(l.commits) > 0 {
			args = append(args, "latency", first.At.Sub(time.UnixMicro(l.commits[0])).Round(100*time.Microsecond))
		}
		f.log.Info("first event delivered", args...)
	}
	if f.since.IsZero() && l.rows > 0 {
		f.since = now
	}
	f.oldest.Store(0)
	*l = load{position: l.position[:0], commits: l.commits[:0], counts: l.counts[:0]}
}

func (f *ferry) testified(ctx context.Context, offset int64) {
	if time.Now().Before(f.testify) {
		return
	}
	f.testify = time.Now().Add(testifyEvery)
	ctx, cancel := context.WithTimeout(ctx, testifyLong)
	defer cancel()
	if err := f.store.Testify(ctx, offset); err != nil {
		f.testify = time.Now().Add(testifyAgain)
		f.log.Warn("the offset's second witness could not be written", "group", f.store.Group, "error", err)
	}
}

// abort ends the open transaction without its records. Err is what brought us here. When the time for a stop is
// over it does nothing: the next fence, or the broker's timeout, ends the transaction too.
func (f *ferry) abort(ctx context.Context, err error) error {
	f.seal.forget()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	f.sink.Abort(ctx)
	return err
}

// sourceEnded lands what the source handed over before it ended, its work done or for the reason why.
func (f *ferry) sourceEnded(ctx context.Context, out <-chan *outbox.Batch, why error) error {
	for {
		select {
		case b := <-out:
			if err := f.across(ctx, b, out); err != nil {
				return f.abort(ctx, err)
			}
		default:
			if f.sink.Began().IsZero() {
				return why
			}
			if why != nil && f.hold.partial {
				f.withheld = f.hold.txns > 0
				return f.abort(ctx, why)
			}
			if err := f.commit(ctx); err != nil {
				return f.abort(ctx, err)
			}
			return why
		}
	}
}

// drain ends in order: no more is received; what is complete is committed within the time for it, what is
// not is aborted and comes again.
func (f *ferry) drain(ctx context.Context) error {
	if f.sink.Began().IsZero() {
		return nil
	}
	if f.hold.partial {
		return f.abort(ctx, nil)
	}
	if err := f.commit(ctx); err != nil {
		return f.abort(ctx, f.notDrained(err))
	}
	return nil
}

// undelivered says whether an error that comes after a stop was asked for leaves rows behind.
func (f *ferry) undelivered(stop context.Context, err error) error {
	if stop.Err() == nil || f.hold.rows == 0 || !interrupted(err) {
		return err
	}
	return f.notDrained(err)
}

func (f *ferry) notDrained(err error) error {
	return &outbox.Fault{Code: "shutdown.not_drained", Class: outbox.Internal,
		Err: fmt.Errorf("stop within %s: %w", f.shutdown, err), Remedy: "nothing is lost: the next start repeats what was not committed"}
}

// NewStore returns the offsets of a pipeline, read through a client.
func NewStore(cfg *configs.Pipeline, cl *kgo.Client) *offsets.Store {
	return &offsets.Store{Topic: cfg.Offsets.Topic, Pipeline: cfg.Name, Group: cfg.Kafka.TransactionalID, Replication: cfg.Offsets.ReplicationFactor, Client: cl}
}
