package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/pipeline"
	"outferry/sink"
)

func TestShowSaysWhereAPipelineStands(t *testing.T) {
	r := newRig15(t)
	r.do("show").want(t, 0, "POSITION none", "does not exist", "the next run is a first start")
	r.insert(3)
	stop := r.start()
	r.await(3)
	r.awaitStream()
	r.do("show").want(t, 0, "active, read by pid", "CAN GO ON it runs")
	stop()
	rec := r.record()
	r.do("show").want(t, 0, "phase stream", "EVENTS 3", rec.Instance, "not active", "CAN GO ON yes")

	type show struct {
		OK      bool
		Command string
		Result  struct {
			Record struct{ Events, Seq int64 }
			Lag    *int64 `json:"lag_bytes"`
			Slot   struct {
				Confirmed string `json:"confirmed_flush_lsn"`
			}
			Continue struct{ OK bool }
		}
		SchemaVersion int `json:"schema_version"`
	}
	got := decode[show](t, r.do("show -o json").want(t, 0).out)
	if !got.OK || got.SchemaVersion != 1 || got.Command != "outferry offsets show" || got.Result.Record.Events != 3 || got.Result.Record.Seq != rec.Seq ||
		got.Result.Lag == nil || !got.Result.Continue.OK || !strings.Contains(got.Result.Slot.Confirmed, "/") {
		t.Errorf("%+v", got)
	}
}

func TestShowWithoutOneSideShowsTheOther(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	r.do("show", "--set", "kafka.brokers=127.0.0.1:1").want(t, 3, "POSITION -", "not active", "kafka.unreachable", "CAN GO ON -")
	r.do("show", "--set", "source.url=postgres://outferry@127.0.0.1:1/"+r.db.Name).want(t, 3, "phase stream", "pg.unreachable", "SLOT -")
	got := decode[struct {
		OK    bool
		Error struct{ Code string }
	}](t, r.do("show -o json", "--set", "kafka.brokers=127.0.0.1:1").want(t, 3).out)
	if got.OK || got.Error.Code != "kafka.unreachable" {
		t.Errorf("%+v", got)
	}
}

func TestShowNamesTheFaultThatAStartWouldStopWith(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	r.insert(1)
	r.db.Exec(t, "SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())", r.slot())
	r.do("show").want(t, 4, "pg.slot_ahead", "outferry offsets set "+r.name+" --accept-gap")
	r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", r.slot())
	r.do("show").want(t, 4, "pg.slot_missing", "does not exist")
	r.db.Exec(t, "DROP PUBLICATION "+r.slot())
	got := decode[struct{ Error struct{ Code string } }](t, r.do("show -o json").want(t, 4).out)
	if got.Error.Code != "pg.slot_missing" {
		t.Errorf("%+v", got)
	}
	if r.publications() != "0" {
		t.Error("show made a publication")
	}
}

func TestSetRefusesToSkipUnlessTold(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	before := r.record()
	r.insert(3) // 3-5, to be skipped
	to := r.lsn()
	r.insert(2) // 6-7
	r.do("set --lsn "+to).want(t, 3, "offsets.gap", "3 outbox rows in 1 transactions", "bytes of WAL", "--accept-gap")
	r.do("set --accept-gap --lsn "+to).want(t, 3, "offsets.unconfirmed")
	if rec := r.record(); rec.Seq != before.Seq {
		t.Fatalf("a refused move wrote seq %d", rec.Seq)
	}
	r.do("set --accept-gap --yes --lsn "+to).want(t, 0, "moved from", "to "+to, "3 outbox rows")
	after := r.record()
	if after.Seq != before.Seq+1 || after.Events != before.Events || after.Instance == before.Instance {
		t.Errorf("%+v after %+v", after, before)
	}
	r.runUntil(7)
	r.wantEvents("1-2", "6-7")
}

func TestSetToAnEarlierPlaceRepeatsFromThere(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	from := r.lsn()
	r.insert(2)
	r.holdSlot(func() { r.runUntil(3) })
	r.do("set --lsn "+from).want(t, 3, "offsets.unconfirmed", "published again")
	r.do("set --yes --lsn "+from).want(t, 0, "moved")
	r.insert(1)
	r.runUntil(4)
	r.wantEvents("1-3", "2-4")
}

// holdSlot keeps the slot where it is, by putting a copy of it back, so that an earlier place can be served.
func (r *rig) holdSlot(meanwhile func()) {
	r.Helper()
	copySlot := func(from, to string) {
		r.Helper()
		r.db.Exec(r.T, fmt.Sprintf("SELECT pg_copy_logical_replication_slot('%s', '%s')", from, to))
	}
	copySlot(r.slot(), r.slot()+"_copy")
	meanwhile()
	r.db.Exec(r.T, "SELECT pg_drop_replication_slot($1)", r.slot())
	copySlot(r.slot()+"_copy", r.slot())
	r.db.Exec(r.T, "SELECT pg_drop_replication_slot($1)", r.slot()+"_copy")
}

// TestSetOfAPipelineThatNeverRanSaysSo: there is nothing to move, and no command that would move it.
func TestSetOfAPipelineThatNeverRanSaysSo(t *testing.T) {
	r := newRig15(t)
	for _, flags := range []string{"--from-slot", "--now", "--lsn " + r.lsn()} {
		got := r.do("set --yes --accept-gap "+flags).want(t, 3, "neither a position nor a slot", "its first start")
		if strings.Contains(got.err, "NAME") || strings.Contains(got.err, "outferry offsets") {
			t.Errorf("%s: %s", flags, got.err)
		}
	}
	r.insert(1)
	r.runUntil(1)
	r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", r.slot())
	r.do("set --yes --accept-gap --now").want(t, 4, "outferry offsets set "+r.name+" --accept-gap")
}

func TestSetRefusesWhatTheSlotCannotServe(t *testing.T) {
	r := newRig15(t)
	early := r.lsn()
	r.insert(1)
	r.runUntil(1)
	r.do("set --yes --accept-gap --lsn "+early).want(t, 3, "offsets.behind_slot", "--from-slot")
	r.do("set --yes --accept-gap --lsn FFFF/0").want(t, 3, "offsets.ahead_of_server", "--now")
	r.do("set --lsn 0/0").want(t, 2)
	r.do("set --lsn 12").want(t, 2, "0/16B3748")
	r.do("set").want(t, 2)
	r.do("set --now --from-slot").want(t, 2)
	r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", r.slot())
	r.do("set --yes --accept-gap --now").want(t, 4, "pg.slot_missing", "--accept-gap")
}

func TestSetNowSkipsWhatWasCommitted(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	r.insert(5)
	r.do("set --now").want(t, 3, "offsets.gap", "5 outbox rows")
	r.do("set --now --accept-gap --yes").want(t, 0, "moved")
	r.insert(1)
	r.runUntil(7)
	r.wantEvents("1", "7")
}

func TestEveryChangeIsRefusedWhileThePipelineRuns(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	stop := r.start()
	r.await(1)
	for _, line := range []string{"set --now --accept-gap --yes", "reset --yes", "remove --yes", "import --yes"} {
		in := strings.NewReader(string(r.record().Marshal()))
		r.doWith(in, line).want(t, 3, "offsets.pipeline_runs", "pid", "stop it first")
	}
	r.insert(2)
	r.await(3)
	stop()
	r.wantEvents("1-3")
}

func TestAChangeFencesAnInstanceThatNobodySaw(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	old, err := sink.Open(t.Context(), r.config(), hclog.NewNullLogger()) // as of an instance that hangs
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	topic, partition := place(t, r)
	if err := old.Fence(t.Context(), topic, partition); err != nil {
		t.Fatal(err)
	}
	r.insert(1)
	r.do("set --now --accept-gap --yes").want(t, 0)
	after := r.record()
	if err := old.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = old.Commit(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Key: []byte(r.name), Value: after.Marshal()})
	if faultCode(err) != "kafka.fenced" {
		t.Errorf("the old instance's commit: %v, want kafka.fenced", err)
	}
}

func place(t *testing.T, r *rig) (string, int32) {
	t.Helper()
	s := pipeline.NewStore(r.config(), r.broker.Client(t))
	if _, err := s.Find(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.Place()
}

func TestUnknownPipelineAndOutput(t *testing.T) {
	r := newRig15(t)
	outferry(t, nil, "offsets", "show", "nobody", "--config", r.file).want(t, 2, "no pipeline is called", r.name)
	r.do("show -o yaml").want(t, 2, "want table or json")
	outferry(t, nil, "offsets", "show", "x", "--config", r.file+".missing").want(t, 2)
}

func TestSetInsideASnapshotSkipsItsRest(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	rec := r.record()
	rec.Position = bytes.Replace(rec.Position, []byte(`"phase":"stream"`), []byte(`"phase":"snapshot"`), 1)
	r.plant(rec.Marshal())
	r.do("show").want(t, 0, "phase snapshot")
	r.do("export --to-connect --server blog").want(t, 3, "offsets.not_at_transaction_end")
	r.do("set --from-slot --yes").want(t, 3, "offsets.gap", "the snapshot is not finished")
	r.insert(1)
	r.do("set --from-slot --accept-gap --yes").want(t, 0, "moved")
	r.runUntil(3)
	r.wantEvents("1-3")
}

func TestSetWithoutTransactions(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1, "delivery=at_least_once")
	r.insert(2)
	r.do("set --now --accept-gap --yes", "--set", "delivery=at_least_once").want(t, 0, "moved")
	r.insert(1)
	r.runUntil(4, "delivery=at_least_once")
	r.wantEvents("1", "4")
}
