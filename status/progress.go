package status

import (
	"fmt"
	"io"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/hashicorp/go-hclog"
	"github.com/schollz/progressbar/v3"

	"outferry/internal/logging"
)

const (
	lineEvery = 10 * time.Second
	drawEvery = 100 * time.Millisecond
	barSteps  = 1000
)

// Progress shows how far long work has come: a bar with rate and time left where a person watches,
// a log line every ten seconds elsewhere. One goroutine, the one that works, reports to it; nothing
// runs in the background, and work that ends sooner than a line is due shows none.
type Progress struct {
	out  io.Writer
	log  hclog.Logger
	what string // snapshot, catching up
	unit string // rows, bytes
	bar  *progressbar.ProgressBar
	now  func() time.Time

	started, shown time.Time
	rate           rate
	done, total    int64
	estimated      bool
}

// NewProgress follows the work called what, counted in unit. A bar is drawn if w is a terminal.
func NewProgress(w io.Writer, log hclog.Logger, what, unit string) *Progress {
	p := &Progress{out: w, log: log, what: what, unit: unit, now: time.Now}
	if logging.IsTerminal(w) {
		p.bar = newBar(w)
	}
	p.started = p.now()
	p.shown = p.started
	p.rate.observe(p.started, 0)
	return p
}

// Set reports that done of total is done. An estimated total is shown with ~, and one that is not
// positive, or that the work has outgrown, is not known.
func (p *Progress) Set(done, total int64, estimated bool) {
	p.done, p.total, p.estimated = done, total, estimated
	if total < done {
		p.total = 0
	}
	now := p.now()
	p.rate.observe(now, done)
	if now.Sub(p.shown) < p.interval() {
		return
	}
	p.shown = now
	if p.bar != nil {
		p.draw()
		return
	}
	p.log.Info(p.what, p.pairs()...)
}

// Remaining returns how long the rest takes at the present rate, and false while that can't be said.
func (p *Progress) Remaining() (time.Duration, bool) {
	if p.total <= 0 {
		return 0, false
	}
	return p.rate.left(p.total - p.done)
}

// Done ends it: the bar goes, and one line says what was done.
func (p *Progress) Done() {
	if p.bar != nil {
		io.WriteString(p.out, "\r\x1b[K")
	}
	took := p.now().Sub(p.started)
	each := float64(p.done) / max(took.Seconds(), 1e-3)
	p.log.Info(p.what+" done", p.unit+"_done", p.done, "took", took.Round(time.Millisecond), "rate", p.speed(each))
}

func (p *Progress) interval() time.Duration {
	if p.bar != nil {
		return drawEvery
	}
	return lineEvery
}

// pairs are those of a log line.
func (p *Progress) pairs() []any {
	out := []any{p.unit + "_done", p.done}
	if p.total > 0 {
		out = append(out, p.unit+"_total", p.mark(fmt.Sprint(p.total)), "percent", p.mark(fmt.Sprint(p.done*100/p.total)))
	} else {
		out = append(out, p.unit+"_total", "~")
	}
	if p.rate.known {
		out = append(out, "rate", p.speed(p.rate.perSecond))
	}
	if left, ok := p.Remaining(); ok {
		out = append(out, "remaining", p.mark(left.Round(time.Second).String()))
	}
	return out
}

// caption is what stands behind the bar.
func (p *Progress) caption() string {
	total := "~"
	if p.total > 0 {
		total = p.mark(p.amount(p.total))
	}
	s := fmt.Sprintf("%s %s/%s", p.what, p.amount(p.done), total)
	if p.unit != "bytes" {
		s += " " + p.unit
	}
	if p.rate.known {
		s += ", " + p.speed(p.rate.perSecond)
	}
	if left, ok := p.Remaining(); ok {
		s += ", " + p.mark(left.Round(time.Second).String()) + " left"
	}
	return s
}

func (p *Progress) mark(s string) string {
	if p.estimated {
		return "~" + s
	}
	return s
}

func (p *Progress) amount(n int64) string {
	if p.unit == "bytes" {
		return humanize.IBytes(uint64(max(n, 0)))
	}
	return humanize.Comma(n)
}

func (p *Progress) speed(perSecond float64) string { return p.amount(int64(perSecond+0.5)) + "/s" }
