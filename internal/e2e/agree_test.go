//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// truth is what the two databases say, as text by post.
type truth struct {
	posts, known     map[string]string // titles of posts that live
	counted, written map[string]string // comments
	deleted          map[string]string // posts that Comments knows to be gone
}

// agreeInTheEnd waits until both services say the same, and checks that nothing was lost or came twice on the way.
func (b *blog) agreeInTheEnd() {
	b.t.Helper()
	var last error
	defer func() {
		if b.t.Failed() {
			b.t.Logf("the services do not agree: %v", last)
		}
	}()
	servers.Eventually(b.t, patience, "the services agree", func() bool {
		last = b.look().differ()
		return last == nil
	})
	b.promisesKept(b.look())
	b.appliedOnce("outbox.event.post", b.commentsDB.Text(b.t, "SELECT count(*) FROM processed_events"))
	b.appliedOnce("outbox.event.comment", b.postDB.Text(b.t, "SELECT count(*) FROM processed_events"))
	if written, told := b.commentsDB.Text(b.t, "SELECT count(*) FROM comments"), len(b.ids("outbox.event.comment")); written != strconv.Itoa(told) {
		b.t.Errorf("%s comments were written and %d told of", written, told)
	}
	for _, topic := range []string{"outbox.event.post-dlt", "outbox.event.comment-dlt"} {
		if n := b.records(topic); n != 0 {
			b.t.Errorf("%s holds %d records", topic, n)
		}
	}
}

func (b *blog) look() truth {
	b.t.Helper()
	pg := func(sql string) map[string]string {
		return pairs(b.postDB.Text(b.t, "SELECT string_agg(k || '=' || v, '|') FROM ("+sql+") AS t(k, v)"))
	}
	my := func(sql string) map[string]string {
		// group_concat would cut a long list off at a kilobyte.
		return pairs(b.commentsDB.Text(b.t, "SELECT replace(replace(replace(json_arrayagg(concat(k, '=', v)), '\", \"', '|'), '[\"', ''), '\"]', '') FROM ("+sql+") AS t"))
	}
	return truth{
		posts:   pg("SELECT id, title FROM posts"),
		known:   my("SELECT post_id AS k, title AS v FROM known_posts WHERE NOT deleted"),
		counted: pg("SELECT id, comment_count FROM posts WHERE comment_count > 0"),
		written: my("SELECT post_id AS k, count(*) AS v FROM comments JOIN known_posts USING (post_id) WHERE NOT deleted GROUP BY post_id"),
		deleted: my("SELECT post_id AS k, 'deleted' AS v FROM known_posts WHERE deleted"),
	}
}

func pairs(list string) map[string]string {
	m := map[string]string{}
	for pair := range strings.SplitSeq(list, "|") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			m[k] = v
		}
	}
	return m
}

func (r truth) differ() error {
	return errors.Join(
		difference("titles", "Post", r.posts, "Comments", r.known),
		difference("comments", "counted by Post", r.counted, "written by Comments", r.written),
	)
}

func difference(what, here string, a map[string]string, there string, b map[string]string) error {
	if maps.Equal(a, b) {
		return nil
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	for k := range all {
		if a[k] != b[k] {
			return fmt.Errorf("%s of post %s: %s has %q, %s has %q (%d and %d posts)", what, k, here, a[k], there, b[k], len(a), len(b))
		}
	}
	return nil
}

// promisesKept compares with what people were answered.
func (b *blog) promisesKept(r truth) {
	b.t.Helper()
	p := b.people
	for _, id := range p.published {
		key := strconv.FormatInt(id, 10)
		_, lives := r.posts[key]
		_, gone := r.deleted[key]
		if lives == gone || p.deleted[id] && lives {
			b.t.Errorf("post %d: lives %t, known as deleted %t, deletion answered %t", id, lives, gone, p.deleted[id])
		}
		if got, _ := strconv.Atoi(r.written[key]); lives && got < p.commented[id] {
			b.t.Errorf("post %d: %d comments answered, %d there", id, p.commented[id], got)
		}
	}
	if len(p.published) == 0 || len(r.deleted) == 0 || len(r.written) == 0 {
		b.t.Errorf("too little happened: %d posts published, %d deleted, %d commented", len(p.published), len(r.deleted), len(r.written))
	}
}

// appliedOnce compares the events of a topic with those that the other service noted as applied.
func (b *blog) appliedOnce(topic, applied string) {
	b.t.Helper()
	ids := b.ids(topic)
	for id, n := range ids {
		if n != 1 {
			b.t.Errorf("%s: event %s is there %d times", topic, id, n)
		}
	}
	b.t.Logf("%s: %d events, %s applied", topic, len(ids), applied)
	if strconv.Itoa(len(ids)) != applied {
		b.t.Errorf("%s: %d events, %s applied", topic, len(ids), applied)
	}
}

// ids counts the events that are committed in a topic, by their ids.
func (b *blog) ids(topic string) map[string]int {
	b.t.Helper()
	ids := map[string]int{}
	for _, r := range b.committed(topic) {
		for _, h := range r.Headers {
			if h.Key == "id" {
				ids[string(h.Value)]++
			}
		}
	}
	return ids
}

// committed reads what is committed of a topic.
func (b *blog) committed(topic string) []*kgo.Record {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := b.broker.Client(b.t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err != nil || ends.Error() != nil {
		b.t.Fatal(err, ends.Error())
	}
	return collect(b.t, ctx, client, ends)
}

func collect(t *testing.T, ctx context.Context, client *kgo.Client, ends kadm.ListedOffsets) (records []*kgo.Record) {
	t.Helper()
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	return records
}
