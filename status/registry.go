// Package status is what an operator may ask a running process: is it alive, do its pipelines
// deliver, and all numbers, over HTTP; and how far long work has come, on a terminal or in the log.
//
// In go the calls that a pipeline makes from its loop, which cost some nanoseconds each. Out come
// /healthz, /readyz, /metrics and, if asked for, profiles. A number that nobody has reported is absent,
// not zero. Nothing here shows a payload, a key or a password, provided that causes hold none.
package status

import (
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const namespace = "outferry"

// Registry holds the pipelines of a process and their series.
type Registry struct {
	prom    *prometheus.Registry
	started time.Time // heartbeats count from here, on the monotonic clock

	mu        sync.Mutex
	pipelines []*Pipeline // by name

	counters
	latency *prometheus.HistogramVec
}

type counters struct {
	events, bytes, skipped, errors, retries *prometheus.CounterVec
	reconnects, transactions, split         *prometheus.CounterVec
}

// NewRegistry returns a registry of no pipelines yet. With goRuntime it also shows the series of the
// Go runtime and of the process.
func NewRegistry(version string, goRuntime bool) *Registry {
	r := &Registry{prom: prometheus.NewRegistry(), started: time.Now()}
	r.counters = counters{
		events:       r.counter("events_total", "Events that Kafka has acknowledged.", "topic"),
		bytes:        r.counter("event_bytes_total", "Bytes of keys and values that Kafka has acknowledged.", "topic"),
		skipped:      r.counter("events_skipped_total", "Rows that were not published, as the pipeline file asks.", "reason"),
		errors:       r.counter("errors_total", "Errors, by what was being done and by code.", "stage", "code"),
		retries:      r.counter("retries_total", "Attempts after the first, by what was being done.", "stage"),
		reconnects:   r.counter("reconnects_total", "Connections to the database after the first."),
		transactions: r.counter("transactions_total", "Database transactions whose events are committed in Kafka."),
		split:        r.counter("split_transactions_total", "Database transactions that became visible in more than one part."),
	}
	r.latency = r.histogram()
	r.prom.MustRegister(gauges{r}, buildInfo(version))
	if goRuntime {
		r.prom.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	return r
}

// Pipeline returns the handle of the pipeline called name: the same one at each call, so that what a
// pipeline has counted survives its restart.
func (r *Registry) Pipeline(name string) *Pipeline {
	name = valid(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	i, found := slices.BinarySearchFunc(r.pipelines, name, func(p *Pipeline, name string) int {
		return strings.Compare(p.name, name)
	})
	if !found {
		r.pipelines = slices.Insert(r.pipelines, i, newPipeline(r, name))
	}
	return r.pipelines[i]
}

func (r *Registry) all() []*Pipeline {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.pipelines)
}

func (r *Registry) counter(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help},
		append([]string{"pipeline"}, labels...))
	r.prom.MustRegister(v)
	return v
}

func (r *Registry) histogram() *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace,
		Name:      "delivery_latency_seconds",
		Help:      "From the commit of a database transaction to the commit of its events in Kafka.",
		Buckets:   []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},

		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  160, // 1 ms to an hour at this factor
		NativeHistogramMinResetDuration: time.Hour,
	}, []string{"pipeline"})
	r.prom.MustRegister(v)
	return v
}

func buildInfo(version string) prometheus.Collector {
	labels := prometheus.Labels{"version": valid(version), "goversion": runtime.Version(), "revision": revision()}
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "What is running; always 1.", ConstLabels: labels,
	}, func() float64 { return 1 })
}

func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}

// valid makes a label of s: the client library panics at what is not UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
