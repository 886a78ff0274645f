package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

const writers = 8

// Pace is steady writing: transactions of PerTx rows, so that Rate rows a second come for the time.
type Pace struct {
	Name  string
	Rate  int
	PerTx int
	Warm  time.Duration // the first seconds, which do not count
	Time  time.Duration
}

// Paced writes at a pace while the subject runs, and takes the time from the return of COMMIT to the record in a read_committed consumer.
func Paced(ctx context.Context, r *Rig, e Engine, s *Shape, prefix string, p Pace, pid int) (*Run, error) {
	rows := int(float64(p.Rate) * (p.Time + p.Warm).Seconds() / float64(p.PerTx*writers))
	shape := *s
	shape.Rows = rows * p.PerTx * writers
	w := &pacedWriters{engine: e, shape: &shape, pace: p, committed: make([]int64, shape.Rows)}
	t, err := makeTopics(ctx, r.client, r.Broker, &shape, prefix)
	if err != nil {
		return nil, err
	}
	defer t.remove(context.WithoutCancel(ctx))
	arrivals := &arrivals{at: make([]int64, shape.Rows), verdict: NewVerdict(shape, prefix)}
	run := &Run{Rows: shape.Rows, Wanted: p.Rate, LoadBefore: Load()}
	asked := ctx
	ctx, cancel := context.WithTimeout(ctx, p.Time+p.Warm+2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	var read, wrote error
	all.Go(func() { read = arrivals.read(ctx, t) })
	from := usage(pid)
	began := time.Now()
	all.Go(func() {
		if wrote = w.write(ctx, began); wrote != nil {
			cancel()
		}
		run.WholeRate = float64(shape.Rows) / time.Since(began).Seconds()
	})
	all.Wait()
	to := usage(pid)
	if wrote != nil {
		return nil, fmt.Errorf("write at a pace: %w", wrote)
	}
	if asked.Err() != nil {
		return nil, asked.Err()
	}
	if err := errors.Join(read, arrivals.verdict.Err()); err != nil {
		run.Fault = err.Error()
	}
	run.percentiles(w.committed, arrivals.at, began.Add(p.Warm).UnixNano())
	run.Cores = float64(to.Subject-from.Subject) / float64(to.At.Sub(from.At))
	run.CPU = (to.Subject - from.Subject).Seconds() / (float64(shape.Rows) / 1e6)
	_, run.Memory = memory(pid)
	run.Others, run.LoadAfter = others(from, to), Load()
	return run, nil
}

func (r *Run) percentiles(committed, arrived []int64, after int64) {
	var ms []float64
	for i, at := range committed {
		if at >= after && arrived[i] > 0 {
			ms = append(ms, float64(arrived[i]-at)/1e6)
		}
	}
	if len(ms) == 0 {
		return
	}
	slices.Sort(ms)
	share := func(q float64) float64 { return max(ms[min(int(q*float64(len(ms))), len(ms)-1)], 0) }
	r.P50, r.P90, r.P99, r.P999, r.Max = share(0.50), share(0.90), share(0.99), share(0.999), ms[len(ms)-1]
}

// pacedWriters are connections that each own every eighth row, and with it its keys.
type pacedWriters struct {
	engine    Engine
	shape     *Shape
	pace      Pace
	committed []int64
}

func (w *pacedWriters) write(ctx context.Context, began time.Time) error {
	var all sync.WaitGroup
	errs := make([]error, writers)
	for n := range writers {
		all.Go(func() { errs[n] = w.one(ctx, n, began) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (w *pacedWriters) one(ctx context.Context, n int, began time.Time) error {
	insert, closeIt, err := w.engine.Writer(ctx, w.shape)
	if err != nil {
		return err
	}
	defer closeIt()
	texts := w.shape.documents()
	every := time.Duration(float64(time.Second) * float64(w.pace.PerTx*writers) / float64(w.pace.Rate))
	due := began.Add(every * time.Duration(n) / writers)
	for i := n; i < w.shape.Rows; {
		var rows []int
		for ; len(rows) < w.pace.PerTx && i < w.shape.Rows; i += writers {
			rows = append(rows, i)
		}
		time.Sleep(time.Until(due))
		due = due.Add(every)
		if err := insert(rows, texts); err != nil {
			return err
		}
		now := time.Now().UnixNano()
		for _, row := range rows {
			w.committed[row] = now
		}
	}
	return nil
}

// arrivals notes when each row was there.
type arrivals struct {
	at      []int64
	verdict *Verdict
}

func (a *arrivals) read(ctx context.Context, t *topics) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(t.broker), kgo.ConsumeTopics(t.names...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMinBytes(1))
	if err != nil {
		return err
	}
	defer cl.Close()
	for !a.verdict.Done() {
		fetched := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := fetched.Err(); err != nil {
			return err
		}
		now := time.Now().UnixNano()
		fetched.EachRecord(func(r *kgo.Record) {
			if n := a.verdict.See(r); n >= 0 {
				a.at[n] = now
			}
		})
	}
	return nil
}

// payload is the text of a row's payload.
func payloadOf(i int, texts []string) string {
	return fmt.Sprintf(`{"seq": %d, "text": "%s"}`, i, texts[i%len(texts)])
}

// inserter writes rows in one transaction.
type inserter func(rows []int, texts []string) error

func (p *postgresEngine) Writer(ctx context.Context, s *Shape) (inserter, func(), error) {
	conn, err := pgx.Connect(ctx, p.URL("app"))
	if err != nil {
		return nil, nil, err
	}
	if _, err := conn.Exec(ctx, "SET synchronous_commit = on"); err != nil {
		return nil, nil, err
	}
	statement := fmt.Sprintf("INSERT INTO outbox SELECT %s, 't'||(g %% %d), 'key-'||(g %% %d), 'created', p::jsonb FROM unnest($1::bigint[], $2::text[]) AS r(g, p)", p.id(s, "g"), s.Topics, keys)
	insert := func(rows []int, texts []string) error {
		payloads := make([]string, len(rows))
		for i, row := range rows {
			payloads[i] = payloadOf(row, texts)
		}
		_, err := conn.Exec(ctx, statement, rows, payloads)
		return err
	}
	return insert, func() { conn.Close(context.WithoutCancel(ctx)) }, nil
}

func (m *mysqlEngine) Writer(ctx context.Context, s *Shape) (inserter, func(), error) {
	own := &stand{}
	db := m.db.Connect(own, "app")
	db.SetMaxOpenConns(1)
	insert := func(rows []int, texts []string) error { return m.insert(ctx, db, s, rows, texts) }
	return insert, own.close, nil
}

func (m *mysqlEngine) insert(ctx context.Context, db *sql.DB, s *Shape, rows []int, texts []string) error {
	statement, args := "INSERT INTO outbox VALUES ", []any{}
	for i, row := range rows {
		if i > 0 {
			statement += ","
		}
		statement += fmt.Sprintf("(%s,'t%d','key-%d','created',?)", m.id(s, fmt.Sprint(row)), row%s.Topics, row%keys)
		args = append(args, payloadOf(row, texts))
	}
	_, err := db.ExecContext(ctx, statement, args...)
	return err
}

// Latency has Outferry stream while rows are written at a pace.
func (o *Outferry) Latency(ctx context.Context, p Pace) (*Run, error) {
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
	return Paced(ctx, o.rig, o.engine, o.shape, o.names[0]+".", p, process.Pid())
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
	a := &arrivals{at: make([]int64, 1), verdict: NewVerdict(*t.shape, t.prefix)}
	waiting, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := errors.Join(a.read(waiting, t), a.verdict.Err()); err != nil {
		return nil, err
	}
	run.First = time.Unix(0, a.at[0]).Sub(launched).Seconds()
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
