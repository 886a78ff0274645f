package pipeline_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"outferry/internal/servers"
	"outferry/outbox"
	"outferry/pipeline"
)

func wantFault(t *testing.T, err error, code string, exit int) {
	t.Helper()
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code != code {
		t.Fatalf("got %v, want fault %s", err, code)
	}
	if got := pipeline.ExitCode(err); got != exit {
		t.Errorf("%s: exit code %d, want %d", code, got, exit)
	}
}

func TestRowsArriveOnceInOrderAcrossRestarts(t *testing.T) {
	r := newRig(t, "")
	var want []string
	for round := range 4 {
		run := r.start()
		for i := range 25 {
			id := fmt.Sprintf("%d-%02d", round, i)
			r.insert(id, "order", `{"n":1}`)
			want = append(want, id)
		}
		r.consume("order", len(want))
		run.stop()
		r.insert(fmt.Sprint("between-", round), "order", "{}") // while nobody runs
		want = append(want, fmt.Sprint("between-", round))
	}
	run := r.start()
	got := r.consume("order", len(want))
	run.stop()
	if !slices.Equal(ids(got), want) {
		t.Errorf("got %v, want %v", ids(got), want)
	}
	if rec := r.record(); rec.Events != int64(len(want)) || rec.Partial {
		t.Errorf("the offset record says %+v after %d events", rec, len(want))
	}
}

// TestRecordHasWhatTheFileSays: key, headers, partition, timestamp and envelope of one row, over a real broker.
func TestRecordHasWhatTheFileSays(t *testing.T) {
	r := newRig(t, `  topics: {partitions: 3}
router:
  topic: 'PREFIX.${routedByValue}'
  columns: {timestamp: happened, partition: part}
  headers: {eventType: type}
  envelope: {kind: type}
`)
	r.db.Exec(t, `INSERT INTO outbox VALUES ('e1', 'order', 'key-1', 'created', '{"a":"é"}', 2, '2024-02-29 10:11:12.5+00')`)
	run := r.start()
	got := r.consume("order", 1)[0]
	run.stop()
	have := fmt.Sprintf("%d %s %s id=%s eventType=%s %d", got.Partition, got.Key, got.Value, header(got, "id"), header(got, "eventType"), got.Timestamp.UnixMilli())
	want := `2 key-1 {"payload":"{\"a\":\"é\"}","kind":"created"} id=e1 eventType=created 1709201472500`
	if have != want {
		t.Errorf("got  %s\nwant %s", have, want)
	}
}

// TestBadRowStopsBehindWhatPrecedesIt: everything before it is delivered, nothing after it, and a start with the
// cause mended goes on there.
func TestBadRowStopsBehindWhatPrecedesIt(t *testing.T) {
	r := newRig(t, "")
	r.begin()
	for i := range 50 {
		r.insert(fmt.Sprint("good-", i), "order", "{}")
	}
	r.insert("bad", "no such/topic", "{}")
	r.insert("after", "order", "{}")
	run := r.start()
	err := run.wait()
	wantFault(t, err, "row.topic_invalid", 1)
	if !strings.Contains(err.Error(), `"bad"`) {
		t.Errorf("%v does not name the row", err)
	}
	got := ids(r.consume("order", 51))
	if len(got) != 51 || got[50] != "good-49" {
		t.Errorf("got %d rows up to %s", len(got), got[len(got)-1])
	}
	r.configure("router: {topic: 'PREFIX.${routedByValue}', topic_pattern: '(?<routedByValue>[a-z]+).*'}\n")
	run = r.start()
	if got := ids(r.consume("order", 52)); got[51] != "after" {
		t.Errorf("got %s last", got[51])
	}
	r.consume("no", 1)
	run.stop()
}

func TestUpdatesFollowThePolicy(t *testing.T) {
	for _, policy := range []string{"ignore", "warn", "stop"} {
		t.Run(policy, func(t *testing.T) {
			r := newRig(t, "router: {topic: 'PREFIX.${routedByValue}', on_update: "+policy+"}\n")
			run := r.start()
			r.insert("a1", "order", "{}")
			r.consume("order", 1)
			r.db.Exec(t, "UPDATE outbox SET type = 'x'")
			if policy == "stop" {
				wantFault(t, run.wait(), "row.updated", 1)
				return
			}
			r.insert("a2", "order", "{}")
			if got := ids(r.consume("order", 2)); !slices.Equal(got, []string{"a1", "a2"}) {
				t.Errorf("got %v", got)
			}
			run.stop()
		})
	}
}

// TestLargeTransactionIsVisibleWholeOrInDurableParts: below max_transaction it is one Kafka transaction, whatever
// the memory; above, each part has its offset.
func TestLargeTransactionIsVisibleWholeOrInDurableParts(t *testing.T) {
	const rows = 50_000
	for _, test := range []struct {
		max   string
		parts bool
	}{{"256MiB", false}, {"2MiB", true}} {
		t.Run(test.max, func(t *testing.T) {
			r := newRig(t, "")
			r.cfg.Source.MaxTransaction = map[bool]int64{false: 256 << 20, true: 2 << 20}[test.parts]
			run := r.start()
			r.insert("first", "order", "{}")
			r.consume("order", 1)
			before := r.record().Seq
			r.db.Exec(t, `INSERT INTO outbox SELECT 'large-' || lpad(n::text, 6, '0'), 'order', 'key', 'created', repeat('x', 200) FROM generate_series(1, 50000) n`)
			got := ids(r.consume("order", rows+1))
			run.stop()
			for i, id := range got[1:] {
				if id != fmt.Sprintf("large-%06d", i+1) {
					t.Fatalf("row %d is %s", i+1, id)
				}
			}
			transactions := r.record().Seq - before
			if whole := transactions <= 2; whole == test.parts { // an idle position may follow
				t.Errorf("it took %d kafka transactions", transactions)
			}
		})
	}
}

// TestBacklogIsCommittedBetweenTransactions: nearly every batch of it ends inside one, and yet it is committed as often as
// the file says, never inside one.
func TestBacklogIsCommittedBetweenTransactions(t *testing.T) {
	const transactions, rows, limit = 300, 100, 1000
	r := newRig(t, fmt.Sprintf("commit: {rows: %d, interval: 10s}\n", limit))
	r.begin()
	before := len(r.records())
	for i := range transactions {
		r.db.Exec(t, fmt.Sprintf(`INSERT INTO outbox SELECT '%d-' || n, 'order', 'key', 'created', repeat('x', 1000) FROM generate_series(1, %d) n`, i, rows))
	}
	run := r.start()
	r.consume("order", 1+transactions*rows)
	run.stop()
	records := r.records()[before:]
	for _, rec := range records {
		if rec.Partial || rec.Events%rows != 1 {
			t.Errorf("a commit after %d events is inside a transaction", rec.Events)
		}
	}
	if planned := transactions * rows / limit; len(records) < planned/2 { // more where the source ran dry
		t.Errorf("%d commits of %d rows, want about %d", len(records), transactions*rows, planned)
	}
}

// TestRowThatFillsItsBatchIsDeliveredAtOnce: the end of its transaction comes alone, in a batch without rows.
func TestRowThatFillsItsBatchIsDeliveredAtOnce(t *testing.T) {
	r := newRig(t, "")
	r.cfg.Source.HeartbeatInterval = time.Hour
	run := r.start()
	r.insert("first", "order", "{}")
	r.consume("order", 1)
	for i, kib := range []int{250, 256, 300, 600, 1000} {
		began := time.Now()
		r.insert(fmt.Sprint("large-", i), "order", strings.Repeat("x", kib<<10))
		r.consume("order", i+2)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("a row of %d KiB took %s", kib, took)
		}
	}
	run.stop()
}

// TestChangedMappingInsideATransactionIsRefused: the rest would not match its beginning.
func TestChangedMappingInsideATransactionIsRefused(t *testing.T) {
	r := newRig(t, "")
	r.cfg.Source.MaxTransaction = 1 << 20
	run := r.start()
	r.insert("first", "order", "{}")
	r.consume("order", 1)
	r.db.Exec(t, `INSERT INTO outbox SELECT 'large-' || lpad(n::text, 6, '0'), 'order', 'key', 'created', repeat('x', 1000) FROM generate_series(1, 100000) n`)
	r.consume("order", 10_000)
	run.cancel()
	if err := run.wait(); err != nil {
		t.Fatal(err)
	}
	if !r.record().Partial {
		t.Fatal("the large transaction was over before the stop")
	}
	r.configure("router: {topic: 'PREFIX.other.${routedByValue}'}\n")
	r.cfg.Source.MaxTransaction = 1 << 20
	wantFault(t, r.start().wait(), "config.changed_inside_transaction", 2)
	r.configure("")
	run = r.start() // with a larger max_transaction the rest is one part
	got := ids(r.consume("order", 100_001))
	run.stop()
	if slices.Sort(got); len(slices.Compact(got)) != 100_001 {
		t.Error("rows are missing or came twice")
	}
}

func TestAtLeastOnceDelivers(t *testing.T) {
	r := newRig(t, "delivery: at_least_once\n")
	run := r.start()
	for i := range 100 {
		r.insert(fmt.Sprint(i), "order", "{}")
	}
	got := r.consume("order", 100)
	run.stop()
	run = r.start()
	r.insert("last", "order", "{}")
	got = r.consume("order", 101)
	run.stop()
	if len(got) != 101 || header(got[100], "id") != "last" {
		t.Errorf("an orderly restart repeated rows: %d, the last %s", len(got), header(got[len(got)-1], "id"))
	}
}

func TestInitialOnlyEndsByItself(t *testing.T) {
	r := newRig(t, "")
	r.cfg.Source.Snapshot = "initial_only"
	r.insert("a1", "order", "{}")
	r.insert("a2", "order", "{}")
	for range 2 { // the second run finds its work done
		if err := r.start().wait(); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(r.consume("order", 2)); !slices.Equal(got, []string{"a1", "a2"}) {
		t.Errorf("got %v", got)
	}
	if n := r.db.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); n != "0" {
		t.Errorf("it left %s slots behind", n)
	}
}

func TestNoDataSkipsWhatWasThere(t *testing.T) {
	r := newRig(t, "")
	r.cfg.Source.Snapshot = "no_data"
	r.insert("old", "order", "{}")
	run := r.start()
	servers.Eventually(t, deadline, "the slot is there", func() bool { // a heartbeat writes the first position of the stream
		rec := r.record()
		return rec != nil && strings.Contains(string(rec.Position), `"stream"`)
	})
	r.insert("new", "order", "{}")
	if got := ids(r.consume("order", 1)); got[0] != "new" {
		t.Errorf("got %v", got)
	}
	run.stop()
}

// TestWrongColumnIsFoundAtTheStart: before anything is made in the database.
func TestWrongColumnIsFoundAtTheStart(t *testing.T) {
	r := newRig(t, "router: {topic: 'PREFIX.${routedByValue}', columns: {key: aggregate}}\n")
	wantFault(t, r.start().wait(), "router.column_missing", 2)
	if n := r.db.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); n != "0" {
		t.Errorf("it made %s slots", n)
	}
}

// TestARenamedColumnLosesNothing: each file delivers the rows that were written with its column, and stops.
func TestARenamedColumnLosesNothing(t *testing.T) {
	r := newRig(t, "")
	r.insert("a1", "order", "{}")
	run := r.start()
	r.consume("order", 1)
	run.stop()
	r.insert("a2", "order", "{}")
	r.db.Exec(t, "ALTER TABLE outbox RENAME COLUMN aggregatetype TO kind")
	renamed := "router: {topic: 'PREFIX.${routedByValue}', columns: {route_by: kind}}\n"
	r.configure(renamed)
	wantFault(t, r.start().wait(), "row.columns", 2)
	r.configure("")
	wantFault(t, r.start().wait(), "router.column_missing", 2) // when it has caught up
	if got := ids(r.consume("order", 2)); !slices.Equal(got, []string{"a1", "a2"}) {
		t.Fatalf("got %v", got)
	}
	r.db.Exec(t, "INSERT INTO outbox (id, kind, aggregateid) VALUES ('a3', 'order', 'key')")
	wantFault(t, r.start().wait(), "row.columns", 2)
	r.db.Exec(t, "ALTER TABLE outbox RENAME COLUMN kind TO aggregatetype")
	r.insert("a4", "order", "{}")
	wantFault(t, r.start().wait(), "row.columns", 2) // with a3 and not with what the table has now
	r.configure(renamed)
	wantFault(t, r.start().wait(), "row.columns", 2) // a3 is delivered
	r.configure("")
	run = r.start()
	if got := ids(r.consume("order", 4)); !slices.Equal(got, []string{"a1", "a2", "a3", "a4"}) {
		t.Errorf("got %v", got)
	}
	run.stop()
}

// TestDeletedOffsetsTopicIsNoFirstStart, where no slot would tell either: Kafka deletes the group's offsets together
// with the topic, so the transactional id is asked.
func TestDeletedOffsetsTopicIsNoFirstStart(t *testing.T) {
	r := newRig(t, "offsets: {topic: PREFIX.offsets}\n")
	r.cfg.Source.Snapshot = "initial_only"
	r.insert("a1", "order", "{}")
	for range 2 { // the second finds its work done: it takes the transactional id over, and has nothing to commit
		if err := r.start().wait(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := kadm.NewClient(r.kafka.Client(t)).DeleteTopic(t.Context(), r.prefix+".offsets"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the refusal does not wear off
		wantFault(t, r.start().wait(), "kafka.offsets_lost", 4)
	}
}

// TestTableMayComeLater: no start order matters.
func TestTableMayComeLater(t *testing.T) {
	r := newRig(t, "")
	r.db.Exec(t, "ALTER TABLE outbox RENAME TO later")
	run := r.start()
	time.Sleep(200 * time.Millisecond) // it meets the missing table; the outcome does not depend on it
	r.db.Exec(t, "ALTER TABLE later RENAME TO outbox")
	r.insert("a1", "order", "{}")
	r.consume("order", 1)
	run.stop()
}

// TestBacklogIsBoundedInMemory: a database far ahead does not fill us.
func TestBacklogIsBoundedInMemory(t *testing.T) {
	r := newRig(t, "")
	r.begin()
	for i := range 20 {
		r.db.Exec(t, fmt.Sprintf(`INSERT INTO outbox SELECT '%d-' || n, 'order', 'key', 'created', repeat(md5(n::text), 320) FROM generate_series(1, 1000) n`, i))
	}
	runtime.GC() // what the tests before left behind is not ours
	run := r.start()
	var peak uint64
	servers.Eventually(t, deadline, "200 MB of backlog are delivered", func() bool {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapInuse)
		return r.record().Events == 20_001
	})
	run.stop()
	t.Logf("peak heap in use %d MiB", peak>>20)
	if peak > 150<<20 {
		t.Errorf("the heap grew to %d MiB", peak>>20)
	}
}
