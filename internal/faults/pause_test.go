package faults

import (
	"syscall"
	"testing"
	"time"
)

func TestAPauseOfTheProcessLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{})
	i := s.run()
	i.streaming(30 * time.Second)
	tr := s.load(200)
	pause := time.Duration(rounds(5, 75)) * time.Second // in a long run longer than a Kafka transaction may last
	for range 2 {
		some(500*time.Millisecond, time.Second)
		i.signal(syscall.SIGSTOP)
		some(pause, pause+time.Second)
		i.signal(syscall.SIGCONT)
	}
	some(time.Second, 2*time.Second)
	tr.verdict()
	i.stopsInOrder()
}

func TestAPauseOfTheBrokerLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s, i := streamingToItsKafka(t)
	tr := s.load(200)
	pause := time.Duration(rounds(10, 90)) * time.Second
	some(time.Second, 2*time.Second)
	s.broker.Pause()
	some(pause, pause+time.Second)
	s.broker.Resume()
	some(time.Second, 2*time.Second)
	i.streaming(2 * time.Minute)
	tr.verdict()
	i.stopsInOrder()
}
