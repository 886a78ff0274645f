package postservice

import (
	"net/http"

	"outferry/examples/go/database"
	"outferry/examples/go/service"
)

func (p *posts) routes(mux *http.ServeMux) {
	mux.Handle("POST /posts", service.Action(p.postPosts))
	mux.Handle("GET /posts/{id}", service.Action(p.getPost))
	mux.Handle("PUT /posts/{id}", service.Action(p.putPost))
	mux.Handle("DELETE /posts/{id}", service.Action(p.deletePost))
}

func (p *posts) postPosts(r *http.Request) (int, any, error) {
	var in struct{ Author, Title string }
	if err := service.Body(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Author == "" || in.Title == "" {
		return 0, nil, &service.Refusal{Status: http.StatusBadRequest, Reason: "want author and title"}
	}
	post, err := p.create(r.Context(), in.Author, in.Title)
	return http.StatusCreated, post, err
}

func (p *posts) getPost(r *http.Request) (int, any, error) {
	id, err := service.ID(r)
	if err != nil {
		return 0, nil, err
	}
	var post Post
	err = p.db.InTx(r.Context(), func(tx *database.Tx) error {
		post, err = scan(tx.Row(r.Context(), selectPost, id))
		return err
	})
	return http.StatusOK, post, err
}

func (p *posts) putPost(r *http.Request) (int, any, error) {
	id, err := service.ID(r)
	if err != nil {
		return 0, nil, err
	}
	var in struct{ Title string }
	if err := service.Body(r, &in); err != nil {
		return 0, nil, err
	}
	if in.Title == "" {
		return 0, nil, &service.Refusal{Status: http.StatusBadRequest, Reason: "want a title"}
	}
	post, err := p.edit(r.Context(), id, in.Title)
	return http.StatusOK, post, err
}

func (p *posts) deletePost(r *http.Request) (int, any, error) {
	id, err := service.ID(r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, p.remove(r.Context(), id)
}
