package snippets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

func TestGoWritesBothRowsOrNone(t *testing.T) {
	for _, stack := range []string{"pgx", "database-sql"} {
		t.Run(stack, func(t *testing.T) {
			program := build(t, stack)
			writesBothOrNone(t, database(t), func(title string) *exec.Cmd { return exec.Command(program, title) })
		})
	}
}

func TestTriggerWritesBothRowsOrNone(t *testing.T) {
	db := database(t)
	db.Exec(t, read(t, "trigger.sql"))
	db.Exec(t, "INSERT INTO posts (title) VALUES ('Hello')")
	wantRows(t, db)
	db.Exec(t, "DO $$ BEGIN INSERT INTO posts (title) VALUES ('refused'); SET CONSTRAINTS ALL IMMEDIATE; EXCEPTION WHEN OTHERS THEN NULL; END $$")
	wantRows(t, db)
}

func TestGoAppliesEachEventOnce(t *testing.T) {
	program := build(t, "consumer")
	appliesOnce(t, database(t), exec.Command(program))
	refusesWithoutID(t, database(t), exec.Command(program))
}

func build(t *testing.T, stack string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), stack)
	output(t, exec.Command("go", "build", "-o", program, "./"+stack))
	return program
}

// database makes one with the tables, which refuses one title at the very end of a transaction.
func database(t *testing.T) *servers.Database {
	t.Helper()
	db := servers.Postgres(t, 15)
	db.Exec(t, read(t, "schema.sql")+`
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN IF NEW.title = 'refused' THEN RAISE 'refused'; END IF; RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON posts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
		GRANT ALL ON ALL TABLES IN SCHEMA public TO app`)
	return db
}

// writesBothOrNone runs a snippet's program with a title that is committed, and with one that is refused.
func writesBothOrNone(t *testing.T, db *servers.Database, command func(title string) *exec.Cmd) {
	t.Helper()
	output(t, surrounded(command("Hello"), db))
	wantRows(t, db)
	if out, err := surrounded(command("refused"), db).CombinedOutput(); err == nil {
		t.Errorf("the refusal is no failure: %s", out)
	}
	wantRows(t, db)
}

// surrounded tells a program where its servers are.
func surrounded(cmd *exec.Cmd, db *servers.Database, more ...string) *exec.Cmd {
	cmd.Env = append(os.Environ(), "DATABASE_URL="+db.URL("app"),
		fmt.Sprintf("JDBC_URL=jdbc:postgresql://127.0.0.1:%d/%s?user=app&password=app", db.Port, db.Name))
	cmd.Env = append(cmd.Env, more...)
	return cmd
}

func wantRows(t *testing.T, db *servers.Database) {
	t.Helper()
	id := db.Text(t, "SELECT string_agg(id::text, ' ') FROM posts WHERE title = 'Hello'")
	if n := db.Text(t, "SELECT count(*) FROM posts"); n != "1" {
		t.Errorf("%s posts, want 1", n)
	}
	var got []map[string]any
	rows := db.Text(t, "SELECT json_agg(outbox ORDER BY id) FROM outbox")
	if err := json.Unmarshal([]byte(rows), &got); err != nil || len(got) != 1 {
		t.Fatalf("the outbox holds %s (%v), want one row", rows, err)
	}
	row := got[0]
	payload, _ := row["payload"].(map[string]any)
	if row["aggregatetype"] != "post" || row["aggregateid"] != id || row["type"] != "PostPublished" || payload["title"] != "Hello" ||
		db.Text(t, "SELECT payload->>'id' FROM outbox") != id {
		t.Errorf("the row is %s, of post %s", rows, id)
	}
}

// events makes a topic with an event for each id, and returns how a consumer finds it.
func events(t *testing.T, ids ...string) (env []string) {
	t.Helper()
	broker := servers.Kafka(t)
	topic := broker.Prefix(t) + "events"
	admin := kadm.NewClient(broker.Client(t))
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	client := broker.Client(t)
	for _, id := range ids {
		event := &kgo.Record{Topic: topic, Value: []byte("of " + id)}
		if id != "" {
			event.Headers = []kgo.RecordHeader{{Key: "id", Value: []byte(id)}}
		}
		if err := client.ProduceSync(t.Context(), event).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return []string{"KAFKA_BROKERS=" + broker.Addr, "TOPIC=" + topic}
}

// refusesWithoutID wants a consumer to fail at an event that nobody could know again.
func refusesWithoutID(t *testing.T, db *servers.Database, consumer *exec.Cmd) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	bounded := exec.CommandContext(ctx, consumer.Path, consumer.Args[1:]...)
	said, err := surrounded(bounded, db, events(t, "a", "")...).CombinedOutput()
	if err == nil || ctx.Err() != nil || !strings.Contains(string(said), "header id") {
		t.Errorf("it ended by %v and said %s", err, said)
	}
	if got := db.Text(t, "SELECT string_agg(title, ', ') FROM posts"); got != "of a" {
		t.Errorf("applied: %s", got)
	}
}

// appliesOnce sends two events, one of them twice, and wants two changes.
func appliesOnce(t *testing.T, db *servers.Database, consumer *exec.Cmd) {
	t.Helper()
	var said bytes.Buffer
	consumer.Stdout, consumer.Stderr = &said, &said
	if err := surrounded(consumer, db, events(t, "a", "a", "b")...).Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- consumer.Wait() }()
	defer func() {
		_ = consumer.Process.Kill() // it runs until it is ended
		<-ended
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	servers.Eventually(t, time.Minute, "both are applied", func() bool {
		return db.Text(t, "SELECT string_agg(event_id, ' ' ORDER BY event_id) FROM processed_events") == "a b"
	})
	if got := db.Text(t, "SELECT string_agg(title, ', ' ORDER BY id) FROM posts"); got != "of a, of b" {
		t.Errorf("applied: %s", got)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// output runs a command to its end, for five minutes at most.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	bounded := exec.CommandContext(ctx, cmd.Path, cmd.Args[1:]...)
	bounded.Dir, bounded.Env = cmd.Dir, cmd.Env
	out, err := bounded.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}
