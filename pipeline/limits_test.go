package pipeline_test

import (
	"fmt"
	"testing"
	"time"
)

// TestTheLimitOfTopicsHoldsInEachSession, and through a restart by whatever keeps the process alive.
func TestTheLimitOfTopicsHoldsInEachSession(t *testing.T) {
	r := newRig(t, "")
	r.cfg.Kafka.Topics.Limit = 2
	run := r.start()
	for _, route := range []string{"a", "b"} {
		r.insert(route, route, "{}")
		r.consume(route, 1)
	}
	r.insert("c", "c", "{}")
	for range 2 {
		wantFault(t, run.wait(), "row.topics_limit", 1)
		run = r.start()
	}
	wantFault(t, run.wait(), "row.topics_limit", 1)
	r.cfg.Kafka.Topics.Limit = 3
	run = r.start()
	r.consume("c", 1)
	run.stop()
	if n := r.record().Topics; n != 3 {
		t.Errorf("%d topics are said to be made", n)
	}
}

// TestTheLimitOfTopicsHoldsWhereNothingLands: all of them are of one transaction.
func TestTheLimitOfTopicsHoldsWhereNothingLands(t *testing.T) {
	r := newRig(t, "")
	r.cfg.Kafka.Topics.Limit = 2
	run := r.start()
	r.insert("first", "a", "{}")
	r.consume("a", 1)
	r.db.Exec(t, `INSERT INTO outbox SELECT n::text, 'b' || n, 'key', 'created', '{}' FROM generate_series(1, 5) n`)
	for range 3 {
		wantFault(t, run.wait(), "row.topics_limit", 1)
		run = r.start()
	}
	wantFault(t, run.wait(), "row.topics_limit", 1)
	if n := r.record().Topics; n != 2 {
		t.Errorf("%d topics are said to be made", n)
	}
}

// TestALargeTransactionIsMeasuredAlone: what is committed with it, and lies before it, makes it no larger.
func TestALargeTransactionIsMeasuredAlone(t *testing.T) {
	r := newRig(t, "commit: {interval: 30s}\n")
	r.cfg.Source.MaxTransaction = 1 << 20
	r.begin()
	before := len(r.records())
	for n := range 30 {
		r.insert(fmt.Sprintf("small-%d", n), "order", fmt.Sprintf("%0100000d", n))
	}
	r.db.Exec(t, `INSERT INTO outbox SELECT 'large-' || n, 'order', 'key', 'created', repeat('x', 10000) FROM generate_series(1, 80) n`)
	run := r.start()
	r.consume("order", 1+30+80)
	run.stop()
	for _, rec := range r.records()[before:] {
		if rec.Partial {
			t.Errorf("a commit after %d events is inside a transaction of 800 KB", rec.Events)
		}
	}
}

// TestARoleThatMayNoLongerLogInIsGivenUp: it had streamed, so it is waited for, and no longer than the file says.
func TestARoleThatMayNoLongerLogInIsGivenUp(t *testing.T) {
	r := newRig(t, "")
	role := r.db.Name + "_feed"
	r.db.Exec(t, "CREATE ROLE "+role+" SUPERUSER LOGIN PASSWORD 'postgres'")
	r.cfg.Source.User, r.cfg.Source.Retry.GiveUpAfter = role, 2*time.Second
	r.begin()
	run := r.start()
	r.insert("second", "order", "{}")
	r.consume("order", 2)
	began := time.Now()
	r.db.Exec(t, "ALTER ROLE "+role+" NOLOGIN")
	r.db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role)
	wantFault(t, run.wait(), "pg.auth", 3)
	if waited := time.Since(began); waited < r.cfg.Source.Retry.GiveUpAfter {
		t.Errorf("it gave up after %s", waited)
	}
}
