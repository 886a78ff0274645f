//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// blog is the whole system.
type blog struct {
	t        *testing.T
	dir      string
	postgres *servers.Database
	mysql    *servers.MySQLDatabase
	broker   *servers.Broker

	post, comments                 *member
	outferryPost, outferryComments *member
	people                         *people
}

func newBlog(t *testing.T) *blog {
	t.Helper()
	b := &blog{t: t, dir: t.TempDir(), broker: servers.StartKafka(t, servers.KafkaOptions{})}
	b.postgres = servers.StartPostgres(t, servers.PostgresOptions{}).Database(t)
	b.mysql = servers.MySQL(t, "8.0")
	// The account makes its publication by itself: it may act as the table's owner.
	b.postgres.Exec(t, "GRANT app TO outferry; GRANT CREATE ON DATABASE "+b.postgres.Name+" TO outferry")
	postDB, commentsDB := jdbcPostgres(b.postgres), jdbcMySQL(b.mysql)
	b.outferryPost = b.outferry("post", "POST_DATABASE_URL="+postDB+"?sslmode=disable")
	b.outferryComments = b.outferry("comments", "COMMENTS_DATABASE_URL="+commentsDB, "COMMENTS_OUTBOX="+b.mysql.Name+".outbox")
	var post, comments string
	b.post, post = b.service("post", postDB)
	b.comments, comments = b.service("comments", commentsDB)
	b.people = newPeople(post, comments)
	return b
}

// start lets Outferry begin before there is a table: the services make it, and Outferry waits.
func (b *blog) start() {
	b.t.Helper()
	for _, m := range []*member{b.outferryPost, b.outferryComments} {
		m.Start()
		m.says("table_missing")
	}
	for _, m := range []*member{b.post, b.comments} {
		m.Start()
	}
	for _, m := range []*member{b.post, b.comments, b.outferryPost, b.outferryComments} {
		m.works()
	}
}

func TestServicesAgreeThoughEachProcessIsKilled(t *testing.T) {
	b := newBlog(t)
	b.start()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	busy := b.people.use(ctx, 4)
	b.killEach()
	b.progress(100)
	stop()
	busy.Wait()
	t.Logf("%d changes answered, %d not", b.people.answered, b.people.failed)
	b.agreeInTheEnd()
	b.refuses()
	b.setsAside()
}

// killEach kills every process once, in any order, at moments that the load decides.
func (b *blog) killEach() {
	b.t.Helper()
	type mortal interface {
		Kill()
		Start()
	}
	processes := []mortal{b.post, b.comments, b.outferryPost, b.outferryComments, b.broker}
	rand.Shuffle(len(processes), func(i, k int) { processes[i], processes[k] = processes[k], processes[i] })
	for _, p := range processes {
		b.progress(20 + rand.IntN(100))
		p.Kill()
		b.progress(10 + rand.IntN(20)) // the others go on without it
		p.Start()
		if m, ok := p.(*member); ok {
			m.works()
		}
	}
}

// progress waits for so many more changes.
func (b *blog) progress(n int) {
	b.t.Helper()
	want := b.people.good() + n
	servers.Eventually(b.t, patience, fmt.Sprintf("people get %d changes done", want), func() bool { return b.people.good() >= want })
}

func (b *blog) refuses() {
	b.t.Helper()
	if status := b.people.comment(1 << 40); status != http.StatusNotFound {
		b.t.Errorf("a comment on an unknown post is answered with %d", status)
	}
	id := b.people.publish()
	b.heardOf(id)
	b.people.remove(id)
	servers.Eventually(b.t, patience, "a comment on a deleted post is refused", func() bool { return b.people.comment(id) == http.StatusGone })
}

func (b *blog) heardOf(id int64) {
	b.t.Helper()
	servers.Eventually(b.t, patience, fmt.Sprintf("Comments hears of post %d", id), func() bool {
		return b.people.comment(id) == http.StatusCreated
	})
}

// setsAside sends what can't be applied: it ends among the dead letters, and what comes after it is applied.
func (b *blog) setsAside() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	client := b.broker.Client(b.t)
	poison := &kgo.Record{Topic: "outbox.event.post", Key: []byte("1"), Value: []byte("no JSON"), Headers: []kgo.RecordHeader{
		{Key: "id", Value: []byte("8a3f6c1e-5d0b-4f7e-9a51-2f6f0d7c9b10")}, {Key: "eventType", Value: []byte("PostEdited")},
	}}
	if err := client.ProduceSync(ctx, poison).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	servers.Eventually(b.t, patience, "the dead letters hold one record", func() bool { return b.records("outbox.event.post-dlt") == 1 })
	b.heardOf(b.people.publish())
}

// records counts a topic's, by its offsets: good enough where nobody writes in transactions.
func (b *blog) records(topic string) (n int64) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	admin := kadm.NewClient(b.broker.Client(b.t))
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0
	}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err == nil {
			n += o.Offset
		}
	})
	return n
}
