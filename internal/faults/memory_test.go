package faults

import (
	"testing"
	"time"

	"outferry/internal/servers"
)

const bounded = 150 << 20 // bytes of memory that a pipeline may take, whatever comes

// fill commits rows of 1 to most bytes of incompressible payload in one transaction.
func (s *stage) fill(rows, most int) {
	s.t.Helper()
	s.db.Exec(s.t, `INSERT INTO outbox SELECT gen_random_uuid(), 'order', 'k' || i % 1000, 'placed', left(blob, 1 + (random() * $2::int)::int)
		FROM generate_series(1, $1::int) i, (SELECT string_agg(md5(random()::text), '') AS blob FROM generate_series(1, $2::int / 32 + 1)) b`, rows, most)
}

// walsender is the process that sends to the slot's reader, empty where none does.
func (s *stage) walsender() string {
	s.t.Helper()
	return s.db.Text(s.t, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", s.slot())
}

// shown is how far the event topics are visible to readers, markers included.
func (s *stage) shown() (n int64) {
	s.t.Helper()
	var topics []string
	for _, kind := range s.spec.Types {
		topics = append(topics, s.prefix+kind)
	}
	listed, err := s.admin().ListCommittedOffsets(s.within(time.Minute), topics...)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range listed.Offsets().Sorted() {
		n += p.At
	}
	return n
}

// Whoever is cut off again and again inside one large transaction comes further each time.
func TestALargeTransactionGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{postgres: servers.StartPostgres(t, servers.PostgresOptions{})}) // a slot waits for every transaction of its server
	i := s.run("source.max_transaction=1MiB", "source.retry.initial=10ms")
	i.streaming(30 * time.Second)
	const rows = 200_000
	s.fill(rows, 100)
	cuts := 0
	for most := rounds(12, 60); cuts < most; cuts++ {
		before := s.shown()
		if before >= rows {
			break
		}
		servers.Eventually(t, time.Minute, "one more part is visible", func() bool { return s.shown() > before })
		s.db.Exec(t, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active", s.slot())
	}
	s.require("cuts inside the transaction", int64(cuts), 5)
	s.arrived(rows)
	if peak := i.peak(); peak > bounded {
		t.Errorf("peak memory %d MiB", peak>>20)
	}
}

func TestALargeTransactionTakesBoundedMemory(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{postgres: servers.StartPostgres(t, servers.PostgresOptions{})}) // a slot waits for every transaction of its server
	i := s.run("source.max_transaction=1GiB")
	i.streaming(30 * time.Second)
	began := time.Now()
	rows := rounds(4000, 10_000)
	s.fill(rows, 100_000) // 200 or 500 MB
	t.Logf("written after %s", time.Since(began).Round(time.Millisecond))
	servers.Eventually(t, 3*time.Minute, "all is visible", func() bool { return s.shown() >= int64(rows) })
	t.Logf("visible after %s, peak memory %d MiB", time.Since(began).Round(time.Millisecond), i.peak()>>20)
	s.arrived(rows)
	if peak := i.peak(); peak > bounded {
		t.Errorf("peak memory %d MiB", peak>>20)
	}
}

// While Kafka is away the database is read no further than memory allows, and kept waiting.
func TestKafkaAwayWhileTheDatabaseIsBusy(t *testing.T) {
	t.Parallel()
	s, _, kafka := stageBetweenLinks(t)
	i := s.run()
	i.streaming(time.Minute)
	s.insert(1)
	s.arrived(1) // the topic is known: nothing has to be asked while Kafka is away
	written := 1
	for _, c := range []struct {
		name string
		do   func()
	}{{"refused", kafka.Drop}, {"black hole", kafka.Freeze}} {
		t.Run(c.name, func(t *testing.T) {
			walsender, before := s.walsender(), i.resident()
			c.do()
			for range 8 { // 80 MB, more than the pipeline may hold
				s.fill(200, 100_000)
			}
			written += 1600
			some(time.Duration(rounds(10, 30))*time.Second, time.Duration(rounds(11, 31))*time.Second) // twice wal_sender_timeout
			t.Logf("resident before %d MiB, after %d MiB", before>>20, i.resident()>>20)
			if got := s.walsender(); got != walsender || got == "" {
				t.Errorf("walsender %q, was %q: the database was not kept waiting", got, walsender)
			}
			if s.shown() >= int64(written) {
				t.Error("Kafka was not away")
			}
			kafka.Heal()
			s.arrived(written)
			if peak := i.peak(); peak > bounded {
				t.Errorf("peak memory %d MiB", peak>>20)
			}
		})
	}
}
