package examples

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// killedBetweenTheWrites kills the real service after it wrote the post and before it wrote the event. A lock
// on the outbox holds it there. Nothing of the change remains: no post without its event.
func (b *blog) killedBetweenTheWrites(t *testing.T) {
	url, kill := b.postProcess(t)
	before := b.posts.text(t, "SELECT count(*) FROM posts")

	owner, err := pgx.Connect(t.Context(), b.posts.pipeline)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(context.Background())
	lock, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Exec(t.Context(), "LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	cut := make(chan error, 1)
	go func() {
		response, err := http.Post(url+"/posts", "application/json", strings.NewReader(`{"author": "Ada", "title": "Cut off"}`))
		if err == nil {
			response.Body.Close()
		}
		cut <- err
	}()
	const waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	servers.Eventually(t, patience, "the service is between the writes", func() bool { return b.posts.text(t, waiting) == "1" })
	kill()
	if err := <-cut; err == nil {
		t.Error("the request was answered")
	}
	if err := lock.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, patience, "its session has ended", func() bool { return b.posts.text(t, waiting) == "0" })
	if got := b.posts.text(t, "SELECT count(*) FROM posts"); got != before {
		t.Errorf("%s posts, want %s", got, before)
	}
	b.commentOnceKnown(t, b.publish(t, "After the crash"))
}

// postProcess runs the program itself, so that it can be killed.
func (b *blog) postProcess(t *testing.T) (url string, kill func()) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "post")
	if out, err := exec.Command("go", "build", "-o", program, "./post").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	address := freeAddress(t)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+b.posts.app, "KAFKA_BROKERS="+b.broker.Addr, "LISTEN="+address)
	cmd.Stderr = t.Output()
	kill = startChild(t, cmd)
	servers.Eventually(t, patience, "the program answers", func() bool { return healthy("http://" + address) })
	return "http://" + address, kill
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func startChild(t *testing.T, cmd *exec.Cmd) (kill func()) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill() // it may have ended
			_ = cmd.Wait()         // killed is how it is to end
		}
	}
	t.Cleanup(kill)
	return kill
}

// What follows is how not to do it: a service that writes to its database and to Kafka by itself.

// naive is the variable that makes this test program such a service: DATABASE or KAFKA is what it writes first.
const naive = "BLOG_NAIVE"

// writeTwice makes the first write, says so, and never comes to the second: it is killed there.
func writeTwice() int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	id, err := int64(0), error(nil)
	if os.Getenv(naive) == "DATABASE" {
		id, err = insertPost(ctx)
	} else {
		id, err = 1<<50, producePost(ctx, 1<<50)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(id)
	<-ctx.Done() // the moment between the two writes
	return 1
}

func insertPost(ctx context.Context) (id int64, err error) {
	conn, err := pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "INSERT INTO posts (author, title) VALUES ('Ada', 'Nobody hears of it') RETURNING id").Scan(&id)
	return id, err
}

func producePost(ctx context.Context, id int64) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(os.Getenv("KAFKA_BROKERS")))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, &kgo.Record{
		Topic: "outbox.event.post", Key: []byte(strconv.FormatInt(id, 10)),
		Value: fmt.Appendf(nil, `{"id": %d, "author": "Ada", "title": "It never was"}`, id),
		Headers: []kgo.RecordHeader{
			{Key: "id", Value: []byte("never-was")}, {Key: "eventType", Value: []byte("PostPublished")},
		},
	}).FirstErr()
}

// naiveUntilKilled returns the id of the post that it wrote, or wrote of.
func (b *blog) naiveUntilKilled(t *testing.T, first string) (id int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), naive+"="+first, "DATABASE_URL="+b.posts.app, "KAFKA_BROKERS="+b.broker.Addr)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	kill := startChild(t, cmd)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	kill()
	if err != nil {
		t.Fatal(err)
	}
	if id, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64); err != nil {
		t.Fatal(line)
	}
	return id
}

// The post is there, and nobody will ever hear of it.
func (b *blog) withoutOutboxLoses(t *testing.T) {
	id := b.naiveUntilKilled(t, "DATABASE")
	if got := b.count(t, id); got != 0 {
		t.Fatalf("%d comments", got)
	}
	b.commentOnceKnown(t, b.publish(t, "A later one")) // news of later posts has come
	b.settle(t, b.posts, b.remarks)
	if code := b.comment(t, id); code != http.StatusNotFound {
		t.Errorf("status %d: the post is known", code)
	}
}

// Kafka first is no better: the others hear of a post that never was.
func (b *blog) withoutOutboxLies(t *testing.T) {
	id := b.naiveUntilKilled(t, "KAFKA")
	b.commentOnceKnown(t, id)
	if code, _ := call(t, "GET", fmt.Sprintf("%s/posts/%d", b.post, id), ""); code != http.StatusNotFound {
		t.Errorf("status %d: Post has it", code)
	}
}
