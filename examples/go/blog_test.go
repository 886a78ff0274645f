package examples

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

func TestBlogOnPostgres(t *testing.T) {
	b := start(t, onPostgres(t), onPostgres(t))
	b.check()
	t.Run("killed between the writes", b.killedBetweenTheWrites)
	t.Run("without an outbox an event is lost", b.withoutOutboxLoses)
	t.Run("without an outbox an event lies", b.withoutOutboxLies)
}

// As in docker-compose.yml: Post on PostgreSQL, Comments on MySQL; and the other way round.
func TestBlogOnMySQL(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) { start(t, onPostgres(t), onMySQL(t, version)).check() })
	}
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version+" for Post", func(t *testing.T) { start(t, onMySQL(t, version), onPostgres(t)).check() })
	}
}

func (b *blog) check() {
	b.t.Run("comment on an unknown post is refused", b.unknownPost)
	b.t.Run("comment on a deleted post is refused", b.deletedPost)
	b.t.Run("counts agree", b.countsAgree)
	b.t.Run("an event that comes twice is applied once", b.twice)
	b.t.Run("an unreadable event is set aside", b.deadLetter)
	b.t.Run("an edit of a post that was never published is set aside at once", b.neverPublished)
	b.t.Run("bad requests are refused", b.badRequests)
}

func (b *blog) unknownPost(t *testing.T) {
	if code := b.comment(t, 1<<40); code != http.StatusNotFound {
		t.Errorf("status %d", code)
	}
}

func (b *blog) deletedPost(t *testing.T) {
	id := b.publish(t, "Short-lived")
	b.commentOnceKnown(t, id)
	url := fmt.Sprintf("%s/posts/%d", b.post, id)
	if code, _ := call(t, "PUT", url, `{"title": "Edited"}`); code != http.StatusOK {
		t.Fatalf("edit: status %d", code)
	}
	servers.Eventually(t, patience, "the edit is known", func() bool {
		return b.remarks.text(t, fmt.Sprintf("SELECT title FROM known_posts WHERE post_id = %d", id)) == "Edited"
	})
	if code, _ := call(t, "DELETE", url, ""); code != http.StatusNoContent {
		t.Fatalf("delete: status %d", code)
	}
	servers.Eventually(t, patience, "comments are refused", func() bool { return b.comment(t, id) == http.StatusGone })
	if code, _ := call(t, "PUT", url, `{"title": "Again"}`); code != http.StatusNotFound {
		t.Errorf("edit of a deleted post: status %d", code)
	}
}

// Several clients at once, and in the end the two services say the same.
func (b *blog) countsAgree(t *testing.T) {
	const posts, clients, each = 3, 4, 5
	var ids []int64
	for i := range posts {
		ids = append(ids, b.publish(t, fmt.Sprintf("Post %d", i)))
	}
	for _, id := range ids {
		b.commentOnceKnown(t, id)
	}
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for n := range posts * each {
				if code := b.comment(t, ids[n%posts]); code != http.StatusCreated {
					t.Errorf("comment: status %d", code)
				}
			}
		})
	}
	wg.Wait()
	const want = 1 + clients*each
	for _, id := range ids {
		servers.Eventually(t, patience, "the comments are counted", func() bool { return b.count(t, id) >= want })
	}
	b.settle(t, b.remarks, b.posts)
	for _, id := range ids {
		if got := b.count(t, id); got != want {
			t.Errorf("post %d counts %d comments, want %d", id, got, want)
		}
		if got := b.remarks.text(t, fmt.Sprintf("SELECT count(*) FROM comments WHERE post_id = %d", id)); got != fmt.Sprint(want) {
			t.Errorf("Comments has %s of post %d, want %d", got, id, want)
		}
	}
}

// twice sends a record again, as a producer without transactions may.
func (b *blog) twice(t *testing.T) {
	id := b.publish(t, "Twice")
	b.commentOnceKnown(t, id)
	servers.Eventually(t, patience, "the comment is counted", func() bool { return b.count(t, id) == 1 })
	comment := b.remarks.text(t, fmt.Sprintf("SELECT id FROM comments WHERE post_id = %d", id))
	sent := b.find(t, "outbox.event.comment", comment)
	again := &kgo.Record{Topic: sent.Topic, Key: sent.Key, Value: sent.Value, Headers: sent.Headers}
	if err := b.broker.Client(t).ProduceSync(t.Context(), again).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.passed(t, "post", again)
	if got := b.count(t, id); got != 1 {
		t.Errorf("counted %d times", got)
	}
}

func (b *blog) deadLetter(t *testing.T) {
	bad := &kgo.Record{Topic: "outbox.event.comment", Key: []byte("7"), Value: []byte(`{"postId": "seven"}`), Headers: []kgo.RecordHeader{
		{Key: "id", Value: []byte("unreadable")}, {Key: "eventType", Value: []byte("CommentAdded")},
	}}
	if err := b.broker.Client(t).ProduceSync(t.Context(), bad).FirstErr(); err != nil {
		t.Fatal(err)
	}
	letter := b.find(t, "outbox.event.comment-dlt", "7")
	if string(letter.Value) != string(bad.Value) {
		t.Errorf("the dead letter has value %s", letter.Value)
	}
	headers := map[string]string{}
	for _, h := range letter.Headers {
		headers[h.Key] = string(h.Value)
	}
	if headers["id"] != "unreadable" || !strings.Contains(headers["error"], "without a postId") || headers["original-offset"] == "" {
		t.Errorf("its headers are %v", headers)
	}
	if got := b.posts.text(t, "SELECT count(*) FROM processed_events WHERE event_id = 'unreadable'"); got != "0" {
		t.Error("it is noted as done")
	}
	b.passed(t, "post", bad) // it holds up nobody
}

func (b *blog) neverPublished(t *testing.T) {
	edit := &kgo.Record{Topic: "outbox.event.post", Key: []byte("404"), Value: []byte(`{"id": 404, "title": "Edited"}`), Headers: []kgo.RecordHeader{
		{Key: "id", Value: []byte("too-early")}, {Key: "eventType", Value: []byte("PostEdited")},
	}}
	if err := b.broker.Client(t).ProduceSync(t.Context(), edit).FirstErr(); err != nil {
		t.Fatal(err)
	}
	letter := b.find(t, "outbox.event.post-dlt", "404")
	if got := header(letter, "error"); !strings.Contains(got, "never published") {
		t.Errorf("it is set aside for %q", got)
	}
	b.passed(t, "comments", edit)
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

func (b *blog) badRequests(t *testing.T) {
	for _, c := range []struct {
		method, url, body string
		want              int
	}{
		{"POST", b.post + "/posts", `{"author": "Ada"}`, 400},
		{"POST", b.post + "/posts", `[`, 400},
		{"POST", b.post + "/posts", `{"surprise": 1}`, 400},
		{"GET", b.post + "/posts/none", "", 404},
		{"GET", b.post + "/posts/1099511627776", "", 404},
		{"DELETE", b.post + "/posts/1099511627776", "", 404},
		{"POST", b.comments + "/posts/1/comments", `{"author": "Ada"}`, 400},
		{"GET", b.comments + "/posts/1099511627776/comments", "", 200},
	} {
		if code, answer := call(t, c.method, c.url, c.body); code != c.want {
			t.Errorf("%s %s %s: status %d, want %d: %v", c.method, c.url, c.body, code, c.want, answer)
		}
	}
}
