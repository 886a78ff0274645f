package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// samples are of a run that is slow to start: nothing for a second, then 1,000 rows every 100 ms with 10 ms of processor time each.
func steadySamples(n int) (s []sample) {
	start := time.Unix(1000, 0)
	s = append(s, sample{0, Usage{At: start}}, sample{0, Usage{At: start.Add(time.Second), Subject: 700 * time.Millisecond}})
	for i := 1; i <= n; i++ {
		s = append(s, sample{1000 * i, Usage{At: start.Add(time.Second + time.Duration(i)*100*time.Millisecond), Subject: 700*time.Millisecond + time.Duration(i)*10*time.Millisecond}})
	}
	return s
}

func near(got, want float64) bool { return got > want*0.999 && got < want*1.001 }

func TestSteadyPartLeavesTheStartOut(t *testing.T) {
	r := &Run{Rows: 20_000}
	r.compute(steadySamples(20), 0)
	if !near(r.Rate, 10_000) || !near(r.WholeRate, 10_000) || !near(r.LaunchRate, 20_000.0/3) || !near(r.CPU, 10) || !near(r.WholeCPU, 45) || r.Short {
		t.Errorf("got %+v", r)
	}
}

// lumpySamples are of a run that commits every 350 ms, more each time, and is looked at every 50.
func lumpySamples(lumps int) (s []sample) {
	start := time.Unix(1000, 0)
	for tick := range lumps*7 + 1 {
		s = append(s, sample{tick / 7 * 3500, Usage{At: start.Add(time.Duration(tick) * 50 * time.Millisecond), Subject: time.Duration(tick) * 25 * time.Millisecond}})
	}
	return s
}

// TestLumpsDoNotBendTheRate: wherever the shares of the rows fall in a lump.
func TestLumpsDoNotBendTheRate(t *testing.T) {
	for lumps := 12; lumps < 60; lumps++ {
		r := &Run{Rows: lumps * 3500}
		r.compute(lumpySamples(lumps), 0)
		if !near(r.Rate, 10_000) || !near(r.WholeRate, 10_000) || !near(r.CPU, 50) || r.Short {
			t.Errorf("%d lumps: got %+v", lumps, r)
		}
	}
	r := &Run{Rows: 8 * 3500}
	if r.compute(lumpySamples(8), 0); !r.Short {
		t.Errorf("eight lumps are too few: got %+v", r)
	}
}

// TestWarmUpIsNotSteady: a run that is twice as fast after its warm-up has the later rate, and none when it ends too soon.
func TestWarmUpIsNotSteady(t *testing.T) {
	slow := steadySamples(100)
	last := slow[len(slow)-1]
	for i := 1; i <= 200; i++ {
		slow = append(slow, sample{last.rows + 2000*i, Usage{At: last.At.Add(time.Duration(i) * 100 * time.Millisecond)}})
	}
	r := &Run{Rows: 500_000}
	if r.compute(slow, 10*time.Second); !near(r.Rate, 20_000) || r.Short {
		t.Errorf("got %+v", r)
	}
	if r.compute(slow, time.Minute); !r.Short {
		t.Errorf("no steady part after the warm-up: got %+v", r)
	}
}

func TestShortRunsHaveNoSteadyPart(t *testing.T) {
	r := &Run{Rows: 2000}
	r.compute(steadySamples(2), 0)
	if !r.Short || r.Rate != r.WholeRate || r.CPU != r.WholeCPU {
		t.Errorf("got %+v", r)
	}
}

// result has two rounds of ours and of another, who was right once.
func resultOfTwo() *Result {
	r := &Result{}
	for round, v := range []struct{ ours, theirs float64 }{{300, 100}, {400, 100}} {
		for subject, rate := range map[string]float64{Ours: v.ours, "other": v.theirs} {
			run := &Run{Engine: "e", Shape: "s", Subject: subject, Kind: "drain", Round: round, Rate: rate, CPU: 1 / rate, Memory: 1}
			if subject == "other" && round == 1 {
				run.Fault = "1 lost"
			}
			r.Runs = append(r.Runs, run)
		}
	}
	return r
}

// TestWrongRunsCountForNothing: not in a median, not in a ratio, and they fail the whole.
func TestWrongRunsCountForNothing(t *testing.T) {
	r := resultOfTwo()
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1/2", "2/2", "3.00 x", "350 (300-400)", "NOT A RESULT: e s other, round 1: 1 lost"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if r.Faults() == nil {
		t.Error("a lost row is no failure")
	}
}

// TestLatenciesAreComparedToo, and what a foreign row costs: (3,980 - 2,000) / 99 of 2,000 for an outbox row.
func TestLatenciesAreComparedToo(t *testing.T) {
	r := &Result{Runs: []*Run{
		{Engine: "e", Shape: "500/s", Subject: Ours, Kind: "latency", P50: 2, P99: 10, Cores: 0.2, Memory: 40},
		{Engine: "e", Shape: "500/s", Subject: "other", Kind: "latency", P50: 5, P99: 5, Cores: 0.6, Memory: 800},
		{Engine: "e", Shape: "1-row", Subject: Ours, Kind: "drain", Rate: 9, CPU: 2000},
		{Engine: "e", Shape: "foreign", Subject: Ours, Kind: "drain", Rate: 1, CPU: 3980},
	}}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1/2.50", "1/0.50", "1/3.00", "1/20.00", "a row of another table costs 0.010 of an outbox row"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestCapacityIsOfOneRowATransaction, where that was drained for long enough.
func TestCapacityIsOfOneRowATransaction(t *testing.T) {
	m := &measurement{result: &Result{Runs: []*Run{
		{Engine: "e", Shape: "200B", Subject: Ours, Kind: "drain", Rate: 300},
		{Engine: "e", Shape: "16KiB", Subject: Ours, Kind: "drain", Rate: 5},
		{Engine: "e", Shape: "1-row", Subject: "other", Kind: "drain", Rate: 70},
		{Engine: "e", Shape: "1-row", Subject: Ours, Kind: "drain", Rate: 90, Short: true},
		{Engine: "f", Shape: "1-row", Subject: Ours, Kind: "drain", Rate: 80},
	}}}
	if got := m.capacity("e"); got != 5 {
		t.Errorf("without one row: %v", got)
	}
	m.result.Runs[3].Short = false
	if got := m.capacity("e"); got != 90 {
		t.Errorf("with one row: %v", got)
	}
}

func TestPlotsAreDrawn(t *testing.T) {
	base := filepath.Join(t.TempDir(), "r")
	if err := resultOfTwo().Plot(base); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(base + "-drain.svg")
	if err != nil || strings.Count(string(svg), "<path") != 2 || !strings.Contains(string(svg), ">350</text>") {
		t.Errorf("%v\n%s", err, svg)
	}
	if _, err := os.Stat(base + "-latency.svg"); err == nil {
		t.Error("a picture of nothing was drawn")
	}
}

// TestOwnUsageIsSeen: what /proc says of this process grows with what it does.
func TestOwnUsageIsSeen(t *testing.T) {
	before := usage(0)
	for began := processorTime(); processorTime()-began < 50*time.Millisecond; {
	}
	after := usage(0)
	if after.Self <= before.Self || after.Busy <= before.Busy {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if now, peak := memory(os.Getpid()); now < 1 || peak < now {
		t.Errorf("holds %v MiB, at most %v", now, peak)
	}
}
