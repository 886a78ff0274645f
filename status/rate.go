package status

import (
	"math"
	"time"
)

// smoothing is the time over which a rate forgets.
const smoothing = 15 * time.Second

// rate is how fast a growing number grows, smoothed.
type rate struct {
	perSecond float64
	known     bool
	at        time.Time
	value     int64
}

// observe takes the number as it is now. Looks that follow each other closely are taken as one.
func (r *rate) observe(now time.Time, value int64) {
	if r.at.IsZero() {
		r.at, r.value = now, value
		return
	}
	passed := now.Sub(r.at)
	if passed < time.Second {
		return
	}
	latest := float64(max(value-r.value, 0)) / passed.Seconds()
	if !r.known {
		r.perSecond, r.known = latest, true
	}
	r.perSecond += (latest - r.perSecond) * (1 - math.Exp(-passed.Seconds()/smoothing.Seconds()))
	r.at, r.value = now, value
}

// left returns how long n more take, and false while that can't be said.
func (r *rate) left(n int64) (time.Duration, bool) {
	if !r.known || r.perSecond <= 0 {
		return 0, false
	}
	seconds := float64(max(n, 0)) / r.perSecond
	if seconds > (365 * 24 * time.Hour).Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}
