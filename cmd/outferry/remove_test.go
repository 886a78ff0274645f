package main

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/pipeline"
)

func TestResetMakesTheNextRunAFirstStart(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	r.do("reset").want(t, 3, "offsets.unconfirmed", "publishes every row", r.slot())
	if r.slots() != "1" {
		t.Fatal("a refused reset dropped the slot")
	}
	r.do("reset --yes").want(t, 0, "removed")
	if rec := r.record(); rec != nil || r.slots() != "0" {
		t.Fatalf("left: %+v, %s slots", rec, r.slots())
	}
	r.do("show").want(t, 0, "POSITION none", "first start")
	r.insert(1)
	r.runUntil(3)
	r.wantEvents("1-2", "1-3")
	r.do("reset --yes").want(t, 0, "removed")
	r.do("reset --yes").want(t, 0, "gone")
}

func TestResetKeepsASlotThatIsNotOurs(t *testing.T) {
	r := newRig15(t, "  postgres: {create: false}\n")
	r.db.Exec(t, "CREATE PUBLICATION "+r.slot()+" FOR TABLE outbox")
	r.db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", r.slot())
	r.insert(2)
	r.runUntil(2)
	r.do("reset --yes").want(t, 0, "kept", "create is false")
	r.insert(1)
	r.runUntil(3)
	r.wantEvents("1-2", "1-3")
}

func TestRemoveLeavesNothing(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	r.do("remove").want(t, 3, "offsets.unconfirmed")
	r.do("remove --yes").want(t, 0, "removed")
	if r.slots() != "0" || r.publications() != "0" || r.record() != nil {
		t.Errorf("left: %s slots, %s publications, record %+v", r.slots(), r.publications(), r.record())
	}
	if group, err := pipeline.NewStore(r.config(), r.broker.Client(t)).HasGroup(t.Context()); err != nil || group {
		t.Errorf("group is left: %t, %v", group, err)
	}
	got := decode[struct {
		OK     bool
		Result struct{ Steps []pipeline.Step }
	}](t, r.do("remove --yes -o json").want(t, 0).out)
	if !got.OK || len(got.Result.Steps) != 4 {
		t.Errorf("%+v", got)
	}
	for _, s := range got.Result.Steps {
		if s.Done != "gone" {
			t.Errorf("a second removal did: %+v", s)
		}
	}
}

func TestRemoveOfWhatNeverRanMakesNothing(t *testing.T) {
	r := newRig15(t)
	topic := "offsets.topic=" + r.name + "-offsets"
	r.do("remove --yes", "--set", topic).want(t, 0, "gone")
	store := pipeline.NewStore(r.config(topic), r.broker.Client(t))
	if exists, err := store.Find(t.Context()); err != nil || exists {
		t.Errorf("the offsets topic exists: %t, %v", exists, err)
	}
}

func TestRemoveKeepsAPublicationOfAnotherName(t *testing.T) {
	r := newRig15(t, "  postgres: {publication: shared}\n")
	r.db.Exec(t, "CREATE PUBLICATION shared FOR TABLE outbox")
	r.insert(1)
	r.runUntil(1)
	r.do("remove --yes").want(t, 0, "kept", "not of our name")
	if n := r.db.Text(t, "SELECT count(*) FROM pg_publication WHERE pubname = 'shared'"); n != "1" {
		t.Error("the publication is gone")
	}
}

func TestRemoveWithoutOneSide(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	gone := fmt.Sprintf("source.url=postgres://outferry@127.0.0.1:1/%s", r.db.Name)
	r.do("remove --yes", "--set", gone).want(t, 3, "pg.unreachable")
	r.do("remove --yes", "--set", "kafka.brokers=127.0.0.1:1").want(t, 3, "kafka.unreachable")
	if r.slots() != "1" || r.record() == nil {
		t.Fatal("a removal that failed took something away")
	}
	r.do("remove --yes --skip-database --skip-kafka").want(t, 2)
	r.do("remove --yes --skip-database", "--set", gone).want(t, 0, "skipped", "keeps WAL for ever")
	if r.record() != nil || r.slots() != "1" {
		t.Errorf("left: record %+v, %s slots", r.record(), r.slots())
	}
	r.do("remove --yes --skip-kafka", "--set", "kafka.brokers=127.0.0.1:1").want(t, 0, "skipped")
	if r.slots() != "0" || r.publications() != "0" {
		t.Errorf("left: %s slots, %s publications", r.slots(), r.publications())
	}
}

func TestRemoveWithoutADatabaseRefusesAnOpenTransaction(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	cl := r.broker.Client(t, kgo.TransactionalID("outferry-"+r.name)) // as of a running instance
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	topic, partition := place(t, r)
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Key: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.do("remove --yes --skip-database").want(t, 3, "offsets.pipeline_runs", "open transaction")
	if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	r.do("remove --yes --skip-database").want(t, 0, "removed")
}
