// Package commentservice is the service Comments: people comment on posts. Each comment and the event that
// tells of it are committed together. Which posts exist it knows from the events of Post, and from nowhere
// else: a comment on a post that it has not heard of, or that was deleted, is refused.
package commentservice

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"outferry/examples/go/database"
	"outferry/examples/go/outbox"
	"outferry/examples/go/service"
)

var (
	//go:embed postgres.sql
	postgresSQL string
	//go:embed mysql.sql
	mysqlSQL string
)

// New puts the service together.
func New(db *database.DB) service.Service {
	c := &comments{db: db}
	return service.Service{
		Name:    "comments",
		Schema:  database.Schema{Postgres: postgresSQL, MySQL: mysqlSQL},
		Routes:  c.routes,
		Follows: "outbox.event.post",
		Handle:  c.handle,
	}
}

type comments struct{ db *database.DB }

// Comment is a comment as clients and events have it.
type Comment struct {
	ID     int64  `json:"id"`
	PostID int64  `json:"postId"`
	Author string `json:"author"`
	Body   string `json:"body"`
}

func (c *comments) add(ctx context.Context, comment Comment) (Comment, error) {
	err := c.db.InTx(ctx, func(tx *database.Tx) (err error) {
		if err := mayComment(ctx, tx, comment.PostID); err != nil {
			return err
		}
		comment.ID, err = tx.Insert(ctx, `INSERT INTO comments (post_id, author, body) VALUES (?, ?, ?)`,
			comment.PostID, comment.Author, comment.Body)
		if err != nil {
			return fmt.Errorf("insert a comment on post %d: %w", comment.PostID, err)
		}
		return outbox.Add(ctx, tx, outbox.Event{
			AggregateType: "comment", AggregateID: strconv.FormatInt(comment.ID, 10), Type: "CommentAdded", Payload: comment,
		})
	})
	return comment, err
}

var (
	errUnknownPost = &service.Refusal{Status: http.StatusNotFound, Reason: "there is no such post, or it has not been heard of yet"}
	errDeletedPost = &service.Refusal{Status: http.StatusGone, Reason: "the post was deleted"}
)

// mayComment holds what is known of the post until the transaction ends, so that the news of its deletion
// comes before the comment or after it.
func mayComment(ctx context.Context, tx *database.Tx, post int64) error {
	var deleted bool
	err := tx.Row(ctx, `SELECT deleted FROM known_posts WHERE post_id = ? FOR UPDATE`, post).Scan(&deleted)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errUnknownPost
	case err != nil:
		return fmt.Errorf("look for post %d: %w", post, err)
	case deleted:
		return errDeletedPost
	}
	return nil
}
