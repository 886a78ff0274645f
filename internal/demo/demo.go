// Package demo shows the whole path on one machine, with nothing of the user's: a real PostgreSQL, a broker
// in memory, a blog that commits its rows together with outbox rows, the real pipeline between them, and a
// read_committed consumer that prints what arrives. In goes how much and how fast; out comes text for a
// person, and an error when the pipeline stopped or a committed row did not arrive. When Run returns, its
// servers, its directory and its goroutines are gone.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/pipeline"
	"outferry/status"
)

const (
	summaryEvery = 5 * time.Second
	arriveWithin = 10 * time.Second // the last rows, once the writer has ended
	drainWithin  = 5 * time.Second  // the pipeline's orderly stop
)

// Options are what a person may choose.
type Options struct {
	Rows  int     // end after so many rows have arrived; 0 is to go on until ctx ends
	Rate  float64 // rows per second, above 0
	Out   io.Writer
	Color bool
	Log   hclog.Logger // the pipeline's
}

// Run shows the demo until ctx ends, or until the rows that were asked for have arrived.
func Run(ctx context.Context, o Options) error {
	d := &demo{Options: o, screen: &screen{out: o.Out, color: o.Color}}
	err := d.run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // stopped while it was starting
	}
	if errors.Is(d.screen.err, syscall.EPIPE) {
		return nil // nobody reads any more, as in "outferry demo | head"
	}
	if err != nil {
		return err
	}
	d.screen.farewell()
	return d.screen.err
}

type demo struct {
	Options
	screen *screen
}

func (d *demo) run(ctx context.Context) (err error) {
	d.screen.starting()
	s, err := start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	conn, err := pgx.Connect(ctx, s.blogURL())
	if err != nil {
		return fmt.Errorf("connect the writer: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	file := pipelineFile(s)
	cfg, err := readPipelineFile(file)
	if err != nil {
		return err
	}
	d.screen.welcome(s, file)
	ferry := pipeline.New(cfg, d.Log, status.NewRegistry("", false).Pipeline(cfg.Name), drainWithin)
	w := &writer{conn: conn, slot: cfg.Source.Postgres.Slot, rate: d.Rate, limit: d.Rows}
	return d.play(ctx, ferry, w, s.brokers())
}

// play has the three at work: writer, pipeline and consumer. The pipeline and the consumer outlive ctx, so that
// what the writer committed last is seen to arrive.
func (d *demo) play(ctx context.Context, ferry *pipeline.Pipeline, w *writer, brokers []string) error {
	writing, stopWriting := context.WithCancel(ctx)
	ferrying, stopFerrying := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopFerrying()
	defer stopWriting()
	cl, err := consumer(brokers)
	if err != nil {
		return err
	}
	p := play{
		screen: d.screen, writer: w,
		arrived: make(chan *kgo.Record), written: make(chan error, 1), ferried: make(chan error, 1),
	}
	wg.Go(func() { p.ferried <- ferry.Run(ferrying) })
	wg.Go(func() { p.written <- w.run(writing) })
	wg.Go(func() { consume(ferrying, cl, p.arrived) })
	return p.watch()
}

// play is what the one goroutine that prints looks at.
type play struct {
	screen  *screen
	writer  *writer
	tally   tally
	arrived chan *kgo.Record
	written chan error // when the writer has ended
	ferried chan error // when the pipeline has
}

func (p *play) watch() error {
	summary := time.NewTicker(summaryEvery)
	defer summary.Stop()
	var late <-chan time.Time
	writing := true
	for writing || p.tally.events < p.writer.total {
		select {
		case r := <-p.arrived:
			p.screen.event(r, p.tally.add(r, time.Now()))
		case <-summary.C:
			p.screen.summary(p.tally.take(time.Now()), p.writer)
		case err := <-p.written:
			if err != nil {
				return fmt.Errorf("write to the blog: %w", err)
			}
			writing, late = false, time.After(arriveWithin)
		case err := <-p.ferried:
			return err
		case <-late:
			return fmt.Errorf("%d rows were committed and %d events had arrived %s after the last", p.writer.total, p.tally.events, arriveWithin)
		}
		if p.screen.err != nil {
			return p.screen.err
		}
	}
	p.screen.total(p.tally.events, p.writer)
	return nil
}
