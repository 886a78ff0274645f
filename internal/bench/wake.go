package bench

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

const (
	wakeBytes = 512 << 10
	wakeLoads = 8192
	wakeNap   = 10 * time.Millisecond
	wakeTries = 40
)

// wake is how many times as long a piece of work takes after a nap as at once: its caches, and what translates its addresses,
// are cold then. On a machine of one's own it is little more than one. On a virtual machine whose host is busy it was 3 to 10, and
// small transactions, which are all sleep and wake, took that much longer, while drains did not.
func wake() float64 {
	ring := make([]uint32, wakeBytes/4)
	order := rand.Perm(wakeBytes / 64)
	for i, at := range order { // one cache line leads to another
		ring[at*16] = uint32(order[(i+1)%len(order)] * 16)
	}
	at := uint32(0)
	work := func() float64 {
		began := time.Now()
		for range wakeLoads {
			at = ring[at]
		}
		return float64(time.Since(began))
	}
	var warm, cold []float64
	work()
	for range wakeTries {
		warm = append(warm, work())
	}
	for range wakeTries {
		time.Sleep(wakeNap)
		cold = append(cold, work())
	}
	runtime.KeepAlive(at)
	slices.Sort(warm)
	slices.Sort(cold)
	return cold[wakeTries/2] / warm[wakeTries/2]
}
