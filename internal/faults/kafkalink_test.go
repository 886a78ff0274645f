package faults

import (
	"sync/atomic"
	"testing"
	"time"

	"outferry/internal/servers"
)

// every returns a plan that harms each nth request of one kind.
func every(n int64, api int16, h harm) func(int16) harm {
	var count atomic.Int64
	return func(got int16) harm {
		if got == api && count.Add(1)%n == 0 {
			return h
		}
		return none
	}
}

func TestLostAnswersOfKafkaRepeatNothing(t *testing.T) {
	t.Parallel()
	s, f := stageBehindFrames(t)
	i := s.run()
	i.streaming(time.Minute)
	for _, c := range []struct {
		name string
		plan func(int16) harm
	}{
		{"produce, answer lost", every(10, apiProduce, loseAnswer)},
		{"produce, cut behind it", every(10, apiProduce, cutBehind)},
		{"end of transaction, answer lost", every(10, apiEndTxn, loseAnswer)},
		{"end of transaction, cut behind it", every(10, apiEndTxn, cutBehind)},
		{"end of transaction, answer late", every(20, apiEndTxn, holdAnswer)},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := f.done.Load()
			f.hold = time.Second
			f.intend(c.plan)
			s := s.again(t)
			tr := s.load(200)
			servers.Eventually(t, time.Minute, "three requests were harmed", func() bool { return f.done.Load() >= before+3 })
			f.intend(nil)
			tr.verdict()
		})
	}
	i.stopsInOrder()
}

// The broker commits, nobody hears of it, and the link stays down, at times for longer than the instance lives:
// whether the transaction was committed is known from the offsets topic alone.
func TestACommitThatNobodyHeardOfIsNotRepeated(t *testing.T) {
	t.Parallel()
	s, f := stageBehindFrames(t)
	i := s.run()
	i.streaming(time.Minute)
	tr := s.load(100)
	for n := range rounds(4, 12) {
		some(time.Second, 2*time.Second)
		before := f.done.Load()
		f.intend(func(api int16) harm {
			if api != apiEndTxn {
				return none
			}
			go f.Drop()
			return []harm{cutBehind, loseAnswer}[n%2]
		})
		servers.Eventually(t, 30*time.Second, "a commit was harmed", func() bool { return f.done.Load() > before })
		f.intend(nil)
		some(3*time.Second, 5*time.Second)
		if n/2%2 == 1 {
			i.kill()
			i = s.run()
		}
		f.Heal()
		i.streaming(time.Minute)
	}
	tr.verdict()
	i.stopsInOrder()
}

// A new instance comes while the old one's commit is still on its way.
func TestTakingOverDuringACommitRepeatsNothing(t *testing.T) {
	t.Parallel()
	s, f := stageBehindFrames(t)
	i := s.run()
	i.streaming(time.Minute)
	tr := s.load(200)
	for n := range rounds(6, 20) {
		some(500*time.Millisecond, time.Second)
		before := f.done.Load()
		f.intend(every(1, []int16{apiEndTxn, apiInitProducerID}[n%2], []harm{holdAnswer, cutBehind, loseAnswer}[n%3]))
		next := s.run()
		some(100*time.Millisecond, 500*time.Millisecond)
		i.kill()
		servers.Eventually(t, 30*time.Second, "a request was harmed", func() bool { return f.done.Load() > before })
		f.intend(nil)
		i = next
	}
	i.streaming(time.Minute)
	tr.verdict()
}
