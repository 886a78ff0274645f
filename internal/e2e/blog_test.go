//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// blog is the whole system, as docker-compose.yml has it in its profiles postgres and mysql.
type blog struct {
	t        *testing.T
	dir      string
	program  string // Outferry
	topology map[string]container
	address  map[string]string // of a server, by its container's host:port

	postgres *servers.PostgresServer
	mysql    *servers.MySQLServer
	broker   *servers.Broker

	postDB     *servers.Database
	commentsDB *servers.MySQLDatabase

	members map[string]*member
	people  *people
}

func newBlog(t *testing.T) *blog {
	t.Helper()
	b := &blog{t: t, dir: t.TempDir(), topology: readTopology(t), address: map[string]string{}, members: map[string]*member{}}
	b.startServers()
	b.build()
	for _, name := range []string{"post", "comments", "outferry-post", "outferry-comments"} {
		b.members[name] = b.member(name)
	}
	b.people = newPeople(b.members["post"].at, b.members["comments"].at)
	return b
}

// startServers starts both databases and the broker with the settings of the compose file, and runs its scripts.
func (b *blog) startServers() {
	b.t.Helper()
	pg, my, kafka := b.topology["postgres"], b.topology["mysql"], b.topology["kafka"]
	version, err := strconv.Atoi(pg.version())
	if err != nil {
		b.t.Fatal(err)
	}
	b.postgres = servers.StartPostgres(b.t, servers.PostgresOptions{Version: version, Fsync: true, Settings: pg.flags()})
	b.mysql = servers.StartMySQL(b.t, servers.MySQLOptions{
		Version: my.version(), Durable: true, NoGTID: true, Settings: my.flags(),
		TLS: servers.NewCA(b.t), // as every MySQL makes itself a certificate, which these don't
	})
	b.broker = servers.StartKafka(b.t, servers.KafkaOptions{Properties: kafka.properties()})
	b.address["postgres:5432"] = fmt.Sprintf("127.0.0.1:%d", b.postgres.Port)
	b.address["mysql:3306"] = fmt.Sprintf("127.0.0.1:%d", b.mysql.Port)
	b.address["kafka:19092"] = b.broker.Addr
	admin := &servers.Database{Name: "postgres", Port: b.postgres.Port}
	admin.Exec(b.t, "DROP ROLE outferry") // the scripts make their own
	for _, statement := range pg.script(b.t) {
		admin.Exec(b.t, statement)
	}
	root := b.mysql.Admin()
	root.Exec(b.t, "DROP USER outferry")
	for _, statement := range my.script(b.t) {
		root.Exec(b.t, statement)
	}
	b.postDB = &servers.Database{Name: "post", Port: b.postgres.Port}
	b.commentsDB = &servers.MySQLDatabase{Version: b.mysql.Version, Name: "comments", Port: b.mysql.Port}
}

// here replaces the containers' addresses by those of this machine.
func (b *blog) here(text string) string {
	for container, address := range b.address {
		text = strings.ReplaceAll(text, container, address)
	}
	return text
}

// startInAnyOrder lets Outferry begin before there is a table: the services make it, and Outferry waits. Then all servers
// go down, and they and the services come in any order. Post's Outferry comes last, see actBeforeTheFirstLook.
func (b *blog) startInAnyOrder() {
	b.t.Helper()
	for _, name := range []string{"outferry-post", "outferry-comments"} {
		b.members[name].Start()
		b.members[name].says("table_missing")
	}
	b.members["outferry-post"].Kill()
	starts := []killable{b.members["post"], b.members["comments"]}
	for _, s := range b.servers() {
		s.Kill()
		starts = append(starts, s)
	}
	rand.Shuffle(len(starts), func(i, k int) { starts[i], starts[k] = starts[k], starts[i] })
	for _, s := range starts {
		s.Start()
	}
}

// mortal is a process that the test kills.
type mortal interface {
	killable
	Works() // waits until it does
}

func (b *blog) servers() []mortal {
	return []mortal{server{b.postgres, "PostgreSQL"}, server{mysql{b.mysql}, "MySQL"}, server{b.broker, "Kafka"}}
}

// server is one whose Start waits until it works.
type server struct {
	killable
	name string
}

type killable interface {
	Kill()
	Start()
}

func (server) Works() {}

type mysql struct{ *servers.MySQLServer }

func (m mysql) Start() { m.MySQLServer.Start() }

func (s server) String() string { return s.name }

// actBeforeTheFirstLook has people publish before Outferry has ever seen the outbox: those events count too.
func (b *blog) actBeforeTheFirstLook() {
	b.t.Helper()
	b.progress(20)
	// A topic that its first question makes would be there at the next ones.
	b.members["comments"].repeats("outbox.event.post=UNKNOWN_TOPIC_OR_PARTITION", 4)
	if n := b.partitions("outbox.event.post"); n != 0 {
		b.t.Errorf("a consumer made the topic that is Outferry's to make, with %d partitions", n)
	}
	b.members["outferry-post"].Start()
	for _, m := range b.members {
		m.Works()
	}
}

func TestServicesAgreeThoughEachProcessIsKilled(t *testing.T) {
	b := newBlog(t)
	b.startInAnyOrder()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	busy := b.people.use(ctx, 2)
	b.actBeforeTheFirstLook()
	b.killEach()
	b.progress(100)
	stop()
	busy.Wait()
	t.Logf("%d changes answered, %d not", b.people.answered, b.people.failed)
	b.agreeInTheEnd()
	b.refuses()
	b.comparesWithDebezium()
	b.setsAside()
}

// killEach kills every process once, in any order, at moments that the load decides. A process that comes back is not
// waited for: the next may be killed meanwhile.
func (b *blog) killEach() {
	b.t.Helper()
	processes := b.servers()
	for _, m := range b.members {
		processes = append(processes, m)
	}
	rand.Shuffle(len(processes), func(i, k int) { processes[i], processes[k] = processes[k], processes[i] })
	for _, p := range processes {
		p.Works() // it may have failed when another was killed
		b.progress(20 + rand.IntN(50))
		b.t.Logf("kill %s", p)
		p.Kill()
		b.progress(5 + rand.IntN(10)) // the others go on without it
		p.Start()
	}
	for _, p := range processes {
		p.Works()
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

// setsAside sends what can't be applied: it ends among the dead letters, and what comes after it is applied. The topic
// has the one partition that the service gave it: a broker that makes topics by itself would have made more.
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
	if n := b.partitions("outbox.event.post-dlt"); n != 1 {
		b.t.Errorf("the dead letters have %d partitions: the service did not make their topic", n)
	}
	b.members["comments"].says("event set aside in outbox.event.post-dlt")
	b.heardOf(b.people.publish())
}

// partitions counts a topic's; one that is not there has none.
func (b *blog) partitions(topic string) int {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	topics, err := kadm.NewClient(b.broker.Client(b.t)).ListTopics(ctx, topic)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(topics[topic].Partitions)
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
