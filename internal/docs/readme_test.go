package docs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/pipeline"
	"outferry/status"
)

// The first screen of the README is a promise: this row becomes that record, by this file.
func TestTheInsertBecomesTheRecord(t *testing.T) {
	readme := readPage(t, "README.md")
	statements, records, files := readme.of("sql"), readme.of("text"), readme.of("yaml")
	if len(statements) != 2 || len(records) < 1 || len(files) != 1 {
		t.Fatalf("README.md has %d sql blocks, %d text blocks and %d yaml blocks, want an INSERT and a CREATE TABLE, the record first, one file",
			len(statements), len(records), len(files))
	}
	insert, table := statements[0], statements[1]

	broker := servers.StartKafka(t, servers.KafkaOptions{}) // the file has names that other tests may use
	db := servers.StartPostgres(t, servers.PostgresOptions{Version: 18}).Database(t)
	db.Exec(t, "ALTER ROLE outferry IN DATABASE "+db.Name+" SET search_path = public; GRANT CREATE ON DATABASE "+db.Name+" TO outferry; GRANT ALL ON SCHEMA public TO outferry")
	db.Exec(t, "SET ROLE outferry; "+table+"RESET ROLE")

	run(t, load(t, files[0], map[string]string{"DATABASE_URL": db.URL("outferry")}, "kafka.brokers="+broker.Addr))
	db.Exec(t, insert)
	got := consume(t, broker, "outbox.event.post")
	if show(got) != records[0] {
		t.Errorf("the record is\n%s\nREADME.md shows\n%s", show(got), records[0])
	}
	at := time.UnixMicro(0)
	if got.Timestamp.Before(at) || time.Since(got.Timestamp) > time.Hour {
		t.Errorf("the record's time is %s", got.Timestamp)
	}
}

// load reads a file that is shown as a person would who has other servers.
func load(t *testing.T, text string, env map[string]string, set ...string) *configs.Pipeline {
	t.Helper()
	loaded, findings := configs.LoadBytes("posts.yaml", []byte(text), configs.Options{
		LookupEnv: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		Environ:   func() []string { return nil },
		Set:       set,
	})
	if findings.HasErrors() || len(loaded.Pipelines) != 1 {
		t.Fatal(findings)
	}
	return loaded.Pipelines[0]
}

// run runs the pipeline until the test ends, and checks that it stops in order.
func run(t *testing.T, cfg *configs.Pipeline) {
	t.Helper()
	log := hclog.New(&hclog.LoggerOptions{Output: t.Output(), Level: hclog.Info})
	p := pipeline.New(cfg, log, status.NewRegistry("test", false).Pipeline(cfg.Name), 10*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("run: ", err)
		}
	})
}

func consume(t *testing.T, broker *servers.Broker, topic string) *kgo.Record {
	t.Helper()
	client := broker.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if records := client.PollFetches(ctx).Records(); len(records) > 0 {
			return records[0]
		}
	}
	t.Fatalf("no record in topic %s", topic)
	return nil
}

// show writes a record as the README does.
func show(r *kgo.Record) string {
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, h.Key+"="+string(h.Value))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "topic    %s\nkey      %s\nheaders  %s\nvalue    %s\n", r.Topic, r.Key, strings.Join(headers, " "), r.Value)
	return b.String()
}

// The file on the first screen is the example that people copy.
func TestTheFileOfTheReadmeIsTheExample(t *testing.T) {
	example, err := os.ReadFile(root + "/configs/postgres.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if files := readPage(t, "README.md").of("yaml"); !slices.Contains(files, string(example)) {
		t.Errorf("configs/postgres.yaml is\n%s", example)
	}
	if lines := strings.Count(string(example), "\n"); lines != 7 {
		t.Errorf("it has %d lines; README.md says seven", lines)
	}
}
