package faults

import (
	"syscall"
	"testing"
	"time"

	"outferry/internal/servers"
)

func TestStoppingInOrderRedeliversNothing(t *testing.T) {
	t.Parallel()
	newStage(t, options{}).stopped(rounds(20, 60))
}

// stopped stops instance after instance in order, under load.
func (s *stage) stopped(stops int) {
	i := s.run()
	i.streaming(30 * time.Second)
	tr := s.load(300)
	for range stops {
		i.says("status served", 20*time.Second) // from here on signals are heard
		some(0, time.Second)
		began := time.Now()
		if code := i.stop(); code != 0 {
			s.t.Fatalf("exit code %d after SIGTERM, want 0", code)
		}
		if took := time.Since(began); took > 5*time.Second {
			s.t.Errorf("an orderly stop took %s", took)
		}
		i = s.run()
	}
	i.streaming(30 * time.Second)
	if r := tr.verdict(); r.Stats.AbortedRecords > 0 {
		s.t.Logf("%d records were aborted by orderly stops", r.Stats.AbortedRecords)
	}
}

// stageBehindFrames is a stage whose instances reach their broker over a link.
func stageBehindFrames(t *testing.T) (*stage, *frames) {
	t.Helper()
	broker, f := kafkaBehindFrames(t)
	return newStage(t, options{broker: broker, kafka: f.Addr}), f
}

// takenWithoutKafka takes Kafka away and waits until an instance has taken rows and feels that it is gone.
func (s *stage) takenWithoutKafka(f *frames, away func(), rows int) {
	s.t.Helper()
	for range 2 { // the instance has looked the topic up, and all that its first commit is followed by is over
		s.insert(1)
		s.arrived(s.inserted)
	}
	away()
	before := f.Felt.Load()
	s.insert(rows)
	s.sent()
	servers.Eventually(s.t, 20*time.Second, "the instance feels that Kafka is away", func() bool { return f.Felt.Load() > before })
}

func TestStoppingWithoutKafkaEndsInTime(t *testing.T) {
	t.Parallel()
	s, f := stageBehindFrames(t)
	for _, loss := range []struct {
		name string
		do   func()
	}{{"refused", f.Drop}, {"black hole", f.Freeze}} {
		t.Run(loss.name, func(t *testing.T) {
			i := s.run("service.shutdown_timeout=5s")
			i.streaming(time.Minute)
			s.takenWithoutKafka(f, loss.do, 5)
			began := time.Now()
			code := i.stop()
			t.Logf("exit code %d after %s", code, time.Since(began))
			if code == 0 {
				t.Error("exit code 0, but what was read was not delivered")
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("the stop took %s, service.shutdown_timeout is 5s", took)
			}
			f.Heal()
		})
	}
	i := s.run()
	i.streaming(time.Minute)
	s.arrived(s.inserted)
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s, f := stageBehindFrames(t)
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGTERM, 143}, {syscall.SIGINT, 130}} {
		i := s.run()
		i.streaming(time.Minute)
		s.takenWithoutKafka(f, f.Drop, 5) // so that the drain takes long
		i.signal(c.signal)
		i.says("stopping", 5*time.Second)
		i.signal(c.signal)
		if code := i.ended(2 * time.Second); code != c.code {
			t.Errorf("exit code %d after two %s, want %d", code, c.signal, c.code)
		}
		f.Heal()
	}
}
