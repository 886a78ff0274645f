package examples

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/hashicorp/go-hclog"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/examples/go/commentservice"
	"outferry/examples/go/database"
	"outferry/examples/go/postservice"
	"outferry/examples/go/service"
	"outferry/internal/servers"
	"outferry/pipeline"
	"outferry/status"
)

const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(naive) != "" {
		os.Exit(writeTwice())
	}
	servers.Main(m)
}

// store is a service's database, of either kind.
type store struct {
	app      string // the service's URL
	pipeline string // Outferry's
	outbox   string // the table's name in the pipeline file
	text     func(t testing.TB, sql string, args ...any) string
}

func onPostgres(t *testing.T) store {
	db := servers.Postgres(t, 15)
	return store{app: db.URL("app"), pipeline: db.URL("postgres"), outbox: "public.outbox", text: db.Text}
}

func onMySQL(t *testing.T, version string) store {
	db := servers.MySQL(t, version)
	return store{app: db.URL("app"), pipeline: db.URL("outferry"), outbox: db.Name + ".outbox", text: db.Text}
}

// blog is both services with Outferry between them.
type blog struct {
	t              *testing.T
	broker         *servers.Broker
	posts, remarks store
	post, comments string // where they answer
}

func start(t *testing.T, posts, remarks store) *blog {
	b := &blog{t: t, broker: servers.StartKafka(t, servers.KafkaOptions{}), posts: posts, remarks: remarks}
	b.post = b.serve(posts, postservice.New)
	b.comments = b.serve(remarks, commentservice.New)
	b.ferry("post.outferry.yaml", posts)
	b.ferry("comments.outferry.yaml", remarks)
	return b
}

// serve runs a service until the test ends.
func (b *blog) serve(s store, build func(*database.DB) service.Service) (url string) {
	b.t.Helper()
	db, err := database.Open(s.app)
	if err != nil {
		b.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	b.untilTheEnd(func(ctx context.Context) error {
		defer db.Close()
		return service.Run(ctx, build(db), service.Surroundings{
			DB: db, Brokers: []string{b.broker.Addr}, Listener: listener, Log: slog.New(slog.NewTextHandler(b.t.Output(), nil)),
		})
	})
	url = "http://" + listener.Addr().String()
	servers.Eventually(b.t, patience, "the service answers", func() bool { return healthy(url) })
	return url
}

func healthy(url string) bool {
	response, err := http.Get(url + "/healthz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// ferry runs the pipeline of a file that people copy.
func (b *blog) ferry(file string, s store) {
	b.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	env := map[string]string{"DATABASE_URL": s.pipeline, "OUTBOX": s.outbox, "KAFKA_BROKERS": b.broker.Addr}
	loaded, findings := configs.LoadBytes(file, text, configs.Options{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Environ:   func() []string { return nil },
	})
	if findings.HasErrors() {
		b.t.Fatal(findings)
	}
	cfg := loaded.Pipelines[0]
	log := hclog.New(&hclog.LoggerOptions{Output: b.t.Output(), Level: hclog.Info})
	p := pipeline.New(cfg, log, status.NewRegistry("test", false).Pipeline(cfg.Name), 10*time.Second)
	b.untilTheEnd(p.Run)
}

func (b *blog) untilTheEnd(run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	})
}

// call makes a request and returns the status and the answer.
func call(t *testing.T, method, url, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if len(text) > 0 && text[0] == '{' {
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(&answer); err != nil {
			t.Fatalf("%s %s: %v: %s", method, url, err, text)
		}
	}
	return response.StatusCode, answer
}

func (b *blog) publish(t *testing.T, title string) (id int64) {
	t.Helper()
	code, post := call(t, "POST", b.post+"/posts", fmt.Sprintf(`{"author": "Ada", "title": %q}`, title))
	if code != http.StatusCreated {
		t.Fatalf("publish: %d %v", code, post)
	}
	return int64(post["id"].(float64))
}

func (b *blog) comment(t *testing.T, post int64) (code int) {
	t.Helper()
	code, _ = call(t, "POST", fmt.Sprintf("%s/posts/%d/comments", b.comments, post), `{"author": "Ken", "body": "Thank you for this."}`)
	return code
}

// commentOnceKnown comments when news of the post has come.
func (b *blog) commentOnceKnown(t *testing.T, post int64) {
	t.Helper()
	servers.Eventually(t, patience, fmt.Sprintf("post %d is known", post), func() bool { return b.comment(t, post) == http.StatusCreated })
}

func (b *blog) count(t *testing.T, post int64) int {
	t.Helper()
	code, answer := call(t, "GET", fmt.Sprintf("%s/posts/%d", b.post, post), "")
	if code != http.StatusOK {
		t.Fatalf("post %d: %d %v", post, code, answer)
	}
	return int(answer["comments"].(float64))
}

// settle waits until all events of one service are applied by the other.
func (b *blog) settle(t *testing.T, from, to store) {
	t.Helper()
	servers.Eventually(t, patience, "all events are applied", func() bool {
		return to.text(t, "SELECT count(*) FROM processed_events") == from.text(t, "SELECT count(*) FROM outbox")
	})
}

// passed waits until a service has said to Kafka that it is done with a record.
func (b *blog) passed(t *testing.T, group string, r *kgo.Record) {
	t.Helper()
	admin := kadm.NewClient(b.broker.Client(t))
	servers.Eventually(t, patience, group+" is past the record", func() bool {
		offsets, err := admin.FetchOffsets(t.Context(), group)
		at, ok := offsets.Lookup(r.Topic, r.Partition)
		return err == nil && ok && at.At > r.Offset
	})
}

// find returns the first record of a topic with a key, as who reads only what was committed sees it.
func (b *blog) find(t *testing.T, topic, key string) *kgo.Record {
	t.Helper()
	client := b.broker.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.UnknownTopicRetries(-1),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		for _, r := range client.PollFetches(ctx).Records() {
			if string(r.Key) == key {
				return r
			}
		}
	}
	t.Fatalf("no record in %s has the key %s", topic, key)
	return nil
}
