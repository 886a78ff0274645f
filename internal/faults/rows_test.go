package faults

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// insert commits one row in each of n transactions, beside any workload of feedcheck's.
func (s *stage) insert(n int) {
	s.t.Helper()
	s.inserted += n
	for range n {
		s.db.Exec(s.t, "INSERT INTO outbox SELECT gen_random_uuid(), 'order', 'k', 'placed', 'payload'")
	}
}

// insertSized commits one row with an incompressible payload of so many bytes, and returns its id.
func (s *stage) insertSized(bytes int) string {
	s.t.Helper()
	id := s.db.Text(s.t, "SELECT gen_random_uuid()")
	s.db.Exec(s.t, `INSERT INTO outbox SELECT $1, 'order', 'k', 'placed', left(string_agg(md5(random()::text), ''), $2::int)
		FROM generate_series(1, $2::int / 32 + 1)`, id, bytes)
	return id
}

// sent waits until the server has sent all that is committed to the slot's reader.
func (s *stage) sent() {
	s.t.Helper()
	lsn := s.db.Text(s.t, "SELECT pg_current_wal_flush_lsn()")
	servers.Eventually(s.t, 20*time.Second, "the server has sent "+lsn, func() bool {
		return s.db.Text(s.t, "SELECT r.sent_lsn >= $1::pg_lsn FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE s.slot_name = $2", lsn, s.slot()) == "true"
	})
}

// arrived waits for n rows in the event topics as a consumer sees them, and fails on a row too many or twice.
func (s *stage) arrived(n int) []*kgo.Record {
	s.t.Helper()
	client := s.broker.Client(s.t, kgo.ConsumeRegex(), kgo.ConsumeTopics("^"+strings.ReplaceAll(s.prefix, ".", `\.`)+".*"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second)) // topics may come later
	defer client.Close()
	seen := map[string]bool{}
	var records []*kgo.Record
	ctx := s.within(90 * time.Second)
	for len(seen) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("%d of %d rows arrived", len(seen), n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Attrs.IsControl() {
				return
			}
			id := fmt.Sprintf("%s", header(r, "id"))
			if seen[id] {
				s.t.Errorf("row %s arrived twice", id)
			}
			seen[id] = true
			records = append(records, r)
		})
	}
	if len(seen) > n {
		s.t.Errorf("%d rows arrived, want %d", len(seen), n)
	}
	return records
}

func header(r *kgo.Record, key string) []byte {
	for _, h := range r.Headers {
		if h.Key == key {
			return h.Value
		}
	}
	return nil
}

func replaceName(text, name string) string { return strings.ReplaceAll(text, "NAME", name) }
