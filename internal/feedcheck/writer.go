package feedcheck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// writer runs the transactions of one number, one after the other, on a connection of its own.
type writer struct {
	load *loader
	w    int
	conn *sql.Conn
	name string // the server's name for the connection

	done   Outcomes
	acked  []int64
	insert map[int]string // by number of rows
	buf    []byte
}

// Outcomes counts how transactions ended, as far as their writers could tell.
type Outcomes struct {
	Committed  int64 `json:"committed"`
	RolledBack int64 `json:"rolled_back"`
	Unknown    int64 `json:"unknown"` // settled by the ledger
	Failed     int64 `json:"failed"`  // before their end, by a lost connection
	Rows       int64 `json:"rows"`    // in the committed ones
}

func (o *Outcomes) add(p Outcomes) {
	o.Committed += p.Committed
	o.RolledBack += p.RolledBack
	o.Unknown += p.Unknown
	o.Failed += p.Failed
	o.Rows += p.Rows
}

// errUnknown says that a commit was sent and not answered.
var errUnknown = errors.New("outcome unknown")

// run ends with nil when the work is done or ctx ends. A transaction that has begun is brought to
// its end all the same: one that is left hanging would hold a key that others wait for.
func (w *writer) run(ctx context.Context) error {
	defer w.drop()
	for tx := w.load.from[w.w]; w.load.next(ctx); tx++ {
		if err := w.one(context.WithoutCancel(ctx), tx); err != nil {
			return fmt.Errorf("writer %d, transaction %d: %w", w.w, tx, err)
		}
	}
	return nil
}

// one runs a transaction once. A transaction that failed is not tried again: the next number is.
func (w *writer) one(ctx context.Context, tx int64) error {
	if err := w.connect(ctx); err != nil {
		return err
	}
	t := w.load.spec.Plan(w.w, tx)
	limited, cancel := context.WithTimeout(ctx, w.load.patience())
	defer cancel()
	err := w.transact(limited, &t)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errUnknown):
		w.done.Unknown++
	case w.load.dialect.Broken(err):
		w.done.Failed++
	default:
		return err
	}
	return w.settle(ctx, &t)
}

func (w *writer) transact(ctx context.Context, t *Tx) error {
	if _, err := w.conn.ExecContext(ctx, w.load.dialect.Begin(w.branch(t))); err != nil {
		return err
	}
	versions, err := w.fill(ctx, t)
	if err != nil {
		return err
	}
	if err := w.exec(ctx, w.load.sql(w.load.tables.enter()), t.W, t.Tx, formatVersions(versions), t.digest()); err != nil {
		return err
	}
	return w.end(ctx, t)
}

// fill does everything but begin, ledger and end.
func (w *writer) fill(ctx context.Context, t *Tx) ([]int64, error) {
	versions := make([]int64, len(t.Keys))
	for i, key := range t.Keys {
		v, err := w.load.dialect.Bump(ctx, w.conn, w.load.tables, key)
		if err != nil {
			return nil, fmt.Errorf("take a key: %w", err)
		}
		versions[i] = v
	}
	kept := t.Kept()
	if err := w.rows(ctx, t, 0, kept, versions); err != nil {
		return nil, err
	}
	if kept == len(t.Rows) {
		return versions, nil
	}
	if err := w.exec(ctx, "SAVEPOINT games"); err != nil {
		return nil, err
	}
	if err := w.rows(ctx, t, kept, len(t.Rows), versions); err != nil {
		return nil, err
	}
	return versions, w.exec(ctx, "ROLLBACK TO SAVEPOINT games")
}

// rows inserts the rows from..to, by several in one statement, and deletes those that are to go.
func (w *writer) rows(ctx context.Context, t *Tx, from, to int, versions []int64) error {
	step := 1 + int(t.Tx%5)
	if to-from > 100 {
		step = 500
	}
	for ; from < to; from += step {
		n := min(step, to-from)
		if err := w.put(ctx, t, from, n, versions); err != nil {
			return fmt.Errorf("insert into the outbox: %w", err)
		}
		for row := from; row < from+n; row++ {
			if t.Rows[row].Deleted {
				if err := w.exec(ctx, w.load.sql(w.load.tables.remove()), w.load.spec.ID(Ref{t.W, t.Tx, row})); err != nil {
					return fmt.Errorf("delete from the outbox: %w", err)
				}
			}
		}
	}
	return nil
}

func (w *writer) put(ctx context.Context, t *Tx, from, n int, versions []int64) error {
	args := make([]any, 0, 5*n)
	for row := from; row < from+n; row++ {
		e := w.load.spec.route("", t, row)
		w.buf = w.load.spec.Payload(w.buf[:0], t, row, versions[t.Rows[row].Key])
		args = append(args, e.ID, e.aggregateType, e.Key, e.eventType, string(w.buf))
	}
	if w.insert[n] == "" {
		w.insert[n] = w.load.sql(w.load.tables.insert(n))
	}
	return w.exec(ctx, w.insert[n], args...)
}

func (w *writer) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.conn.ExecContext(ctx, query, args...)
	return err
}

func (w *writer) end(ctx context.Context, t *Tx) error {
	switch t.End {
	case Rollback:
		return w.rolledBack(w.exec(ctx, "ROLLBACK"))
	case PrepareCommit, PrepareRollback:
		if w.load.twoPhase {
			return w.prepared(ctx, t)
		}
		if t.End == PrepareRollback {
			return w.rolledBack(w.exec(ctx, "ROLLBACK"))
		}
	case CutBefore, CutAfter:
		w.load.dialect.CutAtCommit(w.conn, t.End == CutAfter)
		return errUnknown
	}
	return w.committed(t, w.exec(ctx, "COMMIT"))
}

func (w *writer) prepared(ctx context.Context, t *Tx) error {
	for _, q := range w.load.dialect.Prepare(w.gid(t)) {
		if err := w.exec(ctx, q); err != nil {
			return fmt.Errorf("%w: prepare: %w", errUnknown, err)
		}
	}
	err := w.exec(ctx, w.load.dialect.Finish(w.gid(t), t.End == PrepareCommit))
	if t.End == PrepareRollback {
		if err != nil {
			return fmt.Errorf("%w: roll back prepared: %w", errUnknown, err)
		}
		return w.rolledBack(nil)
	}
	return w.committed(t, err)
}

func (w *writer) rolledBack(err error) error {
	if err == nil {
		w.done.RolledBack++
	}
	return err
}

func (w *writer) committed(t *Tx, err error) error {
	if err != nil {
		return fmt.Errorf("%w: commit: %w", errUnknown, err)
	}
	w.done.Committed++
	w.done.Rows += int64(t.Kept())
	w.acked = append(w.acked, t.Tx)
	return nil
}

// branch is the gid of a transaction that is meant to be prepared, which some databases want to know
// at its beginning, and empty for any other.
func (w *writer) branch(t *Tx) string {
	if w.load.twoPhase && (t.End == PrepareCommit || t.End == PrepareRollback) {
		return w.gid(t)
	}
	return ""
}

func (w *writer) gid(t *Tx) string { return fmt.Sprintf("%s%d-%d", w.load.gids(), t.W, t.Tx) }

// settle waits until the server no longer works for the lost connection, so that whatever became of
// its transaction comes before this writer's next one, and ends what was left prepared.
func (w *writer) settle(ctx context.Context, t *Tx) error {
	lost := w.name
	w.drop()
	ctx, cancel := context.WithTimeout(ctx, w.load.patience())
	defer cancel()
	return w.load.retry(ctx, func() error {
		for {
			alive, err := w.load.dialect.Alive(ctx, w.load.db, lost)
			if err != nil {
				return err
			}
			if !alive {
				return w.load.finish(ctx, w.gid(t))
			}
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	})
}

func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	return w.load.retry(ctx, func() (err error) {
		if w.conn, err = w.load.db.Conn(ctx); err != nil {
			return err
		}
		if w.name, err = w.load.dialect.Session(ctx, w.conn); err != nil {
			w.drop()
		}
		return err
	})
}

// drop gives up the connection for good: a transaction may be open on it.
func (w *writer) drop() {
	if w.conn != nil {
		w.load.dialect.CutAtCommit(w.conn, false)
		w.conn.Close()
		w.conn = nil
	}
}
