package status

import (
	"sync"
	"time"
)

// State is what a pipeline does, in one word.
type State uint8

const (
	Waiting   State = iota // for a database, a table, Kafka or a topic
	Standby                // another instance works
	Snapshot               // publishing the rows that were there before
	Streaming              // publishing as transactions commit
	Stopped                // on request, or because its work is done
	Failed                 // a person or a restart is needed
)

var states = [...]string{"waiting", "standby", "snapshot", "streaming", "stopped", "failed"}

func (s State) String() string {
	if int(s) < len(states) {
		return states[s]
	}
	return "unknown"
}

// ready reports whether events flow, or would if there were any.
func (s State) ready() bool { return s == Snapshot || s == Streaming }

// over reports whether the pipeline's loop has ended.
func (s State) over() bool { return s == Stopped || s == Failed }

// maxWhy bounds a cause: a driver's error can be pages long.
const maxWhy = 1000

// condition is a State with its history.
type condition struct {
	mu    sync.Mutex
	state State
	why   string
	since time.Time
	stall stall
}

// stall is a wait in the midst of a state that delivers. Its zero value is none.
type stall struct {
	why   string
	since time.Time
}

func (c *condition) set(s State, why string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s != c.state || c.since.IsZero() {
		c.since = now
	}
	c.state, c.why = s, bounded(why)
	if !s.ready() {
		c.stall = stall{}
	}
}

// stalled begins a wait, unless one is under way, or ends it.
func (c *condition) stalled(why string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case why == "":
		c.stall = stall{}
	case c.stall.since.IsZero():
		c.stall = stall{bounded(why), now}
	}
}

func bounded(why string) string { return valid(why[:min(len(why), maxWhy)]) }

func (c *condition) get() (s State, why string, since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.ready() && !c.stall.since.IsZero() {
		return Waiting, c.stall.why, c.stall.since
	}
	return c.state, c.why, c.since
}
