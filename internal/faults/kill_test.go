package faults

import (
	"math/rand/v2"
	"testing"
	"time"
)

// some waits for a random time: harm comes when nobody expects it.
func some(least, most time.Duration) { time.Sleep(least + rand.N(most-least)) }

func TestKillingTheProcessLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	kills := rounds(30, 150)
	newStage(t, options{}).killed(kills, kills/2)
}

// killed kills instance after instance under load, of which some at least must have published.
func (s *stage) killed(kills, published int) {
	i := s.run()
	i.streaming(30 * time.Second)
	tr := s.load(400)
	for n := range kills {
		if n%2 == 0 {
			i.delivers(time.Minute)
		}
		some(200*time.Millisecond, 2*time.Second)
		i.kill()
		i = s.run()
	}
	r := tr.verdict()
	s.require("instances that published", int64(r.Stats.Instances), int64(published))
	s.require("records of aborted transactions", r.Stats.AbortedRecords, 1)
	i.stopsInOrder()
}

func TestKillingTheProcessAsItStartsLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{})
	for range rounds(20, 60) { // from the very first start: publication, intent, slot, snapshot
		i := s.run()
		some(0, 400*time.Millisecond)
		i.kill()
	}
	i := s.run()
	i.streaming(time.Minute)
	tr := s.load(300)
	for range rounds(20, 60) {
		i.kill()
		i = s.run()
		some(0, 400*time.Millisecond)
	}
	i.streaming(time.Minute)
	tr.verdict()
	if slots := s.db.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); slots != "1" {
		t.Errorf("%s slots, want 1", slots)
	}
}
