package security

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/internal/configtest"
	"outferry/internal/logging"
	"outferry/internal/servers"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/status"
	"outferry/walstream"
)

func TestMain(m *testing.M) { servers.Main(m) }

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// file is a pipeline of the name; more are options as source.snapshot=no_data.
func file(t testing.TB, name, url, broker string, more ...string) *configs.Pipeline {
	t.Helper()
	text := fmt.Sprintf("name: %s\nsource: {url: %q, tables: [public.outbox], heartbeat_interval: 500ms}\nkafka: {brokers: [%q]}\n", name, url, broker)
	return configtest.Load(t, text, more...)
}

// lines is a log in memory.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newLog(w *lines) hclog.Logger {
	return logging.New(configs.Log{Level: "trace", Format: "json"}, w)
}

// look connects to the database as every start does first.
func look(t testing.TB, cfg *configs.Pipeline) error {
	_, err := walstream.New(cfg, newLog(&lines{}), walstream.Options{}).Look(deadline(t))
	return err
}

// run is one run of a pipeline in this process.
type run struct {
	log  *lines
	reg  *status.Registry
	stop context.CancelFunc
	done chan struct{}
	err  error // valid after done
}

func start(t testing.TB, cfg *configs.Pipeline) *run {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &run{log: &lines{}, reg: status.NewRegistry("test", false), stop: stop, done: make(chan struct{})}
	p := pipeline.New(cfg, newLog(r.log), r.reg.Pipeline(cfg.Name), 10*time.Second)
	go func() {
		defer close(r.done)
		r.err = p.Run(ctx)
	}()
	t.Cleanup(func() {
		r.end()
		if t.Failed() {
			t.Logf("the log of %s, its end:\n%s", cfg.Name, tail(r.log.String(), 3000))
		}
	})
	return r
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// end stops the pipeline in order.
func (r *run) end() error {
	r.stop()
	<-r.done
	return r.err
}

// ended waits until the pipeline stops by itself.
func (r *run) ended(t testing.TB) error {
	t.Helper()
	select {
	case <-r.done:
	case <-time.After(45 * time.Second):
		t.Fatal("the pipeline goes on")
	}
	return r.err
}

// logged waits for a text in the log.
func (r *run) logged(t testing.TB, text string) {
	t.Helper()
	servers.Eventually(t, 90*time.Second, "the log says "+text, func() bool {
		select {
		case <-r.done:
			t.Fatalf("the pipeline has ended: %v", r.err)
		default:
		}
		return strings.Contains(r.log.String(), text)
	})
}

// wantKeys waits until a reader with read_committed has seen exactly these keys, in order.
func wantKeys(t testing.TB, broker, topic string, keys ...string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.UnknownTopicRetries(-1),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var got []string
	for ctx := deadline(t); len(got) < len(keys); {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%s holds %q, want %q", topic, got, keys)
		}
		for _, r := range fetches.Records() {
			got = append(got, string(r.Key))
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(keys) {
		t.Fatalf("%s holds %q, want %q", topic, got, keys)
	}
}

func wantFault(t testing.TB, err error, code string, class outbox.Class, words ...string) *outbox.Fault {
	t.Helper()
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code != code || f.Class != class {
		t.Fatalf("got %v, want %s of class %d", err, code, class)
	}
	for _, w := range words {
		if !strings.Contains(f.Error(), w) {
			t.Errorf("the fault does not say %q: %v", w, f)
		}
	}
	return f
}

// outboxOf makes the table, as its owner, on a database.
func outboxOf(t testing.TB, d *servers.Database) {
	t.Helper()
	d.Exec(t, "SET ROLE app; CREATE TABLE public.outbox (id text PRIMARY KEY, aggregatetype text NOT NULL, aggregateid text NOT NULL, type text, payload text); RESET ROLE")
}

func insert(t testing.TB, d *servers.Database, topic string, keys ...string) {
	t.Helper()
	for _, k := range keys {
		d.Exec(t, "INSERT INTO public.outbox VALUES ($1, $2, $1, 'created', '{}')", k, topic)
	}
}

func deleteTopic(t testing.TB, broker, topic string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.DeleteTopic(deadline(t), topic); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, time.Minute, "the topic is gone", func() bool {
		topics, err := adm.ListTopics(deadline(t), topic)
		return err == nil && topics[topic].Err != nil
	})
}
