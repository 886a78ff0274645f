package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// writer is the people who use the blog: they publish posts at one service and comment on them at the other.
type writer struct {
	conn           *pgx.Conn // to look, not to write
	client         *http.Client
	post, comments string // where the services answer
	slot           string
	rate           float64
	limit          int // rows; 0 is none

	committed atomic.Int64 // outbox rows
	refused   atomic.Int64 // comments
	newest    int64        // post

	total   int // of both outboxes at the end, somebody else's rows included; read it when run has returned
	counted int // comments, by Post
	held    int // comments, by Comments
}

var (
	titles  = []string{"Ferries of the north", "What a tide table leaves out", "Knots, and when to use them", "A harbour at five in the morning"}
	authors = []string{"Ada", "Grace", "Edsger", "Barbara", "Ken"}
	remarks = []string{"Thank you for this.", "I read it twice.", "Is there a second part?", "The map was the best of it.", "Hm, not sure about the last line."}
)

const (
	requestWithin = 10 * time.Second
	noPost        = 404404 // commented on, and never published
)

// run writes until ctx ends or the limit is reached. It starts when the pipeline streams: earlier rows would
// arrive too, with the snapshot, but their latency would tell of the start.
func (w *writer) run(ctx context.Context) error {
	if err := w.await(ctx, w.streaming); err != nil {
		return ended(ctx, err)
	}
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.rate))
	defer tick.Stop()
	for n := 0; ctx.Err() == nil && (w.limit == 0 || int(w.committed.Load()) < w.limit); n++ {
		if err := w.scene(ctx, n); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return w.account(context.WithoutCancel(ctx))
}

// ended takes the end of ctx for no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// await asks until the answer is yes.
func (w *writer) await(ctx context.Context, yes func(context.Context) (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := yes(ctx); err != nil || ok {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *writer) streaming(ctx context.Context) (active bool, err error) {
	err = w.conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active)", w.slot).Scan(&active)
	return active, err
}

func (w *writer) serving(ctx context.Context) (bool, error) {
	return healthy(ctx, w.client, w.post) && healthy(ctx, w.client, w.comments), nil
}

// scene is one request: of six, one publishes a post, one comments where there is none, four comment on the
// newest post. It is never cut in the middle, so that what was committed is certain.
func (w *writer) scene(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestWithin)
	defer cancel()
	switch n % 6 {
	case 0:
		return w.publish(ctx, n/6)
	case 3:
		status, err := w.comment(ctx, noPost, n)
		if err == nil && status == http.StatusNotFound {
			w.refused.Add(1)
		}
		return err
	}
	// Comments hears of the post from Kafka, so the first comment may have to wait for the news.
	err := w.await(ctx, func(ctx context.Context) (bool, error) {
		status, err := w.comment(ctx, w.newest, n)
		return status != http.StatusNotFound, err
	})
	if err != nil {
		return fmt.Errorf("comment on post %d: %w", w.newest, err)
	}
	return nil
}

func (w *writer) publish(ctx context.Context, n int) error {
	var post struct{ ID int64 }
	status, err := w.send(ctx, w.post+"/posts", map[string]string{"author": authors[n%len(authors)], "title": titles[n%len(titles)]}, &post)
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return fmt.Errorf("publish a post: %w", err)
	}
	w.newest = post.ID
	w.committed.Add(1)
	return nil
}

// comment counts what was committed; "not found" is an answer.
func (w *writer) comment(ctx context.Context, post int64, n int) (status int, err error) {
	in := map[string]string{"author": authors[(n+2)%len(authors)], "body": remarks[n%len(remarks)]}
	status, err = w.send(ctx, fmt.Sprintf("%s/posts/%d/comments", w.comments, post), in, nil)
	switch {
	case err != nil:
	case status == http.StatusCreated:
		w.committed.Add(1)
	case status != http.StatusNotFound:
		err = fmt.Errorf("status %d", status)
	}
	return status, err
}

func (w *writer) send(ctx context.Context, url string, in, out any) (status int, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	response, err := w.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if out == nil || response.StatusCode >= 300 {
		_, err = io.Copy(io.Discard, response.Body) // so that the connection is used again
		return response.StatusCode, err
	}
	return response.StatusCode, json.NewDecoder(response.Body).Decode(out)
}

// account counts at the end, from the tables.
func (w *writer) account(ctx context.Context) error {
	return w.conn.QueryRow(ctx, "SELECT (SELECT count(*) FROM post.outbox) + (SELECT count(*) FROM comments.outbox)").Scan(&w.total)
}

// agreed reports whether Post has counted what Comments holds. It has, a moment after the last event arrived.
func (w *writer) agreed(ctx context.Context) (bool, error) {
	err := w.conn.QueryRow(ctx, "SELECT (SELECT coalesce(sum(comment_count), 0) FROM post.posts), (SELECT count(*) FROM comments.comments)").
		Scan(&w.counted, &w.held)
	return w.counted == w.held, err
}
