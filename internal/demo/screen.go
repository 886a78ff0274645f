package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"
)

// longest is how much of a value is shown.
const longest = 400

// screen writes for a person. The first write that fails is kept, and nothing is written after it.
type screen struct {
	out   io.Writer
	color bool
	err   error
}

func (s *screen) printf(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintf(s.out, format, args...)
	}
}

func (s *screen) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s *screen) bold(text string) string { return s.paint("1", text) }
func (s *screen) dim(text string) string  { return s.paint("2", text) }
func (s *screen) blue(text string) string { return s.paint("36", text) }

// block writes lines that can be copied.
func (s *screen) block(text string) {
	for line := range strings.Lines(text) {
		s.printf("    %s", line)
	}
	s.printf("\n")
}

// event shows one record, in three lines.
func (s *screen) event(r *kgo.Record, latency time.Duration) {
	topic := fmt.Sprintf("%-20s", visible(r.Topic))
	s.printf("%s  partition %d  offset %-4d key %-6s %s\n", s.bold(s.blue(topic)), r.Partition, r.Offset, value(r.Key),
		s.dim(milliseconds(latency)+" after its commit"))
	headers := make([]string, len(r.Headers))
	for i, h := range r.Headers {
		headers[i] = visible(h.Key) + "=" + value(h.Value)
	}
	s.printf("  %s %s\n", s.dim("headers"), strings.Join(headers, "  "))
	s.printf("  %s %s\n", s.dim("payload"), value(r.Value))
}

// summary keeps the blog's rows and all events apart: a person may have joined in.
func (s *screen) summary(r rates, w *writer) {
	line := fmt.Sprintf("-- the blog committed %s and refused %s; %s arrived, %.1f/s",
		plural(int(w.committed.Load()), "row"), plural(int(w.refused.Load()), "comment"), plural(r.events, "event"), r.perSec)
	if r.perSec > 0 {
		line += fmt.Sprintf(", commit to consumer p50 %s p99 %s", milliseconds(r.p50), milliseconds(r.p99))
	}
	s.printf("%s\n", s.dim(line))
}

// milliseconds rounds up: the commit's time is known in whole ones.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", (d + time.Millisecond - 1).Milliseconds())
}

func value(b []byte) string {
	if b == nil {
		return "(null)"
	}
	return visible(string(b))
}

// visible replaces what could steer a terminal, and cuts what would flood it: anybody may insert a row.
func visible(text string) string {
	var b strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > longest {
			return b.String() + fmt.Sprintf("... (%d bytes)", len(text))
		}
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		b.WriteRune(r)
	}
	return b.String()
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
