// Package postservice is the service Post: people create, edit and delete posts. Each change and the event
// that tells of it are committed together. From the events of Comments it keeps each post's comment count.
package postservice

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
	p := &posts{db: db}
	return service.Service{
		Name:    "post",
		Schema:  database.Schema{Postgres: postgresSQL, MySQL: mysqlSQL},
		Routes:  p.routes,
		Follows: "outbox.event.comment",
		Handle:  p.handle,
	}
}

type posts struct{ db *database.DB }

// Post is a post as clients see it.
type Post struct {
	ID       int64  `json:"id"`
	Author   string `json:"author"`
	Title    string `json:"title"`
	Comments int64  `json:"comments"`
}

// content is what events say of a post.
type content struct {
	ID     int64  `json:"id"`
	Author string `json:"author,omitempty"`
	Title  string `json:"title,omitempty"`
}

func (p *posts) create(ctx context.Context, author, title string) (post Post, err error) {
	post = Post{Author: author, Title: title}
	err = p.db.InTx(ctx, func(tx *database.Tx) error {
		post.ID, err = tx.Insert(ctx, `INSERT INTO posts (author, title) VALUES (?, ?)`, author, title)
		if err != nil {
			return fmt.Errorf("insert a post: %w", err)
		}
		return p.tell(ctx, tx, "PostPublished", content{ID: post.ID, Author: author, Title: title})
	})
	return post, err
}

func (p *posts) edit(ctx context.Context, id int64, title string) (post Post, err error) {
	err = p.db.InTx(ctx, func(tx *database.Tx) error {
		if post, err = find(ctx, tx, id); err != nil {
			return err
		}
		post.Title = title
		if _, err := tx.Exec(ctx, `UPDATE posts SET title = ? WHERE id = ?`, title, id); err != nil {
			return fmt.Errorf("edit post %d: %w", id, err)
		}
		return p.tell(ctx, tx, "PostEdited", content{ID: id, Author: post.Author, Title: title})
	})
	return post, err
}

func (p *posts) remove(ctx context.Context, id int64) error {
	return p.db.InTx(ctx, func(tx *database.Tx) error {
		rows, err := tx.Exec(ctx, `DELETE FROM posts WHERE id = ?`, id)
		if err != nil {
			return fmt.Errorf("delete post %d: %w", id, err)
		}
		if rows == 0 {
			return errNoPost
		}
		return p.tell(ctx, tx, "PostDeleted", content{ID: id})
	})
}

// tell adds the event to the outbox. The post's id becomes the key, so that its events arrive in their order.
func (p *posts) tell(ctx context.Context, tx *database.Tx, what string, c content) error {
	return outbox.Add(ctx, tx, outbox.Event{
		AggregateType: "post", AggregateID: strconv.FormatInt(c.ID, 10), Type: what, Payload: c,
	})
}

var errNoPost = &service.Refusal{Status: http.StatusNotFound, Reason: "there is no such post"}

// find reads a post and holds it until the transaction ends: two changes of one post come one after the
// other, and so do their events.
func find(ctx context.Context, tx *database.Tx, id int64) (Post, error) {
	return scan(tx.Row(ctx, selectPost+` FOR UPDATE`, id))
}

const selectPost = `SELECT id, author, title, comment_count FROM posts WHERE id = ?`

func scan(row *sql.Row) (post Post, err error) {
	err = row.Scan(&post.ID, &post.Author, &post.Title, &post.Comments)
	if errors.Is(err, sql.ErrNoRows) {
		return post, errNoPost
	}
	if err != nil {
		return post, fmt.Errorf("read a post: %w", err)
	}
	return post, nil
}
