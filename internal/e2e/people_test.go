//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// people are clients of both services, and what they were promised: each change that was answered with success.
type people struct {
	post, comments string
	client         http.Client

	mu        sync.Mutex
	published []int64
	deleted   map[int64]bool
	commented map[int64]int // promised comments, by post
	answered  int
	failed    int // requests without a good answer: a service was being killed, or a post was not heard of yet
}

func newPeople(post, comments string) *people {
	return &people{post: post, comments: comments, client: http.Client{Timeout: 5 * time.Second}, deleted: map[int64]bool{}, commented: map[int64]int{}}
}

// use has people use both services until the context ends, some the one and some the other: who waits for a service that
// is away keeps nobody from the other.
func (p *people) use(ctx context.Context, each int) *sync.WaitGroup {
	var all sync.WaitGroup
	for range each {
		for _, act := range []func(){p.blog, p.remark} {
			all.Go(func() { repeat(ctx, act) })
		}
	}
	return &all
}

func repeat(ctx context.Context, act func()) {
	pace := time.NewTicker(40 * time.Millisecond) // two cores serve all of it
	defer pace.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
			act()
		}
	}
}

// blog does one thing that people do with posts.
func (p *people) blog() {
	id, any := p.somePost()
	switch dice := rand.IntN(20); {
	case !any || dice < 10:
		p.publish()
	case dice < 17:
		p.edit(id)
	default:
		p.remove(id)
	}
}

func (p *people) remark() {
	if id, any := p.somePost(); any {
		p.comment(id)
	}
}

func (p *people) somePost() (int64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.published) == 0 {
		return 0, false
	}
	return p.published[rand.IntN(len(p.published))], true
}

func (p *people) publish() (id int64) {
	var made struct{ ID int64 }
	ok := p.call(http.MethodPost, p.post+"/posts", map[string]any{"author": "Ada", "title": "Hello"}, &made) == http.StatusCreated
	p.note(ok, func() { p.published = append(p.published, made.ID) })
	return made.ID
}

func (p *people) edit(id int64) {
	title := fmt.Sprintf("Hello %d", rand.IntN(1_000_000))
	p.note(p.call(http.MethodPut, p.at(p.post, id), map[string]any{"title": title}, nil) == http.StatusOK, func() {})
}

func (p *people) remove(id int64) {
	p.note(p.call(http.MethodDelete, p.at(p.post, id), nil, nil) == http.StatusNoContent, func() { p.deleted[id] = true })
}

func (p *people) comment(id int64) (status int) {
	status = p.call(http.MethodPost, p.at(p.comments, id)+"/comments", map[string]any{"author": "Ken", "body": "Thank you."}, nil)
	p.note(status == http.StatusCreated, func() { p.commented[id]++ })
	return status
}

func (p *people) at(service string, id int64) string { return fmt.Sprintf("%s/posts/%d", service, id) }

func (p *people) note(ok bool, promise func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ok {
		p.failed++
		return
	}
	p.answered++
	promise()
}

// good is how many changes were answered with success.
func (p *people) good() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered
}

// call returns the status, 0 where there was no answer.
func (p *people) call(method, url string, body, into any) (status int) {
	sent, err := json.Marshal(body)
	if err != nil {
		return 0
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(sent))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || into != nil && json.Unmarshal(answer, into) != nil {
		return 0
	}
	return resp.StatusCode
}
