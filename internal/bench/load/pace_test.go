package load

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestWritersOwnTheirKeys: each row is written once, and the rows of a key in order, by one connection.
func TestWritersOwnTheirKeys(t *testing.T) {
	var mu sync.Mutex
	var seen []int
	owner, last := map[int]int{}, map[int]int{}
	opened := 0
	w := &Writers{Pace: Pace{PerTx: 3}, Committed: make([]int64, 2*Keys+5), Open: func(context.Context) (Inserter, func(), error) {
		mu.Lock()
		defer mu.Unlock()
		opened++
		me := opened
		return func(_ context.Context, rows []int) error {
			mu.Lock()
			defer mu.Unlock()
			for _, row := range rows {
				key := row % Keys
				if o, ok := owner[key]; ok && (o != me || last[key] > row) {
					t.Errorf("row %d of key %d is written by %d after row %d by %d", row, key, me, last[key], o)
				}
				owner[key], last[key] = me, row
				seen = append(seen, row)
			}
			return nil
		}, func() {}, nil
	}}
	if err := w.Write(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(seen)
	if len(slices.Compact(seen)) != len(w.Committed) || len(seen) != len(w.Committed) || slices.Contains(w.Committed, 0) {
		t.Errorf("%d rows were written, want %d", len(seen), len(w.Committed))
	}
}

func TestLatencies(t *testing.T) {
	start := time.Unix(1000, 0)
	var committed, arrived []int64
	for i := range 1000 {
		at := start.Add(time.Duration(i) * time.Millisecond).UnixNano()
		committed, arrived = append(committed, at), append(arrived, at+int64(i)*1e6)
	}
	arrived[999] = 0 // it never came, and has no latency
	got := Latencies(committed, arrived, start.Add(500*time.Millisecond))
	if want := (Quantiles{P50: 749, P90: 949, P99: 994, P999: 998, Max: 998}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
