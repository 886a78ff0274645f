package feedcheck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// LoadOptions says what to write, where, and for how long.
type LoadOptions struct {
	Dialect Dialect
	DSN     string
	Tables  Tables
	Spec    Spec

	Transactions int64         // of all writers together; 0 is no limit
	Duration     time.Duration // 0 is no limit
	Rate         float64       // transactions a second; 0 is as fast as the database goes
	Patience     time.Duration // how long the database may be away; 60 s when zero
}

// Summary is what a Load did.
type Summary struct {
	Outcomes
	Took     time.Duration `json:"took"`
	TwoPhase bool          `json:"two_phase"`
	Acked    [][]int64     `json:"-"` // by writer: transactions whose commit the database acknowledged
}

type loader struct {
	opts     LoadOptions
	dialect  Dialect
	tables   Tables
	spec     Spec
	db       *sql.DB
	twoPhase bool
	from     []int64 // by writer

	begun   atomic.Int64
	started time.Time
}

// Load makes the tables that are missing and runs the writers until the limit, or ctx, ends them. It
// may be started again on the same tables with the same Spec. A database that goes away and comes
// back is part of the plan; one that stays away is an error.
func Load(ctx context.Context, opts LoadOptions) (*Summary, error) {
	l, err := newLoader(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer l.db.Close()
	l.started = time.Now()
	writers, err := l.work(ctx)
	// What ends the workload must not end the clearing up.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.patience())
	defer cancel()
	err = errors.Join(err, l.retry(clean, func() error { return l.finish(clean, "") }))
	s := &Summary{Took: time.Since(l.started), TwoPhase: l.twoPhase}
	for _, w := range writers {
		s.add(w.done)
		s.Acked = append(s.Acked, w.acked)
	}
	return s, err
}

func newLoader(ctx context.Context, opts LoadOptions) (*loader, error) {
	l := &loader{opts: opts, dialect: opts.Dialect, tables: opts.Tables.defaults(), spec: opts.Spec}
	if err := errors.Join(l.spec.check(), l.tables.check()); err != nil {
		return nil, err
	}
	var err error
	if l.db, err = l.dialect.Open(opts.DSN); err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	l.db.SetMaxOpenConns(l.spec.Writers + 2)
	if err := l.prepare(ctx); err != nil {
		l.db.Close()
		return nil, err
	}
	return l, nil
}

func (l *loader) prepare(ctx context.Context) (err error) {
	if err := Prepare(ctx, l.dialect, l.db, l.tables); err != nil {
		return err
	}
	if err := l.remember(ctx); err != nil {
		return err
	}
	if err := l.finish(ctx, ""); err != nil {
		return err
	}
	if l.twoPhase, err = l.dialect.TwoPhase(ctx, l.db); err != nil {
		return err
	}
	l.from = make([]int64, l.spec.Writers)
	for w := range l.from {
		var last sql.NullInt64
		if err := l.db.QueryRowContext(ctx, l.sql("SELECT max(tx) FROM "+l.tables.Prefix+"_ledger WHERE w = ?"), w).Scan(&last); err != nil {
			return fmt.Errorf("read the ledger: %w", err)
		}
		if last.Valid {
			l.from[w] = last.Int64 + restartGap/2
		}
	}
	return nil
}

// Prepare makes the tables that are missing.
func Prepare(ctx context.Context, d Dialect, db *sql.DB, t Tables) error {
	t = t.defaults()
	if err := t.check(); err != nil {
		return err
	}
	for _, q := range d.Tables(t) {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("make tables: %w", err)
		}
	}
	return nil
}

func (l *loader) work(ctx context.Context) ([]*writer, error) {
	if l.opts.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.opts.Duration)
		defer cancel()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	writers := make([]*writer, l.spec.Writers)
	var wg sync.WaitGroup
	for i := range writers {
		w := &writer{load: l, w: i, insert: map[int]string{}}
		writers[i] = w
		wg.Go(func() {
			if err := w.run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	err := context.Cause(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = nil
	}
	return writers, err
}

// next waits for the turn of one more transaction; false when there is none.
func (l *loader) next(ctx context.Context) bool {
	n := l.begun.Add(1)
	if l.opts.Transactions > 0 && n > l.opts.Transactions {
		return false
	}
	if l.opts.Rate > 0 {
		due := l.started.Add(time.Duration(float64(n-1) / l.opts.Rate * float64(time.Second)))
		if d := time.Until(due); d > 0 && pause(ctx, d) != nil {
			return false
		}
	}
	return ctx.Err() == nil
}

func (l *loader) patience() time.Duration {
	if l.opts.Patience > 0 {
		return l.opts.Patience
	}
	return time.Minute
}

// retry calls f until it works or the database has been away for too long.
func (l *loader) retry(ctx context.Context, f func() error) error {
	for deadline := time.Now().Add(l.patience()); ; {
		err := f()
		if err == nil || !l.dialect.Broken(err) || ctx.Err() != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the database stays away: %w", err)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func (l *loader) sql(q string) string { return l.dialect.Place(q) }

func (l *loader) gids() string {
	return "feed-" + l.tables.Prefix + "-" + strconv.FormatUint(uint64(l.spec.tag()), 16) + "-"
}

// finish ends the transaction that was left prepared under the name, or all of this run's, as planned.
func (l *loader) finish(ctx context.Context, only string) error {
	left, err := l.dialect.Prepared(ctx, l.db, l.gids()+strings.TrimPrefix(only, l.gids()))
	if err != nil {
		return fmt.Errorf("look for prepared transactions: %w", err)
	}
	for _, gid := range left {
		var w int
		var tx int64
		if only != "" && gid != only {
			continue
		}
		if _, err := fmt.Sscanf(strings.TrimPrefix(gid, l.gids()), "%d-%d", &w, &tx); err != nil {
			return fmt.Errorf("prepared transaction %s: %w", gid, err)
		}
		t := l.spec.Plan(w, tx)
		if _, err := l.db.ExecContext(ctx, l.dialect.Finish(gid, t.End == PrepareCommit)); err != nil {
			return fmt.Errorf("end prepared transaction %s: %w", gid, err)
		}
	}
	return nil
}
