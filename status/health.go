package status

import (
	"encoding/json"
	"net/http"
	"time"
)

// stuckAfter is how long a loop may go without a heartbeat. It is far above every timeout that a loop
// waits for, because whoever asks may kill the process for it.
const stuckAfter = 3 * time.Minute

type health struct {
	Healthy bool    `json:"healthy"`
	Stuck   []stuck `json:"stuck,omitempty"`
}

type stuck struct {
	Pipeline string  `json:"pipeline"`
	Seconds  float64 `json:"seconds_since_heartbeat"`
}

// health judges the process by its own progress only. That Kafka or a database is away is no reason
// to kill it: that would lose the place in the queue and cure nothing.
func (r *Registry) health(after time.Duration) health {
	now := time.Since(r.started)
	h := health{Healthy: true}
	for _, p := range r.all() {
		state, _, _ := p.condition.get()
		silent := now - time.Duration(p.beat.Load())
		if !state.over() && silent > after {
			h.Healthy = false
			h.Stuck = append(h.Stuck, stuck{p.name, silent.Seconds()})
		}
	}
	return h
}

type readiness struct {
	Ready    bool       `json:"ready"`
	Why      string     `json:"why,omitempty"`
	NotReady []notReady `json:"not_ready,omitempty"`
}

type notReady struct {
	Pipeline string    `json:"pipeline"`
	State    string    `json:"state"`
	Why      string    `json:"why"`
	Since    time.Time `json:"since"`
}

// readiness is given when every pipeline streams or snapshots.
func (r *Registry) readiness() readiness {
	var out readiness
	pipelines := r.all()
	for _, p := range pipelines {
		if state, why, since := p.condition.get(); !state.ready() {
			out.NotReady = append(out.NotReady, notReady{p.name, state.String(), why, since.UTC().Truncate(time.Millisecond)})
		}
	}
	if len(pipelines) == 0 {
		out.Why = "no pipeline has started"
	}
	out.Ready = len(pipelines) > 0 && len(out.NotReady) == 0
	return out
}

func (r *Registry) serveHealth(w http.ResponseWriter, _ *http.Request) {
	h := r.health(stuckAfter)
	answer(w, h.Healthy, h)
}

func (r *Registry) serveReadiness(w http.ResponseWriter, _ *http.Request) {
	ready := r.readiness()
	answer(w, ready.Ready, ready)
}

func answer(w http.ResponseWriter, good bool, body any) {
	w.Header().Set("Content-Type", "application/json")
	if !good {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	json.NewEncoder(w).Encode(body) // fails only when the asker has gone
}
