package feedcheck

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// relay is a feed of the simplest kind, made for judging: it polls a slot with test_decoding, and
// lands a few database transactions and an offset record in one Kafka transaction.
type relay struct {
	t        *testing.T
	db       *sql.DB
	slot     string
	stage    *stage
	client   *kgo.Client
	instance int
	seq      int64
	events   int64
	lsn      string
	sloppy   bool // repeats what it landed before the slot was told
}

type relayTx struct {
	rows []Record
	lsn  string
}

// poll returns the committed transactions that the slot has and are not landed yet.
func (r *relay) poll() []relayTx {
	r.t.Helper()
	rows, err := r.db.Query("SELECT lsn, data FROM pg_logical_slot_peek_changes($1, NULL, 300)", r.slot)
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	var out []relayTx
	var tx relayTx
	for rows.Next() {
		var lsn, data string
		if err := rows.Scan(&lsn, &data); err != nil {
			r.t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(data, "BEGIN"):
			tx = relayTx{}
		case strings.HasPrefix(data, "table public.outbox: INSERT: "):
			tx.rows = append(tx.rows, r.row(data))
		case strings.HasPrefix(data, "COMMIT"):
			if tx.lsn = lsn; r.sloppy || r.after(lsn) {
				out = append(out, tx)
			}
		}
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *relay) after(lsn string) bool {
	was, _ := parseLSN(r.lsn)
	is, _ := parseLSN(lsn)
	return is > was
}

// row reads what test_decoding prints: name[type]:'value' with quotes doubled.
func (r *relay) row(data string) Record {
	values := map[string]string{}
	rest := strings.TrimPrefix(data, "table public.outbox: INSERT: ")
	for rest != "" {
		name, after, _ := strings.Cut(rest, "[")
		_, after, _ = strings.Cut(after, "]:'")
		end := 0
		for after[end] != '\'' || end+1 < len(after) && after[end+1] == '\'' {
			if after[end] == '\'' {
				end++
			}
			end++
		}
		values[name] = strings.ReplaceAll(after[:end], "''", "'")
		rest = strings.TrimPrefix(after[end+1:], " ")
	}
	key := []byte(values["aggregateid"])
	return Record{Topic: "outbox.event." + values["aggregatetype"], Partition: javaPartition(key, fakePartitions), Key: key,
		Value: []byte(values["payload"]), Headers: []Header{{Key: "id", Value: []byte(values["id"])}}}
}

// start takes over: a new instance with a new client.
func (r *relay) start() {
	if r.client != nil {
		r.client.Close()
	}
	r.instance++
	id := "posts"
	if r.stage.feed.rules.AtLeastOnce {
		id = ""
	}
	r.client = r.stage.producer(id)
	if !r.sloppy && r.lsn != "" {
		r.tell()
	}
}

func (r *relay) tell() {
	r.t.Helper()
	if _, err := r.db.Exec("SELECT pg_replication_slot_advance($1, $2::pg_lsn)", r.slot, r.lsn); err != nil {
		r.t.Fatal(err)
	}
}

// step lands what there is, and tells the slot unless it is to be forgotten.
func (r *relay) step(tell bool) int {
	r.t.Helper()
	txs := r.poll()
	if len(txs) == 0 {
		return 0
	}
	var events []Record
	for _, tx := range txs {
		events = append(events, tx.rows...)
	}
	r.seq, r.events, r.lsn = r.seq+1, r.events+int64(len(events)), txs[len(txs)-1].lsn
	offset := r.stage.offset(map[string]any{"v": 1, "pipeline": "posts", "instance": fmt.Sprint(r.instance), "seq": r.seq, "events": r.events,
		"partial": false, "position": map[string]any{"lsn": r.lsn}})
	if r.stage.feed.rules.AtLeastOnce {
		r.stage.send(r.client, r.stage.events(events))
		r.stage.send(r.client, offset)
	} else {
		r.stage.land(r.client, true, r.stage.events(events), offset)
	}
	if tell {
		r.tell()
	}
	return len(txs)
}

// play runs a trial against a relay that is replaced every few steps, at times before it told the slot.
func play(t *testing.T, sloppy, atLeastOnce bool) *Report {
	t.Helper()
	server := servers.StartPostgres(t, servers.PostgresOptions{Settings: []string{"max_prepared_transactions = 20"}})
	database := server.Database(t)
	spec := testSpec()
	spec.TwoPhase, spec.Cut = 10, 5
	r := &relay{t: t, slot: "relay", sloppy: sloppy, stage: &stage{t: t, broker: servers.Kafka(t), feed: &fake{rules: Rules{AtLeastOnce: atLeastOnce}}}}
	s := r.stage
	s.prefix = s.broker.Prefix(t)
	r.db = openPostgres(t, database.URL("postgres"))
	prepareRelay(t, r, spec)
	database.Exec(t, "GRANT pg_read_all_stats TO app")
	check := s.options()
	check.Rules.AtLeastOnce = atLeastOnce
	type result struct {
		*Report
		error
	}
	ended := make(chan result, 1)
	go func() {
		_, report, err := Trial(within(t, 4*time.Minute), TrialOptions{Slot: r.slot, Check: check, Load: LoadOptions{
			Dialect: Postgres{}, DSN: database.URL("app"), Spec: spec, Transactions: 1500, Rate: 600}})
		ended <- result{report, err}
	}()
	for n := 0; ; n++ {
		if n%6 == 0 {
			r.start()
		}
		r.step(n%6 != 5)
		select {
		case x := <-ended:
			if x.error != nil {
				t.Fatal(x.error)
			}
			r.client.Close()
			return x.Report
		default:
		}
	}
}

func prepareRelay(t *testing.T, r *relay, spec Spec) {
	t.Helper()
	ctx := within(t, time.Minute)
	client := r.stage.broker.Client(t)
	topics := []string{r.stage.prefix + "offsets"}
	for _, kind := range spec.Types {
		topic := r.stage.prefix + "outbox.event." + kind
		if _, err := kadm.NewClient(client).CreateTopic(ctx, fakePartitions, 1, nil, topic); err != nil {
			t.Fatal(err)
		}
		topics = append(topics, topic)
	}
	if err := MakeOffsetsTopic(ctx, client, r.stage.prefix+"offsets", 5); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, time.Minute, "the broker knows what was made", func() bool {
		known, err := kadm.NewClient(client).ListTopics(ctx, topics...)
		return err == nil && known.Error() == nil
	})
	if _, err := r.db.ExecContext(ctx, "SELECT pg_create_logical_replication_slot($1, 'test_decoding')", r.slot); err != nil {
		t.Fatal(err)
	}
}

func TestRightRelayPassesATrial(t *testing.T) {
	r := play(t, false, false)
	if !r.OK() || r.Stats.Instances < 3 || r.Stats.SlotSamples == 0 || r.Stats.OnlineRecords != r.Stats.Expected || r.Stats.Expected == 0 {
		t.Fatalf("a right relay was refused:\n%s", r)
	}
	t.Logf("%s", r)
}

func TestSloppyRelayIsCaughtUnlessRepeatsAreAllowed(t *testing.T) {
	if r := play(t, true, false); r.Count(Duplicate) == 0 {
		t.Fatalf("repeats were not named:\n%s", r)
	}
	if r := play(t, true, true); !r.OK() || r.Stats.Replays == 0 {
		t.Fatalf("replays were refused:\n%s", r)
	}
}
