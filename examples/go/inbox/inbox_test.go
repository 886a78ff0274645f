package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/examples/go/database"
	"outferry/internal/servers"
)

const patience = 2 * time.Minute

func TestMain(m *testing.M) { servers.Main(m) }

// rig is a consumer of one topic whose handler counts into a table, and does what a test wants first.
type rig struct {
	topic  string
	broker *servers.Broker
	failed attempts
}

// attempts counts the consumer's warnings.
type attempts struct {
	slog.Handler
	atomic.Int32
}

func (a *attempts) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "event not applied" {
		a.Add(1)
	}
	return a.Handler.Handle(ctx, r)
}

func start(t *testing.T, broker *servers.Broker, url string, before func(Event) error) *rig {
	r := &rig{broker: broker}
	r.failed.Handler = slog.NewTextHandler(t.Output(), nil)
	r.topic = r.broker.Prefix(t) + "events"
	admin := kadm.NewClient(r.broker.Client(t))
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, r.topic); err != nil {
		t.Fatal(err)
	}
	db, err := database.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	c := &Consumer{
		Brokers: []string{r.broker.Addr}, Group: r.topic, Topic: r.topic, DB: db, Attempts: 3, Pause: 10 * time.Millisecond,
		Log: slog.New(&r.failed),
		Handle: func(ctx context.Context, tx *database.Tx, e Event) error {
			if _, err := tx.Exec(ctx, "INSERT INTO applied (event) VALUES (?)", e.ID); err != nil {
				return err
			}
			return before(e)
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		db.Close()
	})
	return r
}

const tables = `CREATE TABLE processed_events (event_id varchar(255) PRIMARY KEY); CREATE TABLE applied (event text);
	GRANT ALL ON processed_events, applied TO app`

func (r *rig) send(t *testing.T, ids ...string) {
	t.Helper()
	client := r.broker.Client(t)
	for _, id := range ids {
		event := &kgo.Record{Topic: r.topic, Headers: []kgo.RecordHeader{{Key: "id", Value: []byte(id)}, {Key: "eventType", Value: []byte("Happened")}}}
		if err := client.ProduceSync(t.Context(), event).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// applied waits for the events, and fails when there are others.
func applied(t *testing.T, db *servers.Database, want string) {
	t.Helper()
	var got string
	servers.Eventually(t, patience, want+" are applied", func() bool {
		got = db.Text(t, "SELECT string_agg(event, ' ') FROM applied")
		return len(got) >= len(want)
	})
	if noted := db.Text(t, "SELECT string_agg(event_id, ' ' ORDER BY event_id) FROM processed_events"); got != want || noted != want {
		t.Errorf("applied %q and noted %q, want %q", got, noted, want)
	}
}

func TestAFaultThatPassesIsTriedAgain(t *testing.T) {
	db := servers.Postgres(t, 15)
	db.Exec(t, tables)
	var tried atomic.Int32
	r := start(t, servers.Kafka(t), db.URL("app"), func(e Event) error {
		if e.ID == "b" && tried.Add(1) < 3 {
			return errors.New("not now")
		}
		return nil
	})
	r.send(t, "a", "b", "c")
	applied(t, db, "a b c") // in their order: nothing overtakes
}

// The broker makes no topic by itself: the consumer makes that of its dead letters.
func TestAnEventThatNeverAppliesIsSetAside(t *testing.T) {
	db := servers.Postgres(t, 15)
	db.Exec(t, tables)
	broker := servers.StartKafka(t, servers.KafkaOptions{Properties: []string{"auto.create.topics.enable=false"}})
	r := start(t, broker, db.URL("app"), func(e Event) error {
		if e.ID == "b" {
			return errors.New("never")
		}
		return nil
	})
	r.send(t, "a", "b", "b", "c")
	applied(t, db, "a c")
	if n := r.failed.Load(); n != 6 {
		t.Errorf("%d attempts, want 3 for each time it came", n)
	}
}

// No earlier event will come, so waiting would only hold up the others.
func TestAnImpossibleEventIsSetAsideAtOnce(t *testing.T) {
	db := servers.Postgres(t, 15)
	db.Exec(t, tables)
	r := start(t, servers.Kafka(t), db.URL("app"), func(e Event) error {
		if e.ID == "b" {
			return fmt.Errorf("%w: never published", ErrImpossible)
		}
		return nil
	})
	r.send(t, "a", "b", "c")
	applied(t, db, "a c")
	if n := r.failed.Load(); n != 1 {
		t.Errorf("%d attempts, want 1", n)
	}
}

// Not one event is to blame for a database that is away: none is set aside, and all are applied afterwards.
func TestWhileTheDatabaseIsAwayEventsWait(t *testing.T) {
	server := servers.StartPostgres(t, servers.PostgresOptions{})
	db := server.Database(t)
	db.Exec(t, tables)
	r := start(t, servers.Kafka(t), db.URL("app"), func(Event) error { return nil })
	r.send(t, "a")
	applied(t, db, "a")
	server.Stop()
	r.send(t, "b", "c")
	letters := kadm.NewClient(r.broker.Client(t))
	servers.Eventually(t, patience, "more attempts have failed than an event has", func() bool { return r.failed.Load() > 3 })
	server.Start()
	applied(t, db, "a b c")
	if topics, err := letters.ListTopics(t.Context(), DeadLetters(r.topic)); err != nil || topics.Has(DeadLetters(r.topic)) && topics[DeadLetters(r.topic)].Err == nil {
		t.Errorf("there is a dead letter: %v", err)
	}
}
