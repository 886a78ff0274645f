package bench

import (
	"fmt"
	"html"
	"os"
	"slices"
	"strings"
)

// Plot draws one picture for each kind of run that the result has: base-drain.svg and its like. Bars are medians, whiskers the range;
// a star is at what had no steady part.
func (r *Result) Plot(base string) error {
	for _, p := range []struct {
		file, kind, title string
		value             func(*Run) float64
	}{
		{"drain", "drain", "Draining a backlog, events a second", func(r *Run) float64 { return r.Rate }},
		{"cpu", "drain", "CPU seconds per million events", func(r *Run) float64 { return r.CPU }},
		{"memory", "drain", "Peak memory, MiB", func(r *Run) float64 { return r.Memory }},
		{"latency", "latency", "COMMIT to read_committed consumer, 99th percentile, ms", func(r *Run) float64 { return r.P99 }},
	} {
		var bars []bar
		for _, g := range r.groups() {
			if s := g.spread(p.value); g.kind == p.kind && s.max > 0 {
				label := g.subject
				if slices.ContainsFunc(g.runs, func(r *Run) bool { return r.Short }) {
					label += " *"
				}
				bars = append(bars, bar{g.engine + ", " + g.shape, label, s})
			}
		}
		if len(bars) == 0 {
			continue
		}
		if err := os.WriteFile(base+"-"+p.file+".svg", []byte(draw(p.title, bars)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

type bar struct {
	group, label string
	spread
}

const (
	barLeft, barWidth  = 170, 480
	barStep, groupStep = 20, 30
)

// draw writes horizontal bars by hand: a picture of a few rectangles needs no library.
func draw(title string, bars []bar) string {
	most := 0.0
	for _, b := range bars {
		most = max(most, b.max)
	}
	var body strings.Builder
	y, group := 34, ""
	for _, b := range bars {
		if b.group != group {
			group = b.group
			fmt.Fprintf(&body, `<text x="8" y="%d" font-weight="bold">%s</text>`+"\n", y+16, html.EscapeString(group))
			y += groupStep
		}
		b.draw(&body, y, most)
		y += barStep
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="780" height="%d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#ffffff"/>
<text x="8" y="20" font-size="14" font-weight="bold">%s</text>
%s</svg>
`, y+12, html.EscapeString(title), body.String())
}

func (b *bar) draw(body *strings.Builder, y int, most float64) {
	color := "#9aa5b1"
	if strings.HasPrefix(b.label, Ours) {
		color = "#1f6f8b"
	}
	long := func(v float64) float64 { return barWidth * v / most }
	fmt.Fprintf(body, `<text x="%d" y="%d" text-anchor="end">%s</text>`, barLeft-6, y+12, html.EscapeString(b.label))
	fmt.Fprintf(body, `<rect x="%d" y="%d" width="%.1f" height="14" fill="%s"/>`, barLeft, y, long(b.median), color)
	fmt.Fprintf(body, `<path d="M%.1f %dH%.1f" stroke="#333333"/>`, barLeft+long(b.min), y+7, barLeft+long(b.max))
	fmt.Fprintf(body, `<text x="%.1f" y="%d">%s</text>`+"\n", barLeft+long(b.max)+6, y+12, short(b.median))
}

func short(v float64) string {
	switch {
	case v >= 10_000:
		return fmt.Sprintf("%.0fk", v/1000)
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}
