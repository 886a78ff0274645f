package faults

import (
	"syscall"
	"testing"
	"time"
)

func TestStoppingInOrderRedeliversNothing(t *testing.T) {
	s := newStage(t, options{})
	i := s.run()
	i.streaming(30 * time.Second)
	tr := s.load(300)
	for range rounds(20, 60) {
		i.says("status served", 20*time.Second) // from here on signals are heard
		some(0, time.Second)
		began := time.Now()
		if code := i.stop(); code != 0 {
			t.Fatalf("exit code %d after SIGTERM, want 0", code)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("an orderly stop took %s", took)
		}
		i = s.run()
	}
	i.streaming(30 * time.Second)
	if r := tr.verdict(); r.Stats.AbortedRecords > 0 {
		t.Logf("%d records were aborted by orderly stops", r.Stats.AbortedRecords)
	}
}

// stageBehindFrames is a stage whose instances reach their broker over a link.
func stageBehindFrames(t *testing.T) (*stage, *frames) {
	t.Helper()
	broker, f := kafkaBehindFrames(t)
	return newStage(t, options{broker: broker, kafka: f.addr}), f
}

func TestStoppingWithoutKafkaEndsInTime(t *testing.T) {
	s, f := stageBehindFrames(t)
	for _, loss := range []struct {
		name string
		do   func()
	}{{"refused", f.drop}, {"black hole", f.freeze}} {
		t.Run(loss.name, func(t *testing.T) {
			i := s.run("service.shutdown_timeout=3s")
			i.streaming(time.Minute)
			loss.do()
			s.insert(5)
			s.sent()
			began := time.Now()
			code := i.stop()
			t.Logf("exit code %d after %s", code, time.Since(began))
			if code == 0 {
				t.Error("exit code 0, but what was read was not delivered")
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("the stop took %s, service.shutdown_timeout is 3s", took)
			}
			f.heal()
		})
	}
	i := s.run()
	i.streaming(time.Minute)
	s.arrived(10)
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	s, f := stageBehindFrames(t)
	for _, c := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGTERM, 143}, {syscall.SIGINT, 130}} {
		i := s.run()
		i.streaming(time.Minute)
		f.drop() // so that the drain takes long
		s.insert(5)
		s.sent()
		i.signal(c.signal)
		i.says("stopping", 5*time.Second)
		i.signal(c.signal)
		if code := i.ended(2 * time.Second); code != c.code {
			t.Errorf("exit code %d after two %s, want %d", code, c.signal, c.code)
		}
		f.heal()
	}
}
