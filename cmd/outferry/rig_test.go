package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/status"
)

func TestMain(m *testing.M) { servers.Main(m) }

// rig is one pipeline on real servers: its file, and what it publishes.
type rig struct {
	*testing.T
	db     *servers.Database
	broker *servers.Broker
	name   string
	file   string
	next   int // the last event's payload
}

// newRig makes the table as the pipeline's own role, so that it may make its publication.
func newRig(t *testing.T, db *servers.Database, more ...string) *rig {
	t.Helper()
	db.Exec(t, fmt.Sprintf(`GRANT CREATE ON DATABASE %s TO outferry; GRANT ALL ON SCHEMA public TO outferry; SET ROLE outferry;
		CREATE TABLE outbox (id text PRIMARY KEY, aggregatetype text, aggregateid text, type text, payload text); RESET ROLE`, db.Name))
	r := rigOn(t, db.URL("outferry"), "public.outbox", more)
	r.db = db
	return r
}

// rigOn is a rig whose file leads to a table.
func rigOn(t *testing.T, url, table string, more []string) *rig {
	t.Helper()
	broker := servers.Kafka(t)
	r := &rig{T: t, broker: broker, name: strings.TrimSuffix(broker.Prefix(t), "-"), file: filepath.Join(t.TempDir(), "posts.yaml")}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("outferry"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("name: %s\nsource:\n  url: %s\n  password: ${file:%s}\n  tables: [%s]\n  heartbeat_interval: 1s\n%skafka:\n  brokers: [%s]\n",
		r.name, strings.Replace(url, ":outferry@", "@", 1), secret, table, strings.Join(more, ""), broker.Addr)
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return r
}

func newRig15(t *testing.T, more ...string) *rig { return newRig(t, servers.Postgres(t, 15), more...) }

// insert commits one transaction of n rows, whose payloads count up.
func (r *rig) insert(n int) {
	r.Helper()
	r.db.Exec(r.T, `INSERT INTO outbox SELECT to_char(i, '000000'), $1, 'k', 't', i::text FROM generate_series($2::int, $3::int) i`,
		r.name, r.next+1, r.next+n)
	r.next += n
}

// lsn is the end of the WAL that is durable.
func (r *rig) lsn() string { return r.db.Text(r.T, "SELECT pg_current_wal_flush_lsn()") }

func (r *rig) slot() string { return "outferry_" + r.name }

func (r *rig) slots() string {
	return r.db.Text(r.T, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1", r.slot())
}

func (r *rig) publications() string {
	return r.db.Text(r.T, "SELECT count(*) FROM pg_publication WHERE pubname = $1", r.slot())
}

// config loads the pipeline as a command does.
func (r *rig) config(set ...string) *configs.Pipeline {
	r.Helper()
	loaded, findings := configs.Load([]string{r.file}, configs.Options{Set: set})
	if findings.HasErrors() {
		r.Fatal(findings)
	}
	return loaded.Pipelines[0]
}

// start runs the pipeline; the func it returns stops it and checks that it ended in order.
func (r *rig) start(set ...string) (stop func()) {
	r.Helper()
	end := r.launch(set...)
	return func() {
		r.Helper()
		end()
		servers.Eventually(r.T, time.Minute, "nobody reads the slot", func() bool {
			return r.db.Text(r.T, "SELECT active FROM pg_replication_slots WHERE slot_name = $1", r.slot()) != "true"
		})
	}
}

// launch runs the pipeline on any database.
func (r *rig) launch(set ...string) (stop func()) {
	r.Helper()
	p := pipeline.New(r.config(set...), hclog.New(&hclog.LoggerOptions{Output: r.Output(), Level: hclog.Info}), status.NewRegistry("test", false).Pipeline(r.name), 10*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return func() {
		r.Helper()
		cancel()
		if err := <-ended; err != nil {
			r.Fatal("run: ", err)
		}
	}
}

// runUntil runs the pipeline until it has published the payload and streams.
func (r *rig) runUntil(payload int, set ...string) {
	r.Helper()
	stop := r.start(set...)
	defer stop()
	r.await(payload)
	r.awaitStream(set...)
}

func (r *rig) awaitStream(set ...string) {
	r.Helper()
	servers.Eventually(r.T, time.Minute, "it streams", func() bool {
		return strings.Contains(string(r.record(set...).Position), `"phase":"stream"`) &&
			r.db.Text(r.T, "SELECT active FROM pg_replication_slots WHERE slot_name = $1", r.slot()) == "true"
	})
}

func (r *rig) await(payload int) {
	r.Helper()
	want := fmt.Sprint(payload)
	servers.Eventually(r.T, time.Minute, "event "+want+" is there", func() bool { return slices.Contains(r.events(), want) })
}

// events returns every committed payload, in order.
func (r *rig) events() []string {
	r.Helper()
	return r.values("outbox.event." + r.name)
}

func (r *rig) values(topic string) (values []string) {
	r.Helper()
	ends, err := kadm.NewClient(r.broker.Client(r.T)).ListEndOffsets(r.Context(), topic)
	end, ok := ends.Lookup(topic, 0)
	if err != nil || !ok || end.Err != nil {
		return nil // not made yet
	}
	client := r.broker.Client(r.T, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer client.Close()
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(r.Context())
		if err := fetches.Err(); err != nil {
			r.Fatal(err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			next = rec.Offset + 1
			if !rec.Attrs.IsControl() {
				values = append(values, string(rec.Value))
			}
		})
	}
	return values
}

// wantEvents compares what was published with a list of payloads, each "1" or "1-3".
func (r *rig) wantEvents(want ...string) {
	r.Helper()
	var list []string
	for _, w := range want {
		var from, to int
		if n, _ := fmt.Sscanf(w, "%d-%d", &from, &to); n < 2 {
			to = from
		}
		for ; from <= to; from++ {
			list = append(list, fmt.Sprint(from))
		}
	}
	if got := r.events(); !slices.Equal(got, list) {
		r.Fatalf("events %v, want %v", got, list)
	}
}

// outcome is what a command answered.
type outcome struct {
	code     int
	out, err string
}

// do runs a command of the pipeline: "show", "set --now", "remove".
func (r *rig) do(line string, more ...string) outcome { return r.doWith(nil, line, more...) }

func (r *rig) doWith(in io.Reader, line string, more ...string) outcome {
	r.Helper()
	args := strings.Fields(line)
	args = append([]string{args[0], r.name}, args[1:]...)
	if args[0] != "remove" {
		args = append([]string{"offsets"}, args...)
	}
	return outferry(r.T, in, append(append(args, "--config", r.file), more...)...)
}

// outferry runs a command line.
func outferry(t *testing.T, in io.Reader, args ...string) outcome {
	t.Helper()
	return outferryUntil(context.Background(), t, in, args...)
}

// outferryUntil is interrupted when ctx ends.
func outferryUntil(ctx context.Context, t *testing.T, in io.Reader, args ...string) outcome {
	t.Helper()
	if in == nil {
		in = strings.NewReader("")
	}
	var out, errOut bytes.Buffer
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(&out)
	root.SetErr(&errOut)
	err := root.ExecuteContext(ctx)
	s := outcome{out: out.String(), err: errOut.String()}
	if err != nil {
		s.code = 2
		var exit *exitError
		if errors.As(err, &exit) {
			s.code = exit.code
		}
		s.err += err.Error()
	}
	t.Logf("outferry %s: exit %d\n%s%s", strings.Join(args, " "), s.code, s.out, s.err)
	if strings.Contains(s.out+s.err, ":outferry@") || strings.Contains(s.out+s.err, "password") {
		t.Error("a secret is printed")
	}
	return s
}

// want checks code and words.
func (s outcome) want(t *testing.T, code int, words ...string) outcome {
	t.Helper()
	if s.code != code {
		t.Fatalf("exit %d, want %d\n%s%s", s.code, code, s.out, s.err)
	}
	text := strings.Join(strings.Fields(s.out+s.err), " ") // columns shift with their widest word
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Fatalf("it does not say %q:\n%s%s", w, s.out, s.err)
		}
	}
	return s
}

// record reads the pipeline's newest record.
func (r *rig) record(set ...string) *offsets.Record {
	r.Helper()
	rec, err := pipeline.NewStore(r.config(set...), r.broker.Client(r.T)).Peek(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return rec
}

func faultCode(err error) string {
	var f *outbox.Fault
	if errors.As(err, &f) {
		return f.Code
	}
	return ""
}

func decode[V any](t *testing.T, text string) (v V) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
