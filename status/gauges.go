package status

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// number is a value that any goroutine may set and read. The zero number is unknown.
type number struct{ bits atomic.Uint64 }

var nan = math.Float64bits(math.NaN())

func (n *number) set(v float64)       { n.bits.Store(math.Float64bits(v) ^ nan) }
func (n *number) unset()              { n.bits.Store(0) }
func (n *number) get() float64        { return math.Float64frombits(n.bits.Load() ^ nan) }
func (n *number) setTime(t time.Time) { n.set(float64(t.UnixMicro()) / 1e6) }

func (n *number) setKnown(v int64) {
	if v < 0 {
		n.unset()
		return
	}
	n.set(float64(v))
}

// sinceTime is the seconds from the time in n to now.
func (n *number) sinceTime(now time.Time) float64 {
	return max(float64(now.UnixMicro())/1e6-n.get(), 0)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// gauge is a series with one value for each pipeline, read when somebody asks. NaN is not shown.
type gauge struct {
	desc *prometheus.Desc
	read func(p *Pipeline, now time.Time) float64
}

func newGauge(name, help string, read func(p *Pipeline, now time.Time) float64) gauge {
	return gauge{newDesc(name, help), read}
}

func plainGauge(name, help string, field func(p *Pipeline) *number) gauge {
	return newGauge(name, help, func(p *Pipeline, _ time.Time) float64 { return field(p).get() })
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, append([]string{"pipeline"}, labels...), nil)
}

var gaugeSeries = []gauge{
	newGauge("source_lag_seconds", "Age of the newest moment up to which all transactions are known to be delivered.",
		func(p *Pipeline, now time.Time) float64 { return p.lagAsOf.sinceTime(now) }),
	plainGauge("source_lag_bytes", "Bytes of the database's log that are not delivered yet.",
		func(p *Pipeline) *number { return &p.lagBytes }),
	plainGauge("last_event_timestamp_seconds", "When events were last committed in Kafka.",
		func(p *Pipeline) *number { return &p.lastEvent }),
	plainGauge("last_offset_commit_timestamp_seconds", "When the position was last committed in Kafka.",
		func(p *Pipeline) *number { return &p.lastCommit }),
	plainGauge("inflight_events", "Events handed to Kafka and not acknowledged.",
		func(p *Pipeline) *number { return &p.inflightEvents }),
	plainGauge("inflight_bytes", "Bytes handed to Kafka and not acknowledged.",
		func(p *Pipeline) *number { return &p.inflightBytes }),
	plainGauge("snapshot_rows_done", "Rows of the snapshot that are handed on to Kafka.",
		func(p *Pipeline) *number { return &p.snapshotDone }),
	plainGauge("snapshot_rows_expected", "Rows of the snapshot in all, as the database estimates them.",
		func(p *Pipeline) *number { return &p.snapshotExpected }),
	plainGauge("snapshot_remaining_seconds", "Time that the snapshot still takes at its present rate.",
		func(p *Pipeline) *number { return &p.snapshotEnd }),
	plainGauge("postgres_slot_retained_bytes", "Log that the server keeps because of the replication slot.",
		func(p *Pipeline) *number { return &p.slotRetained }),
	plainGauge("postgres_slot_safe_bytes", "Log that may still be written before the slot is lost; absent without a limit.",
		func(p *Pipeline) *number { return &p.slotSafe }),
	plainGauge("postgres_slot_active", "1 while the pipeline streams from its replication slot; absent when it does not.",
		func(p *Pipeline) *number { return &p.slotActive }),
}

var (
	stateDesc   = newDesc("pipeline_state", "1 for the state that the pipeline is in, 0 for the others.", "state")
	walDesc     = newDesc("postgres_slot_wal_status", "1 for the wal_status that the slot has, 0 for the others.", "status")
	walStatuses = [...]string{"reserved", "extended", "unreserved", "lost"}
)

// gauges shows one moment of every pipeline: exactly one state is 1, however fast it changes.
type gauges struct{ registry *Registry }

func (g gauges) Describe(out chan<- *prometheus.Desc) {
	out <- stateDesc
	out <- walDesc
	for _, s := range gaugeSeries {
		out <- s.desc
	}
}

func (g gauges) Collect(out chan<- prometheus.Metric) {
	now := time.Now()
	for _, p := range g.registry.all() {
		state, _, _ := p.condition.get()
		oneOf(out, stateDesc, p.name, states[:], state.String())
		if wal := p.walStatus.Load(); wal != nil {
			oneOf(out, walDesc, p.name, walStatuses[:], *wal)
		}
		for _, s := range gaugeSeries {
			if v := s.read(p, now); !math.IsNaN(v) {
				out <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, v, p.name)
			}
		}
	}
}

func oneOf(out chan<- prometheus.Metric, desc *prometheus.Desc, pipeline string, all []string, is string) {
	for _, s := range all {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, truth(s == is), pipeline, s)
	}
}
