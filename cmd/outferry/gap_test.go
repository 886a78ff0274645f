package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

func TestAcceptGapAloneWithoutAGapChangesNothing(t *testing.T) {
	r := newRig15(t)
	r.do("set --accept-gap").want(t, 0, "nothing to do", "first start")
	r.insert(1)
	r.runUntil(1)
	before := r.record()
	r.insert(1)
	r.do("set --accept-gap").want(t, 0, "nothing to do")
	if rec := r.record(); rec.Seq != before.Seq {
		t.Errorf("seq %d, want %d", rec.Seq, before.Seq)
	}
	r.runUntil(2)
	r.wantEvents("1-2")
}

func TestAcceptGapGoesOnFromAMovedSlot(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	r.insert(2)
	r.db.Exec(t, "SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())", r.slot())
	r.insert(2)
	r.do("set --from-slot --yes").want(t, 3, "offsets.gap")
	r.do("set --accept-gap --yes").want(t, 0, "what stands in the way", "skipped: ", "can't be counted", "moved")
	r.runUntil(5)
	r.wantEvents("1", "4-5")
}

func TestAcceptGapMakesALostSlotAnew(t *testing.T) {
	for _, test := range []struct{ name, sql string }{
		{"slot dropped", "SELECT pg_drop_replication_slot('%s')"},
		{"publication dropped", "DROP PUBLICATION %s"},
		{"both dropped", "SELECT pg_drop_replication_slot('%s'); DROP PUBLICATION %[1]s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig15(t)
			r.insert(1)
			r.runUntil(1)
			r.insert(2)
			r.db.Exec(t, strings.ReplaceAll(strings.ReplaceAll(test.sql, "%[1]s", r.slot()), "%s", r.slot()))
			r.do("show").want(t, 4)
			r.moves("--accept-gap", "made anew")
			r.insert(2)
			r.runUntil(5)
			r.wantEvents("1", "4-5")
		})
	}
}

// TestAcceptGapWhereThePipelineStands: the slot has nothing that is not published, and the publication may have kept rows
// from it.
func TestAcceptGapWhereThePipelineStands(t *testing.T) {
	for _, test := range []struct{ name, sql string }{
		{"publication altered", "ALTER PUBLICATION %s SET (publish = 'insert')"},
		{"table left and came back", "ALTER PUBLICATION %s DROP TABLE outbox; ALTER PUBLICATION %[1]s ADD TABLE outbox"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig15(t)
			r.insert(1)
			r.runUntil(1)
			change := func() { r.db.Exec(t, fmt.Sprintf(test.sql, r.slot())) }
			change()
			if f := r.failure(4); f.Code != "pg.publication_changed" || !strings.Contains(f.Remedy, "outferry offsets set "+r.name+" --accept-gap") {
				t.Fatal(f)
			}
			for _, flags := range []string{"--from-slot", "--lsn " + r.db.Text(t, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1", r.slot())} {
				r.do("set --yes "+flags).want(t, 3, "offsets.gap", "what stands in the way")
			}
			r.moves("--accept-gap", "what stands in the way")
			change() // once more, and nobody has accepted that
			r.failure(4)
			r.moves("--accept-gap", "what stands in the way")
			r.do("set --accept-gap").want(t, 0, "nothing to do")
			r.insert(1)
			r.runUntil(2)
			r.wantEvents("1-2")
		})
	}
}

func TestAcceptGapReplacesAnInvalidatedSlot(t *testing.T) {
	pg := servers.StartPostgres(t, servers.PostgresOptions{Settings: []string{"max_slot_wal_keep_size = 1MB", "max_wal_size = 32MB", "min_wal_size = 32MB"}})
	r := newRig(t, pg.Database(t))
	r.insert(1)
	r.runUntil(1)
	r.insert(2)
	servers.Eventually(t, time.Minute, "the slot is lost", func() bool {
		r.db.Exec(t, "SELECT pg_logical_emit_message(false, 'x', 'y'), pg_switch_wal()")
		r.db.Exec(t, "CHECKPOINT")
		return r.db.Text(t, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = $1", r.slot()) == "lost"
	})
	r.do("show").want(t, 4, "pg.slot_lost")
	r.do("set --now --accept-gap --yes").want(t, 4, "pg.slot_lost")
	r.do("set --accept-gap --yes").want(t, 0, "dropped and made anew", "moved")
	r.insert(2)
	r.runUntil(5)
	r.wantEvents("1", "4-5")
}

func TestAcceptGapMakesNothingWhereItMayNot(t *testing.T) {
	r := newRig15(t, "  postgres: {create: false}\n")
	create := func() { r.db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", r.slot()) }
	r.db.Exec(t, "CREATE PUBLICATION "+r.slot()+" FOR TABLE outbox")
	create()
	r.insert(1)
	r.runUntil(1)
	r.insert(1)
	r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", r.slot())
	r.do("set --accept-gap --yes").want(t, 3, "create is false", "pg_create_logical_replication_slot")
	create()
	r.do("set --accept-gap --yes").want(t, 0, "moved")
	r.insert(1)
	r.runUntil(3)
	r.wantEvents("1", "3")
}

func TestFromSlotAfterKafkaForgot(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	r.insert(2)
	elsewhere := []string{"--set", "offsets.topic=" + r.name + "-other"}
	r.do("show", elsewhere...).want(t, 4, "pg.slot_without_offset", "--from-slot")
	r.do("set --from-slot", elsewhere...).want(t, 3, "offsets.unconfirmed", "Kafka has no position")
	r.do("set --from-slot --yes", elsewhere...).want(t, 0, "moved from none")
	r.runUntil(4, elsewhere[1])
	r.wantEvents("1-4")
}

func TestAcceptGapAfterTheServerWasReplaced(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	rec := r.record()
	rec.Position = bytes.Replace(rec.Position, []byte(`"system_id":"`), []byte(`"system_id":"1`), 1) // as after pg_upgrade
	r.plant(rec.Marshal())
	r.insert(1)
	r.do("show").want(t, 4, "pg.wrong_source")
	r.do("set --now --yes").want(t, 3, "offsets.gap", "another server")
	r.do("set --accept-gap --yes").want(t, 0, "another server", "moved")
	r.runUntil(3)
	r.wantEvents("1-3")
}

func TestARecordThatCannotBeReadIsReplaced(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	r.plant([]byte(`{"v":99}`))
	r.insert(1)
	r.do("show").want(t, 4, "kafka.offset_invalid", "POSITION -", "not active")
	r.do("export").want(t, 4, "kafka.offset_invalid")
	r.do("set --from-slot --yes").want(t, 0, "moved from none")
	r.runUntil(3)
	r.wantEvents("1-3")
	r.plant([]byte("junk"))
	r.do("reset --yes").want(t, 0, "removed")
	r.do("show").want(t, 0, "POSITION none")
}

// plant writes a record's value as nobody of ours would.
func (r *rig) plant(value []byte) {
	r.Helper()
	topic, partition := place(r.T, r)
	client := r.broker.Client(r.T, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := client.ProduceSync(r.Context(), &kgo.Record{Topic: topic, Partition: partition, Key: []byte(r.name), Value: value}).FirstErr(); err != nil {
		r.Fatal(err)
	}
}

func TestLostRecordsAreNoFirstStart(t *testing.T) {
	r := newRig15(t)
	other := "offsets.topic=" + r.name + "-offsets"
	r.insert(1)
	r.runUntil(1, other)
	r.empty(r.name + "-offsets")
	r.do("show", "--set", other).want(t, 4, "kafka.offsets_lost")
	r.insert(1)
	r.do("set --from-slot --yes", "--set", other).want(t, 0, "moved from none")
	r.runUntil(2, other)
	r.wantEvents("1-2")
}

// TestAResetWhoseTopicIsGoneIsBelieved by the next start, though the transactional id has committed.
func TestAResetWhoseTopicIsGoneIsBelieved(t *testing.T) {
	r := newRig15(t)
	topic := r.name + "-offsets"
	other := "offsets.topic=" + topic
	r.insert(1)
	r.runUntil(1, other)
	adm := kadm.NewClient(r.broker.Client(t))
	if _, err := adm.DeleteTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, time.Minute, "the topic is gone", func() bool {
		topics, err := adm.ListTopics(t.Context(), topic)
		return err == nil && !topics.Has(topic)
	})
	r.do("reset --yes", "--set", other).want(t, 0, "removed")
	r.insert(1)
	r.runUntil(2, other)
	r.wantEvents("1", "1-2")
}

// empty deletes all records of a topic, which the broker allows only with a policy that deletes.
func (r *rig) empty(topic string) {
	r.Helper()
	adm := kadm.NewClient(r.broker.Client(r.T))
	policy := func(value string) {
		r.Helper()
		responses, err := adm.AlterTopicConfigs(r.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &value}}, topic)
		if _, err = responses.On(topic, nil); err != nil {
			r.Fatal(err)
		}
	}
	policy("compact,delete")
	defer policy("compact")
	servers.Eventually(r.T, time.Minute, "every record is deleted", func() bool {
		ends, err := adm.ListEndOffsets(r.Context(), topic)
		if err != nil {
			return false
		}
		deleted, err := adm.DeleteRecords(r.Context(), ends.Offsets())
		return err == nil && deleted.Error() == nil
	})
}

// TestMovesOnAPromotedServerAreMeasuredFromTheFork: what it has behind that is not published, though the stored position is further.
func TestMovesOnAPromotedServerAreMeasuredFromTheFork(t *testing.T) {
	s := servers.StartPostgres(t, servers.PostgresOptions{Version: 15})
	r := newRig(t, s.Database(t))
	r.insert(1)
	r.runUntil(1)
	s.Stop()
	standby := s.CopyData()
	s.Start()
	r.insert(100)
	r.runUntil(101)
	s.Stop()
	s.Restore(standby)
	s.StandBy()
	s.Start()
	s.Promote()
	r.next = 200
	r.insert(1)
	r.do("show").want(t, 0, "yes, at")
	r.do("set --now --yes").want(t, 3, "offsets.gap", "promoted")
	r.runUntil(201)
	r.wantEvents("1-101", "201")
}
