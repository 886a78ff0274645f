package pipeline

import (
	"context"
	"fmt"
	"sync"

	"outferry/offsets"
	"outferry/outbox"
	"outferry/router"
	"outferry/sink"
)

// session is one attempt, from the look at the source to whatever ends it.
func (p *Pipeline) session(ctx context.Context) error {
	p.streams.Store(0)
	p.oldest.Store(0)
	p.status.Stalled("") // of a session that broke, if it was
	p.caughtUp.Store(false)
	p.withheld = false
	src := p.source()
	rt, err := router.New(p.cfg.Router, p.cfg.Encoding)
	if err != nil {
		return err
	}
	rt.Forbid(p.cfg.Offsets.Topic)
	tables, err := src.Look(ctx)
	if err != nil {
		return err
	}
	p.status.Beat()
	misfit := p.fits(rt, tables)
	sk, err := sink.Open(ctx, p.cfg, p.log, p.status.KafkaHook())
	if err != nil {
		return err
	}
	defer func() {
		p.seen.topics = max(p.seen.topics, sk.Made)
		sk.Close()
	}()
	f := &ferry{Pipeline: p, sink: sk, src: src, router: rt, plans: map[*outbox.Table]*router.Plan{}, counting: map[string]int{}}
	if err := f.load(ctx); err != nil {
		return err
	}
	if misfit != nil {
		if f.rec.Source().IsZero() {
			return misfit
		}
		p.log.Warn("the table no longer has what the file routes by: delivering what was committed before", "error", misfit)
		f.misfit = misfit
	}
	return f.overtaken(ctx, f.sail(ctx))
}

// overtaken looks again where a first start met what it has no record of. Of two at once one is fenced by the other, and
// notices only when it writes: by then it may have found the other's slot.
func (f *ferry) overtaken(ctx context.Context, err error) error {
	if err == nil || !f.rec.Source().IsZero() || faultOf(err).Class != outbox.PositionLost {
		return err
	}
	if rec, look := f.store.Load(ctx); look != nil || rec == nil {
		return err
	}
	return &outbox.Fault{Code: "kafka.fenced", Class: outbox.Busy, Err: fmt.Errorf("another instance began while this one made its first start: %w", err)}
}

// fits finds a wrong column name before the first row does.
func (p *Pipeline) fits(rt *router.Router, tables []*outbox.Table) error {
	for _, t := range tables {
		plan, err := rt.Plan(t)
		if err != nil {
			return err
		}
		if what := plan.Recognised(); what != "" && !p.connected {
			p.log.Info("columns recognised", "table", t.String(), "columns", what)
		}
	}
	return nil
}

// load reads the offset that the fenced-off past left, and checks that it may be continued with this file.
func (f *ferry) load(ctx context.Context) error {
	f.store = NewStore(f.Pipeline.cfg, f.sink.Client())
	rec, err := f.newest(ctx)
	if err != nil {
		return err
	}
	if err := f.refuseRemoved(rec); err != nil {
		return err
	}
	f.rec = offsets.Record{Version: offsets.Version, Pipeline: f.cfg.Name, Instance: f.instance, Config: f.cfg.Hash()}
	if rec == nil {
		f.sink.Made = f.seen.topics
		f.log.Info("first start", "snapshot", f.cfg.Source.Snapshot)
		return nil
	}
	if rec.Partial && rec.Config != f.rec.Config {
		return &outbox.Fault{Code: "config.changed_inside_transaction", Class: outbox.Config,
			Err:    fmt.Errorf("router, encoding or tables changed while a large database transaction is published in part"),
			Remedy: "start with the former settings until it is through, then change them"}
	}
	rec.Version, rec.Config = f.rec.Version, f.rec.Config
	rec.Topics = max(rec.Topics, f.seen.topics) // of transactions that did not land: the next process would make as many again
	if err := f.restate(ctx, rec); err != nil {
		return err
	}
	f.rec, f.sink.Made, f.seen.seq = *rec, rec.Topics, rec.Seq
	if !f.connected {
		f.status.DeliveredUpTo(rec.At) // and nothing that the database has committed since
	}
	return nil
}

// restate commits the record as the first of this session: the fence made the transactional id forget that it has committed, and it
// is the witness of a topic that is lost before the next commit. Where a partition did not say what hangs in it the record keeps its
// epoch, by which that is judged later.
func (f *ferry) restate(ctx context.Context, rec *offsets.Record) error {
	f.seen.seq, rec.Instance = rec.Seq, f.instance
	if f.sink.PassedOver() {
		return nil
	}
	rec.Seq++
	return f.sink.CommitAlone(ctx, f.store.Record(rec.Marshal()))
}

// newest fences older instances and finds the newest offset record. What hangs of transactions is ended before it
// is believed.
func (f *ferry) newest(ctx context.Context) (*offsets.Record, error) {
	if err := f.store.Open(ctx); err != nil {
		return nil, err
	}
	topic, partition := f.store.Place()
	f.status.Beat()
	if err := f.sink.Fence(ctx, topic, partition); err != nil {
		return nil, err
	}
	f.status.Beat()
	f.store.Committed = f.sink.HasCommitted(f.seen.fences)
	f.seen.fences++
	rec, err := f.store.Load(ctx)
	if err != nil {
		return nil, err
	}
	return rec, mendEvents(ctx, f.sink, rec)
}

// mendEvents ends what hangs of events behind a fence, as the newest record says.
func mendEvents(ctx context.Context, s *sink.Sink, rec *offsets.Record) error {
	if rec == nil {
		return s.MendEvents(ctx, -1, 0)
	}
	return s.MendEvents(ctx, rec.Producer, rec.ProducerEpoch)
}

// sail runs the source and ferries its batches until one of both ends.
func (f *ferry) sail(ctx context.Context) error {
	srcCtx, stopSource := context.WithCancel(context.WithoutCancel(ctx)) // ended after the drain, not before
	defer stopSource()
	out := make(chan *outbox.Batch, 64) // small batches of a busy moment; the pool bounds their bytes
	ended := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { ended <- f.src.Run(srcCtx, f.rec.Source(), out) })
	wg.Go(func() { f.watchKafka(srcCtx) })
	err := f.sealed(srcCtx, func() error { return f.loop(ctx, out, ended) })
	stopSource()
	wg.Wait()
	return err
}

// sealed runs a loop that commits, and confirms what it committed.
func (f *ferry) sealed(ctx context.Context, loop func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f.seal = newSeal(f)
	var wg sync.WaitGroup
	wg.Go(func() { f.seal.run(ctx) })
	err := loop()
	stop()
	wg.Wait()
	return err
}
