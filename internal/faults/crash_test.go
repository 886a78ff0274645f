package faults

import (
	"testing"
	"time"

	"outferry/internal/servers"
)

func TestKillingTheBrokerLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s, i := streamingToItsKafka(t)
	tr := s.load(200)
	kills := rounds(10, 40)
	for n := range kills {
		if n%2 == 0 { // the others may come before it goes on
			i.delivers(time.Minute)
		}
		some(500*time.Millisecond, 2*time.Second)
		s.broker.Kill()
		some(0, time.Second)
		s.broker.Start()
	}
	i.streaming(time.Minute)
	r := tr.verdict()
	s.require("commits", r.Stats.KafkaCommits, int64(kills/2))
	if i.proc.Running() {
		i.stop()
		return
	}
	t.Errorf("the instance ended, exit code %d", i.proc.ExitCode())
}

// A crash takes the slot back to the last checkpoint, so that the server sends again what Kafka has.
func TestCrashesOfTheDatabaseLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	db := servers.StartPostgres(t, servers.PostgresOptions{Settings: []string{"max_prepared_transactions = 20"}})
	s := newStage(t, options{postgres: db})
	i := s.run()
	i.streaming(30 * time.Second)
	tr := s.load(300)
	crashes := rounds(10, 40)
	for n := range crashes {
		if n%4 < 2 {
			i.delivers(time.Minute)
		}
		some(500*time.Millisecond, 2*time.Second)
		if n%2 == 0 {
			db.StopImmediate()
		} else {
			db.Kill()
		}
		some(0, time.Second)
		db.Start()
	}
	i.streaming(time.Minute)
	tr.verdict()
	if n := i.said("source: streaming:"); n < crashes/2 {
		t.Errorf("streamed %d times: the crashes were not felt", n)
	}
	i.stopsInOrder()
}
