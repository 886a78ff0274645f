package feedcheck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TrialOptions puts a workload and a check together.
type TrialOptions struct {
	Load  LoadOptions
	Check CheckOptions    // Online is made here
	Slot  string          // PostgreSQL: also sample this slot
	Stop  <-chan struct{} // optional: ends the workload, as its limits do
}

// Trial runs the workload beside an online reader and a sampler of the slot, then checks. Whoever
// calls it does the harm meanwhile: kill, pause, cut. The topics must be on the way: the pipeline is
// started before, or its slot exists.
func Trial(ctx context.Context, opts TrialOptions) (*Summary, *Report, error) {
	db, err := opts.Load.Dialect.Open(opts.Load.DSN)
	if err != nil {
		return nil, nil, fmt.Errorf("open the database: %w", err)
	}
	defer db.Close()
	w, err := startWatch(ctx, &opts, db)
	if err != nil {
		return nil, nil, err
	}
	s, report, err := w.judge(ctx, &opts, db)
	err = errors.Join(err, w.stop())
	if err == nil && w.sampler != nil {
		w.sampler.Enter(report)
	}
	return s, report, err
}

// watch is what looks on while the workload runs.
type watch struct {
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	sampler *Sampler
	mu      sync.Mutex
	err     error
}

func startWatch(ctx context.Context, opts *TrialOptions, db *sql.DB) (*watch, error) {
	c := opts.Check.defaults()
	online, err := NewOnline(c.Rules.TopicPrefix, c.Kafka...)
	if err != nil {
		return nil, err
	}
	opts.Check.Online = online
	opts.Check.Rules.JSONB = opts.Check.Rules.JSONB || opts.Load.Tables.Payload == "jsonb"
	ctx, cancel := context.WithCancel(ctx)
	w := &watch{cancel: cancel}
	w.run(func() error { return online.Run(ctx) })
	if opts.Slot != "" && c.OffsetsTopic != "-" {
		w.sampler = &Sampler{Kafka: c.Kafka, OffsetsTopic: c.OffsetsTopic, Pipeline: c.Pipeline, Confirmed: SlotConfirmed(db, opts.Slot)}
		w.run(func() error { return w.sampler.Run(ctx) })
	}
	return w, nil
}

func (w *watch) run(f func() error) {
	w.wg.Go(func() {
		err := f()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.err = errors.Join(w.err, err)
	})
}

func (w *watch) stop() error {
	w.cancel()
	w.wg.Wait()
	return w.err
}

func (w *watch) judge(ctx context.Context, opts *TrialOptions, db *sql.DB) (*Summary, *Report, error) {
	loading, end := context.WithCancel(ctx)
	defer end()
	if opts.Stop != nil {
		go func() {
			select {
			case <-opts.Stop:
				end()
			case <-loading.Done():
			}
		}()
	}
	s, err := Load(loading, opts.Load)
	if err != nil {
		return s, nil, fmt.Errorf("workload: %w", err)
	}
	o, err := Read(ctx, opts.Load.Dialect, db, opts.Load.Tables)
	if err != nil {
		return s, nil, err
	}
	for writer, acked := range s.Acked {
		for _, tx := range acked {
			o.Acked(writer, tx)
		}
	}
	report, err := Check(ctx, o, opts.Check)
	return s, report, err
}

// Brokers is what most callers put into CheckOptions.Kafka.
func Brokers(addr ...string) []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(addr...)} }
