package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"outferry/configs"
	workload "outferry/internal/bench/load"
	"outferry/internal/servers"
)

// benchFile is a pipeline file with nothing but what a benchmark takes over.
func benchFile(t *testing.T, url, table string, broker *servers.Broker) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "posts.yaml")
	text := fmt.Sprintf("name: posts\nsource:\n  url: %s\n  tables: [%s]\nkafka:\n  brokers: [%s]\n", url, table, broker.Addr)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func benchTopicsThere(t *testing.T, broker *servers.Broker) (names []string) {
	t.Helper()
	topics, err := kadm.NewClient(broker.Client(t)).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, benchTopics) {
			names = append(names, name)
		}
	}
	return names
}

// wantNothing waits until Kafka has forgotten the topics too.
func wantNothing(t *testing.T, broker *servers.Broker, leftovers func() string) {
	t.Helper()
	if n := leftovers(); n != "0" {
		t.Errorf("%s things of the benchmark are left in the database", n)
	}
	awaitBenchTopics(t, broker, 0)
}

// awaitBenchTopics waits until the broker shows so many topics: it answers a change before it does.
func awaitBenchTopics(t *testing.T, broker *servers.Broker, n int) {
	t.Helper()
	servers.Eventually(t, 30*time.Second, fmt.Sprintf("%d topics of a benchmark are there", n), func() bool { return len(benchTopicsThere(t, broker)) == n })
}

func TestBenchMeasuresAndLeavesNothing(t *testing.T) {
	broker := servers.Kafka(t)
	t.Run("postgres", func(t *testing.T) {
		db := servers.Postgres(t, 15)
		db.Exec(t, fmt.Sprintf("GRANT CREATE ON DATABASE %s TO outferry; CREATE SCHEMA shop AUTHORIZATION outferry", db.Name))
		db.Exec(t, "CREATE TABLE public.outferry_bench (theirs int); INSERT INTO public.outferry_bench VALUES (7); GRANT ALL ON public.outferry_bench TO outferry")
		file := benchFile(t, db.URL("outferry"), "shop.outbox", broker)
		o := outferry(t, nil, "bench", file, "--rows", "3000", "--rate", "200", "--duration", "1s", "--size", "300", "--rows-per-transaction", "3")
		o.want(t, 0, "makes table outferry_bench", "backlog 3000 rows", "events/s", "of 200 wanted", "p99", "every row was there once")
		wantNothing(t, broker, func() string {
			return db.Text(t, `SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'shop') + (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'outferry_bench')
				+ (SELECT count(*) FROM pg_publication WHERE pubname = 'outferry_bench')`)
		})
		if got := db.Text(t, "SELECT theirs FROM public.outferry_bench"); got != "7" {
			t.Errorf("the table of another schema holds %q now", got)
		}
	})
	t.Run("mysql", func(t *testing.T) {
		db := servers.MySQL(t, "8.0")
		file := benchFile(t, db.URL("outferry"), "outbox", broker)
		outferry(t, nil, "bench", file).want(t, 3, "for table 'outferry_bench'", "--write-url")
		o := outferry(t, nil, "bench", file, "--write-url", db.URL("app"), "--rows", "3000", "--rate", "0", "-o", "json")
		o.want(t, 0, `"drain_events_per_second":`)
		wantNothing(t, broker, func() string {
			return db.Text(t, "SELECT count(*) FROM information_schema.tables WHERE table_schema = database()")
		})
	})
}

// TestBenchRefusesWhatIsThere: a name of ours that somebody else uses is left alone.
func TestBenchRefusesWhatIsThere(t *testing.T) {
	broker := servers.Kafka(t)
	db := servers.Postgres(t, 15)
	db.Exec(t, "GRANT ALL ON SCHEMA public TO outferry; CREATE TABLE outferry_bench (mine int); INSERT INTO outferry_bench VALUES (7)")
	file := benchFile(t, db.URL("outferry"), "public.outbox", broker)
	outferry(t, nil, "bench", file).want(t, 3, `there already: table "public"."outferry_bench"`, "nothing was changed")
	if got := db.Text(t, "SELECT mine FROM outferry_bench"); got != "7" {
		t.Errorf("the table holds %q now", got)
	}
	db.Exec(t, "DROP TABLE outferry_bench")
	admin := kadm.NewClient(broker.Client(t))
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, benchTopics+"mine"); err != nil {
		t.Fatal(err)
	}
	awaitBenchTopics(t, broker, 1)
	db.Exec(t, "SELECT pg_create_physical_replication_slot('outferry_bench')")
	outferry(t, nil, "bench", file).want(t, 3, "there already: slot outferry_bench, topic outferry-bench.mine", "docs/benchmarks.md")
	db.Exec(t, "SELECT pg_drop_replication_slot('outferry_bench')")
	if _, err := admin.DeleteTopic(t.Context(), benchTopics+"mine"); err != nil {
		t.Fatal(err)
	}
	awaitBenchTopics(t, broker, 0)
}

// TestBenchTakesAwayAfterAFailure: the account may make the table and no publication.
func TestBenchTakesAwayAfterAFailure(t *testing.T) {
	broker := servers.Kafka(t)
	db := servers.Postgres(t, 15)
	db.Exec(t, "GRANT ALL ON SCHEMA public TO outferry")
	file := benchFile(t, db.URL("outferry"), "public.outbox", broker)
	outferry(t, nil, "bench", file, "--rows", "10", "--rate", "0").want(t, 3, "ferry a first row", "pg.publication_denied")
	wantNothing(t, broker, func() string { return db.Text(t, "SELECT count(*) FROM pg_class WHERE relname = 'outferry_bench'") })
}

// TestBenchIsInterrupted in its backlog, and says no more of it than that.
func TestBenchIsInterrupted(t *testing.T) {
	broker := servers.Kafka(t)
	db := servers.Postgres(t, 15)
	db.Exec(t, fmt.Sprintf("GRANT CREATE ON DATABASE %s TO outferry; GRANT ALL ON SCHEMA public TO outferry", db.Name))
	file := benchFile(t, db.URL("outferry"), "public.outbox", broker)
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan outcome, 1)
	go func() { ended <- outferryUntil(ctx, t, nil, "bench", file, "--rows", "10000000", "--rate", "0") }()
	defer func() { interrupt(); <-ended }()
	servers.Eventually(t, time.Minute, "a backlog is written", func() bool {
		return db.Text(t, "SELECT to_regclass('outferry_bench')") != "" && db.Text(t, "SELECT (count(*) > 100)::int FROM outferry_bench") == "1"
	})
	interrupt()
	o := <-ended
	ended <- o
	o.want(t, exitInterrupted, "interrupted")
	if strings.Contains(o.err, "lost") || strings.Contains(o.err, "context canceled") {
		t.Error("it says more than that it was interrupted")
	}
	wantNothing(t, broker, func() string {
		return db.Text(t, "SELECT (SELECT count(*) FROM pg_class WHERE relname = 'outferry_bench') + (SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'outferry_bench')")
	})
}

// TestBenchKnowsTheTopicsOfARequestThatNobodyWaitsFor: the broker makes them all the same.
func TestBenchKnowsTheTopicsOfARequestThatNobodyWaitsFor(t *testing.T) {
	broker := servers.Kafka(t)
	cfg, err := benchConfig("postgres://u@localhost/d")
	if err != nil {
		t.Fatal(err)
	}
	b := &benchmark{cfg: cfg, kafka: broker.Client(t)}
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if _, err := b.topics(ctx, &workload.Shape{Topics: 2}, 0); err != nil {
		t.Error(err)
	}
	awaitBenchTopics(t, broker, len(b.made))
	if len(b.made) != 2 {
		t.Errorf("made %q", b.made)
	}
	if _, err := kadm.NewClient(b.kafka).DeleteTopics(t.Context(), b.made...); err != nil {
		t.Fatal(err)
	}
	awaitBenchTopics(t, broker, 0)
}

// TestBenchEndsWhenItCannotWrite: who reads the rows back would wait for them for ever.
func TestBenchEndsWhenItCannotWrite(t *testing.T) {
	broker := servers.Kafka(t)
	db := servers.Postgres(t, 15)
	db.Exec(t, fmt.Sprintf("GRANT CREATE ON DATABASE %s TO outferry; GRANT ALL ON SCHEMA public TO outferry", db.Name))
	file := benchFile(t, db.URL("outferry"), "public.outbox", broker)
	ended := make(chan outcome, 1)
	go func() {
		ended <- outferry(t, nil, "bench", file, "--rows", "0", "--rate", "100", "--duration", "5m")
	}()
	servers.Eventually(t, time.Minute, "rows are written", func() bool {
		return db.Text(t, "SELECT to_regclass('outferry_bench')") != "" && db.Text(t, "SELECT (count(*) > 10)::int FROM outferry_bench") == "1"
	})
	db.Exec(t, "ALTER TABLE outferry_bench ADD CONSTRAINT no_more CHECK (false) NOT VALID")
	select {
	case o := <-ended:
		o.want(t, 1, "no_more")
	case <-time.After(time.Minute):
		t.Fatal("it did not end")
	}
	wantNothing(t, broker, func() string { return db.Text(t, "SELECT count(*) FROM pg_class WHERE relname = 'outferry_bench'") })
}

// TestBenchIsNotThePipelineOfItsFile to the server either.
func TestBenchIsNotThePipelineOfItsFile(t *testing.T) {
	set, findings := configs.Load([]string{benchFile(t, "mysql://outferry@localhost/app", "outbox", &servers.Broker{Addr: "localhost:9"})}, configs.Options{})
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	b, err := newBenchmark(set, &benchOptions{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if theirs := set.Pipelines[0].Source.MySQL.ServerID; b.cfg.Source.MySQL.ServerID == theirs || theirs == 0 {
		t.Errorf("replica number %d, and the pipeline's is %d", b.cfg.Source.MySQL.ServerID, theirs)
	}
}

func TestBenchRefusesSenselessNumbers(t *testing.T) {
	for _, args := range []string{"--rows -1", "--rate -1", "--rows 0 --rate 0", "--size 10", "--rows-per-transaction 0", "--duration 1ms", "-o xml"} {
		o := outferry(t, nil, append([]string{"bench", "none.yaml"}, strings.Fields(args)...)...)
		o.want(t, 2, strings.TrimLeft(strings.Fields(args)[0], "-o"))
	}
}
