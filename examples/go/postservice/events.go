package postservice

import (
	"context"
	"encoding/json"
	"fmt"

	"outferry/examples/go/database"
	"outferry/examples/go/inbox"
)

// handle counts comments. Other events of Comments, also those that it will have one day, are none of ours.
func (p *posts) handle(ctx context.Context, tx *database.Tx, e inbox.Event) error {
	if e.Type != "CommentAdded" {
		return nil
	}
	var comment struct{ PostID int64 }
	if err := json.Unmarshal(e.Payload, &comment); err != nil || comment.PostID == 0 {
		return fmt.Errorf("%w: %s without a postId", inbox.ErrUnreadable, e.Type)
	}
	// A post that was deleted in the meantime has nothing to count.
	_, err := tx.Exec(ctx, `UPDATE posts SET comment_count = comment_count + 1 WHERE id = ?`, comment.PostID)
	if err != nil {
		return fmt.Errorf("count a comment on post %d: %w", comment.PostID, err)
	}
	return nil
}
