package status

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// steady works for so many seconds at perSecond, looking in every 200 ms.
func steady(p *Progress, c *clock, seconds int, perSecond, total int64, estimated bool) {
	for range 5 * seconds {
		c.at = c.at.Add(200 * time.Millisecond)
		p.Set(p.done+perSecond/5, total, estimated)
	}
}

func newTestProgress(out *strings.Builder, unit string) (*Progress, *clock) {
	c := &clock{time.Unix(1000, 0)}
	p := NewProgress(io.Discard, hclog.New(&hclog.LoggerOptions{Output: out, DisableTime: true}), "snapshot", unit)
	p.now, p.started, p.shown, p.rate = c.now, c.at, c.at, rate{}
	p.rate.observe(c.at, 0)
	return p, c
}

func TestALineEveryTenSecondsWithoutATerminal(t *testing.T) {
	var out strings.Builder
	p, c := newTestProgress(&out, "rows")
	steady(p, c, 35, 1000, 100_000, true)
	p.Done()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines: %s", len(lines), out.String())
	}
	want := `[INFO]  snapshot: rows_done=10000 rows_total=~100000 percent=~10 rate="1,000/s" remaining=~1m30s`
	if lines[0] != want {
		t.Errorf("got  %s\nwant %s", lines[0], want)
	}
	if want := `[INFO]  snapshot done: rows_done=35000 took=35s rate="1,000/s"`; lines[3] != want {
		t.Errorf("got  %s\nwant %s", lines[3], want)
	}
}

func TestShortWorkShowsNoLineButTheLast(t *testing.T) {
	var out strings.Builder
	p, c := newTestProgress(&out, "rows")
	steady(p, c, 3, 1000, 3000, false)
	p.Done()
	if got := strings.Count(out.String(), "\n"); got != 1 {
		t.Errorf("%d lines: %s", got, out.String())
	}
}

func TestUnknownAndOutgrownTotals(t *testing.T) {
	for _, total := range []int64{-1, 0, 500} {
		var out strings.Builder
		p, c := newTestProgress(&out, "rows")
		steady(p, c, 11, 1000, total, true)
		if _, ok := p.Remaining(); ok {
			t.Errorf("%d: nobody knows what remains", total)
		}
		if !strings.Contains(out.String(), "rows_total=~ rate=") {
			t.Errorf("%d: %s", total, out.String())
		}
	}
}

func TestTimeLeftIsRightWithinAFifthAfterATenth(t *testing.T) {
	var out strings.Builder
	p, c := newTestProgress(&out, "rows")
	const seconds, perSecond = 100, 5000
	for second := 1; second < seconds; second++ {
		steady(p, c, 1, perSecond, seconds*perSecond, false)
		if second < seconds/10 {
			continue
		}
		left, ok := p.Remaining()
		truth := time.Duration(seconds-second) * time.Second
		if !ok || (left-truth).Abs() > truth/5 {
			t.Errorf("after %d s: %v %v, want %v", second, left, ok, truth)
		}
	}
}

func TestTimeLeftFollowsAChangeOfRateAndAStandstill(t *testing.T) {
	var out strings.Builder
	p, c := newTestProgress(&out, "rows")
	steady(p, c, 30, 10_000, 10_000_000, false)
	steady(p, c, 60, 1000, 10_000_000, false)
	truth := time.Duration((10_000_000-p.done)/1000) * time.Second
	if left, ok := p.Remaining(); !ok || (left-truth).Abs() > truth/4 {
		t.Errorf("%v %v, want %v", left, ok, truth)
	}
	steady(p, c, 1200, 0, 10_000_000, false)
	if left, ok := p.Remaining(); ok {
		t.Errorf("at a standstill: %v", left)
	}
}

func TestBytesReadAsBytes(t *testing.T) {
	var out strings.Builder
	p, c := newTestProgress(&out, "bytes")
	steady(p, c, 10, 5<<20, 1<<30, false)
	if want := "snapshot 50 MiB/1.0 GiB, 5.0 MiB/s, 3m15s left"; p.caption() != want {
		t.Errorf("got %q, want %q", p.caption(), want)
	}
}

func TestBarIsDrawnAndCleared(t *testing.T) {
	var log, screen strings.Builder
	p, c := newTestProgress(&log, "rows")
	p.out, p.bar = &screen, newBar(&screen)
	steady(p, c, 50, 1000, 100_000, true)
	if log.Len() != 0 {
		t.Errorf("a bar and lines: %s", log.String())
	}
	for _, want := range []string{" 50% |", "snapshot 50,000/~100,000 rows, 1,000/s, ~50s left"} {
		if !strings.Contains(screen.String(), want) {
			t.Errorf("no %q in the last of %q", want, screen.String()[max(0, screen.Len()-300):])
		}
	}
	if strings.Contains(screen.String(), "\n") {
		t.Error("the bar leaves its line")
	}
	steady(p, c, 80, 1000, 100_000, true) // beyond the estimate
	p.Done()
	if !strings.HasSuffix(screen.String(), "\r\x1b[K") || !strings.Contains(log.String(), "snapshot done") {
		t.Errorf("%q %q", screen.String()[screen.Len()-20:], log.String())
	}
}
