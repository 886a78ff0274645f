// Package pipeline joins a source, the router, the sink and the offsets of one pipeline, and owns every
// goroutine, the restart policy and the orderly stop. In goes a pipeline of the file; out come the events,
// and in the end nil or the fault that a person must look at.
//
// The order of every start, first or hundredth: look (no trace left) -> fence older instances -> read the
// newest offset -> the source proves that its log continues there -> stream. Whatever ends a session, the
// next one believes only the offsets topic.
package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/internal/logging"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/status"
	"outferry/walstream"
)

// Source is where rows come from: a PostgreSQL slot, a MySQL or MariaDB binlog.
type Source interface {
	// Look reports what stands in the way, without a trace on the server, and the tables as they are.
	Look(ctx context.Context) ([]*outbox.Table, error)
	// Run hands batches over until ctx ends or the stream breaks. Only Run touches the connection.
	Run(ctx context.Context, from outbox.Position, out chan<- *outbox.Batch) error
	// Confirm says that everything up to pos is committed in Kafka.
	Confirm(pos outbox.Position)
}

const (
	standbyWait = 2 * time.Second  // between looks at whoever works
	beatEvery   = 30 * time.Second // in a long pause
	singleFor   = 30 * time.Second // one transaction at a time, after a row that could not be published
)

// fencedWait is the pause of whoever was fenced: never straight back. A test has less time.
var fencedWait = 5 * time.Second

// Pipeline runs one pipeline of the file.
type Pipeline struct {
	cfg       *configs.Pipeline
	log       hclog.Logger
	status    *status.Pipeline
	shutdown  time.Duration
	instance  string
	connected bool // a session has streamed for a while: what fails now worked before
	single    bool // one transaction at a time
	seen      seen
	withheld  bool // the last session ended inside a transaction, and whole ones before it were not delivered
	waiting   logging.Waiting
	progress  progress
	attempt   atomic.Int32 // the source asks too
	failing   time.Time    // since when sessions have failed
	streams   atomic.Int64 // when this session began to stream, nanoseconds since 1970; 0: not yet
	caughtUp  atomic.Bool  // what it reads now is new
	oldest    atomic.Int64 // commit time of the oldest row that the open transaction holds, microseconds since 1970; 0: none
}

// New returns a pipeline that runs once. shutdown bounds the orderly stop.
func New(cfg *configs.Pipeline, log hclog.Logger, st *status.Pipeline, shutdown time.Duration) *Pipeline {
	return &Pipeline{cfg: cfg, log: log.With("pipeline", cfg.Name), status: st, shutdown: shutdown, instance: newInstance()}
}

// Name returns the pipeline's name.
func (p *Pipeline) Name() string { return p.cfg.Name }

// Run streams until ctx ends, then drains: the open transaction is committed, the offset with it, and the
// source is told. It returns nil after an orderly stop or when the file asked for no more than a snapshot.
func (p *Pipeline) Run(ctx context.Context) error {
	for {
		err := Named(p.session(ctx), p.cfg.Name)
		if err == nil || ctx.Err() != nil && interrupted(err) {
			p.status.State(status.Stopped, "")
			return nil
		}
		if !p.again(err) {
			p.status.State(status.Failed, err.Error())
			return err
		}
		if !p.pause(ctx, err) {
			p.status.State(status.Stopped, "")
			return nil
		}
	}
}

// interrupted reports an error that a stop explains, or makes unimportant.
func interrupted(err error) bool {
	var f *outbox.Fault
	if !errors.As(err, &f) {
		return errors.Is(err, context.Canceled)
	}
	return f.Class == outbox.Transient || f.Class == outbox.Busy
}

// faultOf returns the fault in err. An error without one is ours.
func faultOf(err error) *outbox.Fault {
	var f *outbox.Fault
	if errors.As(err, &f) {
		return f
	}
	return &outbox.Fault{Code: "internal", Class: outbox.Internal, Err: err}
}

// Named puts the pipeline's name into the commands of a remedy.
func Named(err error, pipeline string) error {
	var f *outbox.Fault
	if errors.As(err, &f) && strings.Contains(f.Remedy, " NAME") {
		f.Remedy = strings.ReplaceAll(f.Remedy, " NAME", " "+pipeline)
	}
	return err
}

// again decides whether another session may end better.
func (p *Pipeline) again(err error) bool {
	f := faultOf(err)
	if f == errSingleOver {
		return true
	}
	p.status.Error(stage(f.Code), f.Code)
	switch f.Class {
	case outbox.Transient:
		if p.longEnough() {
			f.Class = outbox.Environment
			return false
		}
		return true
	case outbox.Busy:
		return true
	case outbox.Environment:
		return p.connected && !p.longEnough() // it worked before: a rotated password, a grant that was taken away for a moment
	}
	// A row that can't be published fails the whole Kafka transaction, and so does one that can't be read, behind others of its
	// database transaction. Once more, one database transaction at a time, so that all before it is delivered: the way on that
	// a fault names passes by no more than what it is about.
	if p.single || !p.withheld && !strings.HasPrefix(f.Code, "row.") {
		return false
	}
	p.single = true
	p.log.Warn("what follows can't be published: delivering what precedes it", "code", f.Code)
	return true
}

// longEnough reports whether sessions have failed for as long as the file bears it.
func (p *Pipeline) longEnough() bool {
	after := p.cfg.Source.Retry.GiveUpAfter
	return after > 0 && !p.failing.IsZero() && time.Since(p.failing) > after
}

func stage(code string) string {
	first, _, _ := strings.Cut(code, ".")
	switch first {
	case "pg", "mysql", "mariadb":
		return "source"
	case "kafka":
		return "kafka"
	}
	return "route"
}

// pause waits before the next session; false when ctx ended meanwhile.
func (p *Pipeline) pause(ctx context.Context, err error) bool {
	f := faultOf(err)
	wait := p.backoff()
	if f.Class == outbox.Busy {
		p.failing = time.Time{} // to stand by is no failure
		p.attempt.Store(0)
		p.instance = newInstance() // somebody else may write meanwhile: whoever comes back is told from whoever was replaced
	}
	p.watch(ctx, f)
	switch {
	case f == errSingleOver, f.Class == outbox.Internal, f.Class == outbox.Config, f.Class == outbox.PositionLost:
		wait = 0 // what precedes a row that can't be published is delivered at once
	case f.Code == "kafka.fenced":
		p.log.Warn("another instance took over: standing by", "code", f.Code)
		p.status.State(status.Standby, f.Error())
		return p.standAside(ctx)
	case f.Class == outbox.Busy:
		p.waiting.For(p.log, "standing by", f.Code, "code", f.Code, "error", f.Err)
		p.status.State(status.Standby, f.Error())
		wait = jitter(standbyWait)
	default:
		p.sayWaiting(f)
		p.status.State(status.Waiting, f.Error())
		p.status.Retry(stage(f.Code))
	}
	if !p.wait(ctx, wait) {
		return false
	}
	if f.Code == "kafka.stale_producer" && p.replaced(ctx) { // the broker does not always say fenced
		return p.pause(ctx, &outbox.Fault{Code: "kafka.fenced", Class: outbox.Busy, Err: f.Err})
	}
	return true
}

// replaced reports whether somebody else has written since we did.
func (p *Pipeline) replaced(ctx context.Context) bool {
	rec := p.peek(ctx)
	return rec != nil && rec.Instance != p.instance && rec.Seq > p.seen.seq
}

// standAside waits until whoever took over has written nothing for a while; false when ctx ended meanwhile. While a snapshot
// of PostgreSQL is published the database does not show that somebody works: nobody reads the slot, and its rows may have to be
// sorted before the first one comes.
func (p *Pipeline) standAside(ctx context.Context) bool {
	last, quiet := p.peek(ctx), 0
	for p.wait(ctx, jitter(fencedWait)) {
		now := p.peek(ctx)
		if last == nil || now == nil {
			return true
		}
		if quiet++; !bytes.Equal(now.Position, last.Position) { // a start that comes to nothing commits too
			quiet = 0
		}
		if quiet >= quietLooks(now) {
			return true
		}
		last = now
	}
	return false
}

func quietLooks(rec *offsets.Record) int {
	if at, err := walstream.ParsePlace(rec.Source()); err == nil && at.Snapshotting() {
		return 12 // a minute
	}
	return 1
}

// wait tells health at first and now and then that it is no more than that.
func (p *Pipeline) wait(ctx context.Context, wait time.Duration) bool {
	p.status.Beat()
	timer, beat := time.NewTimer(wait), time.NewTicker(beatEvery)
	defer timer.Stop()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-beat.C:
			p.status.Beat()
		}
	}
}

// sayWaiting says what is waited for, and again now and then: it may need a person.
func (p *Pipeline) sayWaiting(f *outbox.Fault) {
	if args := said(f); !p.waiting.For(p.log, "waiting", f.Code, args...) {
		p.waiting.Still(p.log, "still waiting", args...)
		p.log.Debug("waiting", args...) // one code has several texts
	}
}

// said is a fault as the pairs of a log line.
func said(f *outbox.Fault) []any {
	args := []any{"code", f.Code, "error", f.Err}
	if f.Remedy != "" {
		args = append(args, "remedy", f.Remedy)
	}
	return args
}

func (p *Pipeline) backoff() time.Duration {
	if p.failing.IsZero() {
		p.failing = time.Now()
	}
	r := p.cfg.Source.Retry
	wait := min(r.Initial<<min(p.attempt.Load(), 16), r.Max)
	p.attempt.Add(1)
	return jitter(wait)
}

func jitter(d time.Duration) time.Duration {
	return d*3/4 + time.Duration(mrand.Int64N(int64(d)/2+1))
}

// settled is called once a session streams and keeps at it: the waiting is over. A stream that breaks as soon as
// it begins is not.
func (p *Pipeline) settled() {
	if p.connected {
		p.status.Reconnect()
	}
	p.connected, p.failing = true, time.Time{}
	p.attempt.Store(0)
	p.waiting.Over(p.log, "going on")
}

// ExitCode is the process's exit code for what Run returned.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	switch faultOf(err).Class {
	case outbox.Config:
		return 2
	case outbox.Environment:
		return 3
	case outbox.PositionLost:
		return 4
	}
	return 1
}

var errSingleOver = &outbox.Fault{Code: "row.passed", Class: outbox.Transient, Err: fmt.Errorf("back to many transactions at a time")}
