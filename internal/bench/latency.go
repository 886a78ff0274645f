package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/bench/load"
)

// paced writes at a pace while the subject runs, and takes the time from the return of COMMIT to the record in a read_committed consumer.
func paced(ctx context.Context, r *Rig, e Engine, s *Shape, prefix string, p load.Pace, pid int) (*Run, error) {
	shape := *s
	shape.Rows = p.Rows()
	w := &load.Writers{Pace: p, Committed: make([]int64, shape.Rows), Open: func(ctx context.Context) (load.Inserter, func(), error) { return e.Writer(ctx, &shape) }}
	t, err := makeTopics(ctx, r.client, r.Broker, &shape, prefix)
	if err != nil {
		return nil, err
	}
	defer t.remove(context.WithoutCancel(ctx))
	arrivals := load.NewArrivals(shape, prefix)
	run := &Run{Rows: shape.Rows, Wanted: p.Rate, LoadBefore: Load()}
	asked := ctx
	ctx, cancel := context.WithTimeout(ctx, p.Time+p.Warm+2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	var read, wrote error
	all.Go(func() { read = t.arrive(ctx, arrivals) })
	from := usage(pid)
	began := time.Now()
	all.Go(func() {
		if pause(ctx, p.Warm) == nil {
			from = usage(pid)
		}
	})
	all.Go(func() {
		if wrote = w.Write(ctx, began); wrote != nil {
			cancel()
		}
		run.WholeRate = float64(shape.Rows) / time.Since(began).Seconds()
	})
	all.Wait()
	to := usage(pid)
	switch {
	case asked.Err() != nil:
		return nil, asked.Err()
	case wrote != nil:
		return nil, fmt.Errorf("write at a pace: %w", wrote)
	}
	if run.WholeRate < 0.95*float64(p.Rate) {
		wrote = fmt.Errorf("only %.0f rows a second could be written", run.WholeRate)
	}
	if read = errors.Join(read, wrote, arrivals.Verdict.Err()); read == nil {
		read = t.readBack(ctx, run)
	}
	if read != nil {
		run.Fault = read.Error()
	}
	q := load.Latencies(w.Committed, arrivals.At, began.Add(p.Warm))
	run.P50, run.P90, run.P99, run.P999, run.Max = q.P50, q.P90, q.P99, q.P999, q.Max
	run.Cores = float64(to.Subject-from.Subject) / float64(to.At.Sub(from.At))
	million := float64(p.Rate) * p.Time.Seconds() / 1e6 // rows behind the warm-up
	run.CPU = (to.Subject - from.Subject).Seconds() / million
	run.BrokerCPU, run.DBCPU = (to.Broker-from.Broker).Seconds()/million, (to.DB-from.DB).Seconds()/million
	_, run.Memory = memory(pid)
	run.Others, run.LoadAfter = others(from, to), Load()
	return run, nil
}

// arrive reads as an application would.
func (t *topics) arrive(ctx context.Context, a *load.Arrivals) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(t.broker), kgo.ConsumeTopics(t.names...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond), kgo.FetchMinBytes(1))
	if err != nil {
		return err
	}
	defer cl.Close()
	return a.Read(ctx, cl)
}

// Latency has Outferry stream while rows are written at a pace.
func (o *Outferry) Latency(ctx context.Context, p load.Pace) (*Run, error) {
	if err := o.Setup(ctx, 1); err != nil {
		return nil, err
	}
	process, ready, err := o.launch(o.names[0])
	if err != nil {
		return nil, err
	}
	defer process.Kill()
	if err := waitReady(ctx, ready, process); err != nil {
		return nil, err
	}
	return paced(ctx, o.rig, o.engine, o.shape, o.names[0]+".", p, process.Pid())
}

// Cold starts Outferry with slot and position present and one row waiting.
func (o *Outferry) Cold(ctx context.Context, rounds int) (runs []*Run, err error) {
	s := *o.shape
	s.Rows = 1
	one := *o
	one.shape = &s
	if err := one.Setup(ctx, rounds); err != nil {
		return nil, err
	}
	if err := o.engine.Load(ctx, &s, 0, 1); err != nil {
		return nil, err
	}
	for round := range rounds {
		run, err := one.cold(ctx, round)
		if err != nil {
			return runs, err
		}
		run.Round = round
		runs = append(runs, run)
	}
	return runs, nil
}

func (o *Outferry) cold(ctx context.Context, round int) (*Run, error) {
	name := o.names[round]
	t, err := makeTopics(ctx, o.rig.client, o.rig.Broker, o.shape, name+".")
	if err != nil {
		return nil, err
	}
	defer t.remove(context.WithoutCancel(ctx))
	launched := time.Now()
	p, _, err := o.launch(name)
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	run, err := firstEvent(ctx, t, p.Pid(), launched)
	if err != nil {
		return nil, err
	}
	return run, p.Stop(syscall.SIGTERM, time.Minute)
}

// firstEvent waits for the one row of a shape.
func firstEvent(ctx context.Context, t *topics, pid int, launched time.Time) (*Run, error) {
	run := &Run{Rows: 1, LoadBefore: Load()}
	from := usage(pid)
	a := load.NewArrivals(*t.shape, t.prefix)
	waiting, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := errors.Join(t.arrive(waiting, a), a.Verdict.Err()); err != nil {
		return nil, err
	}
	run.First = time.Unix(0, a.At[0]).Sub(launched).Seconds()
	to := usage(pid)
	run.Seconds = to.Subject.Seconds()
	_, run.Memory = memory(pid)
	run.Others, run.LoadAfter = others(from, to), Load()
	return run, nil
}

// Idle looks at Outferry when nothing is written.
func (o *Outferry) Idle(ctx context.Context, d time.Duration) (*Run, error) {
	if err := o.Setup(ctx, 1); err != nil {
		return nil, err
	}
	p, ready, err := o.launch(o.names[0])
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	if err := waitReady(ctx, ready, p); err != nil {
		return nil, err
	}
	return idle(ctx, p.Pid(), d)
}

// idle measures after a moment in which the start ebbs away.
func idle(ctx context.Context, pid int, d time.Duration) (*Run, error) {
	run := &Run{LoadBefore: Load()}
	if err := pause(ctx, 5*time.Second); err != nil {
		return nil, err
	}
	from := usage(pid)
	if err := pause(ctx, d); err != nil {
		return nil, err
	}
	to := usage(pid)
	run.Cores = float64(to.Subject-from.Subject) / float64(to.At.Sub(from.At))
	run.Memory, _ = memory(pid)
	run.Others, run.LoadAfter = others(from, to), Load()
	return run, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
