package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"outferry/outbox"
)

// stalledAfter is how long Kafka may leave the loop without any answer until that is called waiting, watchEvery how
// often it is looked for.
const stalledAfter, watchEvery = 5 * time.Second, time.Second

// kafkaWait is a wait that Kafka's absence may prolong without end. The lock also says who may use the pipeline's
// waiting: the loop outside of such a wait, the watch inside.
type kafkaWait struct {
	mu       sync.Mutex
	under    bool      // it is under way
	answered time.Time // when it began, or Kafka took a record since
	buffered int       // records, then
	stalled  bool
}

// whileInKafka marks such a wait.
func (f *ferry) whileInKafka(do func() error) error {
	f.kafka.begin(f.buffered())
	err := do()
	if f.kafka.end() && err == nil { // else the session ends, and the wait goes on
		f.goOn()
	}
	return err
}

func (f *ferry) goOn() {
	f.status.Stalled("")
	if f.holds {
		f.waiting.Over(f.log, "going on")
	}
}

func (f *ferry) buffered() int {
	records, _ := f.sink.Buffered()
	return records
}

// watchKafka tells health that the loop is alive while it waits for Kafka, which is no reason to kill us, and everybody
// that it waits.
func (f *ferry) watchKafka(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.lookForStall()
		}
	}
}

func (f *ferry) lookForStall() {
	w := &f.kafka
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.under {
		return
	}
	f.status.Beat()
	if w.answers(f.buffered()) {
		if w.stalled {
			w.stalled = false
			f.goOn()
		}
		return
	}
	fault := &outbox.Fault{Code: "kafka.unreachable", Class: outbox.Transient, Err: fmt.Errorf("deliver to kafka at %s: no answer", f.cfg.Kafka.Brokers)}
	if w.stalled {
		f.waiting.Still(f.log, "still waiting", said(fault)...)
		return
	}
	w.stalled = true
	f.sayWaiting(fault)
	f.status.Error(stage(fault.Code), fault.Code)
	f.status.Stalled(fault.Error())
}

func (w *kafkaWait) begin(buffered int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.under, w.answered, w.buffered, w.stalled = true, time.Now(), buffered, false
}

// end reports whether it was called waiting.
func (w *kafkaWait) end() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.under = false
	return w.stalled
}

// answers reports whether Kafka took a record not long ago. A large transaction may take a while.
func (w *kafkaWait) answers(buffered int) bool {
	if buffered != w.buffered {
		w.buffered, w.answered = buffered, time.Now()
	}
	return time.Since(w.answered) < stalledAfter
}
