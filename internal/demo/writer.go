package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// writer is the service: it commits business rows and outbox rows together, or rolls both back.
type writer struct {
	conn  *pgx.Conn
	slot  string
	rate  float64
	limit int // rows; 0 is none

	committed  atomic.Int64 // outbox rows
	rolledBack atomic.Int64 // transactions
	post       int64        // the newest

	total int // of the outbox at the end, somebody else's rows included; read it when run has returned
}

const (
	postSQL    = `INSERT INTO posts (author, title) VALUES ($1, $2) RETURNING id`
	commentSQL = `INSERT INTO comments (post_id, author, body) VALUES ($1, $2, $3) RETURNING id`
	outboxSQL  = `INSERT INTO outbox (aggregatetype, aggregateid, type, payload) VALUES ($1, $2, $3, $4)`
)

var (
	titles   = []string{"Ferries of the north", "What a tide table leaves out", "Knots, and when to use them", "A harbour at five in the morning"}
	authors  = []string{"Ada", "Grace", "Edsger", "Barbara", "Ken"}
	comments = []string{"Thank you for this.", "I read it twice.", "Is there a second part?", "The map was the best of it.", "Hm, not sure about the last line."}
)

// run writes until ctx ends or the limit is reached. It starts when the pipeline streams: earlier rows would
// arrive too, with the snapshot, but their latency would tell of the start.
func (w *writer) run(ctx context.Context) error {
	if err := w.awaitSlot(ctx); err != nil {
		return ended(ctx, err)
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.rate))
	defer tick.Stop()
	for n := 0; ctx.Err() == nil && w.room() > 0; n++ {
		rows, err := w.scene(ctx, n)
		if err != nil {
			return err
		}
		for range max(rows, 1) {
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}
	return w.conn.QueryRow(context.WithoutCancel(ctx), "SELECT count(*) FROM outbox").Scan(&w.total)
}

// ended takes the end of ctx for no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (w *writer) awaitSlot(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var streaming bool
		err := w.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active)", w.slot).Scan(&streaming)
		if err != nil || streaming {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *writer) room() int {
	if w.limit == 0 {
		return 2
	}
	return w.limit - int(w.committed.Load())
}

// errRollback is the business saying no.
var errRollback = errors.New("roll back")

// scene is one transaction: of six, one publishes a post with a comment, one is rolled back, four comment. It
// returns how many outbox rows were committed, and is never cut in the middle, so that this is certain.
func (w *writer) scene(ctx context.Context, n int) (rows int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		rows = 0
		if n%6 == 0 {
			if err := w.publish(ctx, tx, n/6); err != nil {
				return err
			}
			rows++
		}
		if n%6 != 0 || w.room() > 1 {
			if err := w.comment(ctx, tx, n); err != nil {
				return err
			}
			rows++
		}
		if n%6 == 3 {
			return errRollback
		}
		return nil
	})
	if errors.Is(err, errRollback) {
		w.rolledBack.Add(1)
		return 0, nil
	}
	if err == nil {
		w.committed.Add(int64(rows))
	}
	return rows, err
}

func (w *writer) publish(ctx context.Context, tx pgx.Tx, n int) error {
	author, title := authors[n%len(authors)], titles[n%len(titles)]
	if err := tx.QueryRow(ctx, postSQL, author, title).Scan(&w.post); err != nil {
		return fmt.Errorf("insert a post: %w", err)
	}
	return event(ctx, tx, "post", w.post, "PostPublished", map[string]any{"id": w.post, "author": author, "title": title})
}

func (w *writer) comment(ctx context.Context, tx pgx.Tx, n int) error {
	var id int64
	author, body := authors[(n+2)%len(authors)], comments[n%len(comments)]
	if err := tx.QueryRow(ctx, commentSQL, w.post, author, body).Scan(&id); err != nil {
		return fmt.Errorf("insert a comment: %w", err)
	}
	return event(ctx, tx, "comment", id, "CommentAdded", map[string]any{"id": id, "postId": w.post, "author": author, "body": body})
}

// event is the line that makes a service reliable: same transaction, one more insert.
func event(ctx context.Context, tx pgx.Tx, aggregate string, id int64, kind string, payload map[string]any) error {
	if _, err := tx.Exec(ctx, outboxSQL, aggregate, strconv.FormatInt(id, 10), kind, payload); err != nil {
		return fmt.Errorf("insert into the outbox: %w", err)
	}
	return nil
}
