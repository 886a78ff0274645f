package commentservice

import (
	"context"
	"net/http"

	"outferry/examples/go/database"
	"outferry/examples/go/service"
)

func (c *comments) routes(mux *http.ServeMux) {
	mux.Handle("POST /posts/{id}/comments", service.Action(c.postComment))
	mux.Handle("GET /posts/{id}/comments", service.Action(c.getComments))
}

func (c *comments) postComment(r *http.Request) (int, any, error) {
	id, err := service.ID(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct{ Author, Body string }
	if err := service.Body(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Author == "" || in.Body == "" {
		return 0, nil, &service.Refusal{Status: http.StatusBadRequest, Reason: "want author and body"}
	}
	comment, err := c.add(r.Context(), Comment{PostID: id, Author: in.Author, Body: in.Body})
	return http.StatusCreated, comment, err
}

func (c *comments) getComments(r *http.Request) (int, any, error) {
	id, err := service.ID(r)
	if err != nil {
		return 0, nil, err
	}
	list, err := c.list(r.Context(), id)
	return http.StatusOK, list, err
}

func (c *comments) list(ctx context.Context, post int64) (list []Comment, err error) {
	list = []Comment{} // an empty list is [] in JSON, and not null
	err = c.db.InTx(ctx, func(tx *database.Tx) error {
		rows, err := tx.Rows(ctx, `SELECT id, post_id, author, body FROM comments WHERE post_id = ? ORDER BY id`, post)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one Comment
			if err := rows.Scan(&one.ID, &one.PostID, &one.Author, &one.Body); err != nil {
				return err
			}
			list = append(list, one)
		}
		return rows.Err()
	})
	return list, err
}
