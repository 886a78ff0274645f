package logging

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// maxCauses bounds what is remembered: a cause may carry a port number that is new each time.
const maxCauses = 64

// repeats remembers what was written lately.
type repeats struct {
	mu     sync.Mutex
	every  time.Duration
	now    func() time.Time
	causes map[string]*repeat
}

type repeat struct {
	written time.Time
	left    int
}

func newRepeats(every time.Duration, now func() time.Time) *repeats {
	return &repeats{every: every, now: now, causes: map[string]*repeat{}}
}

// seen reports whether cause shall be written now, and how often it was left out before.
func (r *repeats) seen(cause string) (left int, write bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	c := r.causes[cause]
	switch {
	case c == nil:
		if len(r.causes) >= maxCauses {
			clear(r.causes)
		}
		r.causes[cause] = &repeat{written: now}
		return 0, true
	case now.Sub(c.written) < r.every:
		c.left++
		return 0, false
	}
	left, c.left, c.written = c.left, 0, now
	return left, true
}

// stillEvery is the pace of lines that say that a wait goes on.
const stillEvery = 5 * time.Minute

// Waiting tells of a wait: one line per cause, then silence and counting, for who wants it a line now and then, and one
// line when it is over. The zero Waiting waits for nothing and may be used at once; one goroutine uses it.
type Waiting struct {
	causes map[string]bool
	since  time.Time
	said   time.Time // the last line
	tries  int
}

// For logs that what is being waited for, unless the same cause was logged in this wait, and reports whether it did.
// The cause is what tells two of them apart: a fault's code, or an error's text.
func (w *Waiting) For(log hclog.Logger, what, cause string, args ...any) bool {
	w.tries++
	if w.since.IsZero() {
		w.since = time.Now()
		w.causes = map[string]bool{}
	}
	if w.causes[cause] || len(w.causes) == maxCauses {
		return false
	}
	w.causes[cause], w.said = true, time.Now()
	log.Warn(what, args...)
	return true
}

// Still logs that the wait goes on, if its last line is a while ago.
func (w *Waiting) Still(log hclog.Logger, what string, args ...any) {
	if time.Since(w.said) < stillEvery {
		return
	}
	w.said = time.Now()
	log.Warn(what, slices.Concat(args, []any{"waited", w.said.Sub(w.since).Round(time.Second), "attempts", w.tries})...)
}

// Over logs that the wait has ended, how long it took and how many attempts; nothing when there was none.
func (w *Waiting) Over(log hclog.Logger, what string, args ...any) {
	if w.since.IsZero() {
		return
	}
	waited := time.Since(w.since).Round(time.Millisecond)
	log.Info(what, slices.Concat(args, []any{"waited", waited, "attempts", w.tries})...)
	*w = Waiting{}
}
