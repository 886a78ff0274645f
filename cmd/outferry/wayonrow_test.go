package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"outferry/outbox"
)

const small, low = "kafka.max_record=2KiB", "source.max_row=64KiB"

// TestRowOfPostgresThatCantBePublishedIsPassedByAsTheFaultSays: the command is the whole end of the message, and passes by
// that one transaction, whichever of its rows is the bad one.
func TestRowOfPostgresThatCantBePublishedIsPassedByAsTheFaultSays(t *testing.T) {
	const into = "INSERT INTO outbox VALUES "
	bad := map[string][]string{
		"row.record_too_large":   {into + "('bad', 'x', 'k', 't', repeat('x', 10000))"},
		"row.topic_invalid":      {into + "('bad', 'no such/topic', 'k', 't', '{}')"},
		"row.refused_by_broker":  {into + "('bad', 'NARROW', 'k', 't', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 45) n))"},
		"row.too_large":          {into + "('bad', 'x', 'k', 't', repeat('x', 100000))"},
		"in a large transaction": {into + "('bad', 'no such/topic', 'k', 't', '{}')", "INSERT INTO outbox SELECT 'l' || n, 'x', 'k', 't', repeat('y', 1000) FROM generate_series(1, 3000) n"},
		"behind a large part":    {"INSERT INTO outbox SELECT 'm' || n, 'x', 'k', 't', repeat('y', 1000) FROM generate_series(1, 3000) n", into + "('bad', 'no such/topic', 'k', 't', '{}')"},
	}
	for name, statements := range bad {
		t.Run(name, func(t *testing.T) {
			r := newRig15(t)
			r.insert(1)
			r.runUntil(1)
			for range 5 {
				r.insert(1)
			}
			r.db.Exec(t, strings.ReplaceAll("BEGIN; "+strings.Join(statements, "; ")+"; COMMIT", "NARROW", r.narrow()))
			for range 5 {
				r.insert(1)
			}
			f := r.failure(1, small, low)
			if !strings.HasPrefix(f.Code, "row.") || strings.HasPrefix(name, "row.") && f.Code != name {
				t.Fatal(f)
			}
			r.wantEvents("1-6")
			r.passesBy(f)
			r.runUntil(11, small, low)
			r.wantEvents("1-11")
		})
	}
}

// TestRowOfALogThatCantBePublishedIsPassedByAsTheFaultSays does the same on MySQL and MariaDB. Inside a large transaction no
// place in a file is known that lies behind it.
func TestRowOfALogThatCantBePublishedIsPassedByAsTheFaultSays(t *testing.T) {
	eachPosition(t, func(t *testing.T, r *logRig) {
		r.insert(1)
		r.runUntil(1)
		pass := func(sql string) {
			t.Helper()
			r.elsewhere()
			r.insert(1)
			before := r.next
			r.my.Exec(t, sql)
			r.elsewhere()
			r.insert(1)
			f := r.failure(1, small)
			r.wantEvents(fmt.Sprintf("1-%d", before))
			r.passesBy(f)
			r.runUntil(r.next, small)
			r.wantEvents(fmt.Sprintf("1-%d", r.next))
		}
		pass("INSERT INTO outbox VALUES ('large', 'x', 'k', 't', repeat('x', 10000))")
		pass("INSERT INTO outbox VALUES ('route', 'no such/topic', 'k', 't', '{}'); FLUSH BINARY LOGS")
		if !strings.Contains(string(r.record().Position), `"by_gtid":true`) {
			return
		}
		pass("START TRANSACTION; INSERT INTO outbox VALUES ('first', 'no such/topic', 'k', 't', '{}'); " +
			strings.Repeat("INSERT INTO outbox SELECT LEFT(UUID(), 32), 'x', 'k', 't', REPEAT('y', 1000); ", 1000) + "COMMIT")
	})
}

// TestRowBehindALargeOneIsPassedByAlone: a row that fills its batch leaves the end of its transaction to the next one.
func TestRowBehindALargeOneIsPassedByAlone(t *testing.T) {
	large := func(r *rig) {
		r.next++
		r.db.Exec(t, fmt.Sprintf("INSERT INTO outbox VALUES ('%06d', '%s', 'k', '%s', '%[1]d')", r.next, r.name, strings.Repeat("t", 300_000)))
	}
	for name, bad := range map[string]func(r *rig){
		"unroutable": func(r *rig) { r.db.Exec(t, "INSERT INTO outbox VALUES ('bad', 'no such/topic', 'k', 't', '{}')") },
		"refused": func(r *rig) {
			r.db.Exec(t, "INSERT INTO outbox VALUES ('bad', '"+r.narrow()+"', 'k', 't', (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 15000) n))")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig15(t)
			r.insert(1)
			r.runUntil(1)
			large(r)
			bad(r)
			r.insert(1)
			large(r)
			r.insert(1)
			f := r.failure(1)
			r.wantEvents("1-2")
			r.passesBy(f)
			r.runUntil(5)
			r.wantEvents("1-5")
		})
	}
}

// passesBy follows the command of a fault to the letter.
func (r *rig) passesBy(f *outbox.Fault) {
	r.Helper()
	command := r.commandOf(f)
	if !strings.HasSuffix(command, " --accept-gap") {
		r.Fatalf("the message does not end with the command: %v", f)
	}
	r.moves(command, "skipped")
}

// narrow is the routing value of a topic that takes no large record.
func (r *rig) narrow() string {
	r.Helper()
	limit := "500"
	name := r.name + "-narrow"
	if _, err := kadm.NewClient(r.broker.Client(r.T)).CreateTopic(r.Context(), 1, 1, map[string]*string{"max.message.bytes": &limit}, "outbox.event."+name); err != nil {
		r.Fatal(err)
	}
	return name
}
