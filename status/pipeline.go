package status

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxTopics bounds the topics of a pipeline that have series of their own: routes come from rows, and
// a service may invent one for each.
const maxTopics = 1000

// otherTopics is what the rest is counted under.
const otherTopics = "other"

// Pipeline is what one pipeline tells about itself. Its methods may be called by any goroutine, and
// those meant for the loop neither block nor allocate.
type Pipeline struct {
	registry  *Registry
	name      string
	condition condition
	beat      atomic.Int64 // nanoseconds since registry.started
	hook      clientHook

	latency                         prometheus.Observer
	reconnects, transactions, split prometheus.Counter

	topicsMu sync.RWMutex
	topics   map[string]topic

	inflightEvents, inflightBytes               number
	lastEvent, lastCommit                       number
	lagAsOf, lagBytes                           number
	slotRetained, slotSafe, slotActive          number
	snapshotDone, snapshotExpected, snapshotEnd number
	walStatus                                   atomic.Pointer[string]
}

type topic struct{ events, bytes prometheus.Counter }

func newPipeline(r *Registry, name string) *Pipeline {
	p := &Pipeline{
		registry:     r,
		name:         name,
		hook:         newClientHook(r.prom, name),
		latency:      r.latency.WithLabelValues(name),
		reconnects:   r.reconnects.WithLabelValues(name),
		transactions: r.transactions.WithLabelValues(name),
		split:        r.split.WithLabelValues(name),
		topics:       map[string]topic{},
	}
	p.State(Waiting, "not started")
	return p
}

// State says what the pipeline does from now on, and why if it doesn't deliver. The cause is shown to
// whoever asks, so it holds nothing secret.
func (p *Pipeline) State(s State, why string) {
	p.condition.set(s, why, time.Now())
	if !s.ready() {
		p.forgetSlot() // nobody looks at it
		for _, n := range []*number{&p.lagBytes, &p.inflightEvents, &p.inflightBytes} {
			n.unset()
		}
	}
	if s == Standby {
		p.lagAsOf.unset() // another delivers
	}
	if s != Snapshot {
		p.snapshotEnd.unset()
	}
	p.Beat()
}

func (p *Pipeline) forgetSlot() {
	for _, n := range []*number{&p.slotRetained, &p.slotSafe, &p.slotActive} {
		n.unset()
	}
	p.walStatus.Store(nil)
}

// Stalled says that a pipeline that streams or snapshots waits, and why, until it is called without a cause or State
// says that it does neither. What State says meanwhile counts afterwards.
func (p *Pipeline) Stalled(why string) { p.condition.stalled(why, time.Now()) }

// Beat says that the loop is alive, whatever it waits for. A loop that hasn't said so for stuckAfter
// counts as stuck.
func (p *Pipeline) Beat() { p.beat.Store(int64(time.Since(p.registry.started))) }

// Delivered counts events of one topic that Kafka has acknowledged. Once per batch and topic is best.
func (p *Pipeline) Delivered(topic string, events, bytes int) {
	t := p.topic(topic)
	t.events.Add(float64(events))
	t.bytes.Add(float64(bytes))
}

// Committed says that Kafka committed the events and the offset of transactions at that time. Without
// rows only the position moved.
func (p *Pipeline) Committed(rows, transactions int, at time.Time) {
	p.transactions.Add(float64(transactions))
	p.lastCommit.setTime(at)
	if rows > 0 {
		p.lastEvent.setTime(at)
	}
}

// Split counts a database transaction that became visible in more than one part.
func (p *Pipeline) Split() { p.split.Inc() }

// Latencies observes the transactions that were committed at these times, in microseconds since 1970,
// and acknowledged together.
func (p *Pipeline) Latencies(acknowledged time.Time, commits []int64) {
	now := acknowledged.UnixMicro()
	for _, at := range commits {
		p.latency.Observe(float64(max(now-at, 0)) / 1e6) // a database's clock may be ahead of ours
	}
}

// Skipped counts rows that are not published because the pipeline file says so.
func (p *Pipeline) Skipped(reason string, rows int) {
	p.registry.skipped.WithLabelValues(p.name, valid(reason)).Add(float64(rows))
}

// Error counts a fault by what was being done and by its code.
func (p *Pipeline) Error(stage, code string) {
	p.registry.errors.WithLabelValues(p.name, valid(stage), valid(code)).Inc()
}

// Retry counts another attempt at what failed.
func (p *Pipeline) Retry(stage string) {
	p.registry.retries.WithLabelValues(p.name, valid(stage)).Inc()
}

// Reconnect counts a connection to the database after the first.
func (p *Pipeline) Reconnect() { p.reconnects.Inc() }

// Inflight says what was handed to Kafka and is not acknowledged.
func (p *Pipeline) Inflight(events, bytes int) {
	p.inflightEvents.set(float64(events))
	p.inflightBytes.set(float64(bytes))
}

// DeliveredUpTo says that all that the source had at that time is delivered. The lag in seconds grows by itself
// from there: a source that went away must not look as if it kept up.
func (p *Pipeline) DeliveredUpTo(at time.Time) { p.lagAsOf.setTime(at) }

// LagBytes says how many bytes of the source's log are not delivered yet.
func (p *Pipeline) LagBytes(bytes int64) { p.lagBytes.set(float64(max(bytes, 0))) }

// Slot tells of the replication slot: what it retains, what more it may retain before it is lost
// (negative when there is no limit), whether it is in use, and its wal_status.
func (p *Pipeline) Slot(retained, safe int64, active bool, walStatus string) {
	p.slotRetained.set(float64(retained))
	p.slotSafe.setKnown(safe)
	p.slotActive.set(truth(active))
	p.walStatus.Store(&walStatus)
}

// Snapshot tells how far the snapshot has come. A negative number is one that nobody knows.
func (p *Pipeline) Snapshot(done, expected int64, remaining time.Duration) {
	p.snapshotDone.set(float64(done))
	p.snapshotExpected.setKnown(expected)
	p.snapshotEnd.unset()
	if remaining >= 0 {
		p.snapshotEnd.set(remaining.Seconds())
	}
}

func (p *Pipeline) topic(name string) topic {
	p.topicsMu.RLock()
	t, ok := p.topics[name]
	p.topicsMu.RUnlock()
	if ok {
		return t
	}
	p.topicsMu.Lock()
	defer p.topicsMu.Unlock()
	if t, ok := p.topics[name]; ok {
		return t
	}
	label := valid(name)
	if len(p.topics) >= maxTopics {
		label = otherTopics
	}
	t = topic{p.registry.events.WithLabelValues(p.name, label), p.registry.bytes.WithLabelValues(p.name, label)}
	if label != otherTopics {
		p.topics[name] = t
	}
	return t
}
