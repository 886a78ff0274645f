package commentservice

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"outferry/examples/go/database"
	"outferry/examples/go/inbox"
)

// handle keeps what is known of posts. The events of one post arrive in their order, since they have one key.
func (c *comments) handle(ctx context.Context, tx *database.Tx, e inbox.Event) error {
	change, ours := changes[e.Type]
	if !ours {
		return nil
	}
	var post struct {
		ID    int64
		Title string
	}
	if err := json.Unmarshal(e.Payload, &post); err != nil || post.ID == 0 {
		return fmt.Errorf("%w: %s without an id", inbox.ErrUnreadable, e.Type)
	}
	if err := change(ctx, tx, post.ID, post.Title); err != nil {
		return fmt.Errorf("apply %s of post %d: %w", e.Type, post.ID, err)
	}
	return nil
}

// changes are what each event means here.
var changes = map[string]func(ctx context.Context, tx *database.Tx, id int64, title string) error{
	"PostPublished": func(ctx context.Context, tx *database.Tx, id int64, title string) error {
		_, err := tx.Exec(ctx, `INSERT INTO known_posts (post_id, title) VALUES (?, ?)`, id, title)
		return err
	},
	"PostEdited": func(ctx context.Context, tx *database.Tx, id int64, title string) error {
		if err := known(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE known_posts SET title = ? WHERE post_id = ?`, title, id)
		return err
	},
	// The row stays: it is how "deleted" is told from "not heard of yet".
	"PostDeleted": func(ctx context.Context, tx *database.Tx, id int64, _ string) error {
		if err := known(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE known_posts SET deleted = true WHERE post_id = ?`, id)
		return err
	},
}

// known refuses a post that was never published: the events of one key are in order, so no earlier one will come.
// The update itself doesn't tell: MySQL counts only the rows that it made different.
func known(ctx context.Context, tx *database.Tx, id int64) error {
	var found int
	err := tx.Row(ctx, `SELECT 1 FROM known_posts WHERE post_id = ? FOR UPDATE`, id).Scan(&found)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: the post was never published", inbox.ErrImpossible)
	}
	return err
}
