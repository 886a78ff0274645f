package load

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// writers is how many connections write, so that rows commit side by side.
const writers = 8

// Pace is steady writing: transactions of PerTx rows, so that Rate rows a second come for the time.
type Pace struct {
	Name  string
	Rate  int
	PerTx int
	Warm  time.Duration // the first seconds, which do not count
	Time  time.Duration
}

// Rows is how many that makes.
func (p Pace) Rows() int {
	each := int(float64(p.Rate) * (p.Time + p.Warm).Seconds() / float64(p.PerTx*writers))
	return max(each, 1) * p.PerTx * writers
}

// Inserter writes rows in one transaction.
type Inserter func(ctx context.Context, rows []int) error

// Writers are connections that each own every eighth row, and with it its keys, so that the order of the commits is known for each key.
type Writers struct {
	Open      func(ctx context.Context) (insert Inserter, done func(), err error)
	Pace      Pace
	Committed []int64 // when COMMIT returned, by row; nanoseconds
}

// Write begins at a moment and goes on until all rows are written. A rate of 0 is as fast as it goes.
func (w *Writers) Write(ctx context.Context, began time.Time) error {
	var all sync.WaitGroup
	errs := make([]error, writers)
	for n := range writers {
		all.Go(func() { errs[n] = w.one(ctx, n, began) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (w *Writers) one(ctx context.Context, n int, began time.Time) error {
	insert, done, err := w.Open(ctx)
	if err != nil {
		return err
	}
	defer done()
	var every time.Duration
	if w.Pace.Rate > 0 {
		every = time.Duration(float64(time.Second) * float64(w.Pace.PerTx*writers) / float64(w.Pace.Rate))
	}
	due := began.Add(every * time.Duration(n) / writers)
	for i := n; i < len(w.Committed); {
		var rows []int
		for ; len(rows) < w.Pace.PerTx && i < len(w.Committed); i += writers {
			rows = append(rows, i)
		}
		time.Sleep(time.Until(due))
		due = due.Add(every)
		if err := insert(ctx, rows); err != nil {
			return err
		}
		now := time.Now().UnixNano()
		for _, row := range rows {
			w.Committed[row] = now
		}
	}
	return nil
}

// Arrivals notes when each row was there.
type Arrivals struct {
	At      []int64 // by row; nanoseconds
	Verdict *Verdict

	next map[place]int64 // offsets
}

type place struct {
	topic     string
	partition int32
}

// NewArrivals expects the rows of a shape.
func NewArrivals(s Shape, prefix string) *Arrivals {
	return &Arrivals{At: make([]int64, s.Rows), Verdict: NewVerdict(s, prefix), next: map[place]int64{}}
}

// Read consumes until every row has been seen.
func (a *Arrivals) Read(ctx context.Context, cl *kgo.Client) error {
	return a.until(ctx, cl, a.Verdict.Done)
}

// ReadOn reads what the topics hold besides, up to these ends: a row that came twice may be there.
func (a *Arrivals) ReadOn(ctx context.Context, cl *kgo.Client, ends kadm.ListedOffsets) error {
	return a.until(ctx, cl, func() bool { return a.reached(ends) })
}

func (a *Arrivals) until(ctx context.Context, cl *kgo.Client, done func() bool) error {
	for !done() {
		fetched := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fetched.Err(); err != nil {
			return err
		}
		a.take(fetched)
	}
	return nil
}

func (a *Arrivals) reached(ends kadm.ListedOffsets) bool {
	done := true
	ends.Each(func(o kadm.ListedOffset) { done = done && a.next[place{o.Topic, o.Partition}] >= o.Offset })
	return done
}

// take judges records. The ends of transactions, where the client keeps them, are none.
func (a *Arrivals) take(fetched kgo.Fetches) {
	now := time.Now().UnixNano()
	fetched.EachPartition(func(p kgo.FetchTopicPartition) {
		for _, r := range p.Records {
			if r.Attrs.IsControl() {
				continue
			}
			if n := a.Verdict.See(r); n >= 0 {
				a.At[n] = now
			}
		}
		if n := len(p.Records); n > 0 {
			a.next[place{p.Topic, p.Partition}] = p.Records[n-1].Offset + 1
		}
	})
}

// Quantiles are latencies in milliseconds.
type Quantiles struct{ P50, P90, P99, P999, Max float64 }

// Latencies are from the return of COMMIT to the arrival, of rows that were committed after a moment.
func Latencies(committed, arrived []int64, after time.Time) Quantiles {
	var ms []float64
	for i, at := range committed {
		if at >= after.UnixNano() && arrived[i] > 0 {
			ms = append(ms, max(float64(arrived[i]-at)/1e6, 0))
		}
	}
	if len(ms) == 0 {
		return Quantiles{}
	}
	slices.Sort(ms)
	share := func(q float64) float64 { return ms[min(int(q*float64(len(ms))), len(ms)-1)] }
	return Quantiles{share(0.50), share(0.90), share(0.99), share(0.999), ms[len(ms)-1]}
}
