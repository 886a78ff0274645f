// Package demo shows the whole path on one machine, with nothing of the user's: a real PostgreSQL, a broker
// in memory, the two services of examples/go that commit their rows together with outbox rows and follow each
// other's events, the real pipeline between them, and a read_committed consumer that prints what arrives. In goes how much and how fast; out comes text for a
// person, and an error when the pipeline stopped or a committed row did not arrive. When Run returns, its
// servers, its directory and its goroutines are gone.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	agreeWithin  = 3 * time.Second  // the services; somebody else's rows may keep them apart
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
	b, err := newBlog(s, d.Log)
	if err != nil {
		return err
	}
	defer b.close()
	file := pipelineFile(s)
	cfg, err := readPipelineFile(file)
	if err != nil {
		return err
	}
	d.screen.welcome(s, b, file)
	w := &writer{
		conn: conn, client: &http.Client{Transport: &http.Transport{}}, post: b.post(), comments: b.comments(),
		slot: cfg.Source.Postgres.Slot, rate: d.Rate, limit: d.Rows,
	}
	defer w.client.CloseIdleConnections()
	ferry := pipeline.New(cfg, d.Log, status.NewRegistry("", false).Pipeline(cfg.Name), drainWithin)
	return d.play(ctx, b, ferry, w, s.brokers())
}

// play has all at work: services, pipeline, writer and consumer. All but the writer outlive ctx, so that what
// was committed last is seen to arrive.
func (d *demo) play(ctx context.Context, b *blog, ferry *pipeline.Pipeline, w *writer, brokers []string) error {
	writing, stopWriting := context.WithCancel(ctx)
	lasting, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	defer stopWriting()
	cl, err := consumer(brokers)
	if err != nil {
		return err
	}
	p := play{
		screen: d.screen, writer: w,
		arrived: make(chan *kgo.Record), written: make(chan error, 1), ended: make(chan error, 2),
	}
	wg.Go(func() { p.ended <- b.run(lasting) })
	wg.Go(func() { consume(lasting, cl, p.arrived) })
	wg.Go(func() {
		if err := w.await(writing, w.serving); err != nil { // there is nothing to ferry before the tables are made
			p.written <- ended(writing, err)
			return
		}
		wg.Go(func() { p.ended <- ferry.Run(lasting) })
		p.written <- w.run(writing)
	})
	return p.watch(lasting)
}

// play is what the one goroutine that prints looks at.
type play struct {
	screen  *screen
	writer  *writer
	tally   tally
	arrived chan *kgo.Record
	written chan error // when the writer has ended
	ended   chan error // when the pipeline or the services have
}

func (p *play) watch(ctx context.Context) error {
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
		case err := <-p.ended:
			return err
		case <-late:
			return fmt.Errorf("%d rows were committed and %d events had arrived %s after the last", p.writer.total, p.tally.events, arriveWithin)
		}
		if p.screen.err != nil {
			return p.screen.err
		}
	}
	p.screen.total(p.tally.events, p.writer)
	if p.tally.events == 0 {
		return nil // ended before there were tables
	}
	ctx, cancel := context.WithTimeout(ctx, agreeWithin)
	defer cancel()
	if err := p.writer.await(ctx, p.writer.agreed); err != nil && ctx.Err() == nil {
		return fmt.Errorf("compare the services: %w", err)
	}
	p.screen.services(p.writer)
	return nil
}
