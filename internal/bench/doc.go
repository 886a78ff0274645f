// Package bench measures Outferry, and what users compare it with, on real servers that it starts. In go shapes (what the outbox
// holds and how it was written) and subjects (who ferries it); out come runs: events a second, CPU, memory and latency, each with the load
// of the machine beside it. Every record of a run is read back: a run that lost, repeated or misordered a row is no result. The
// events are made for speed, so package feedcheck, whose story is made for faults, does not fit here.
package bench

import "outferry/internal/bench/load"

// Shape is what an outbox holds and how it was written.
type Shape = load.Shape
