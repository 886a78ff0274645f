// Package logging writes the log of a process: short facts with snake_case pairs, as text with
// colour on a terminal and as JSON elsewhere, in UTC with milliseconds. Whatever a value holds (a
// line break, an escape sequence, a bidi control from an id in somebody's table), one record stays
// one line and can't steer a terminal. It also bridges the slog that libraries speak, and counts a
// cause that repeats. What must not be logged at all (payloads, keys, passwords) is left to callers.
package logging

import (
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/mattn/go-isatty"

	"outferry/configs"
)

const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// New returns the logger that cfg describes, writing to w, which is usually os.Stderr.
func New(cfg configs.Log, w io.Writer) hclog.Logger {
	return build(cfg, w, styleOf(cfg.Format, IsTerminal(w), os.Getenv))
}

// IsTerminal reports whether a person looks at what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// style is how records look.
type style struct {
	json     bool
	color    bool
	terminal bool
}

func styleOf(format string, terminal bool, getenv func(string) string) style {
	s := style{json: format == "json", terminal: terminal}
	if format != "json" && format != "text" {
		s.json = !terminal
	}
	s.color = terminal && !s.json && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	return s
}

func build(cfg configs.Log, w io.Writer, s style) hclog.Logger {
	opts := &hclog.LoggerOptions{
		Level:              hclog.LevelFromString(cfg.Level), // no level is hclog's default, info
		Output:             w,
		JSONFormat:         s.json,
		JSONEscapeDisabled: true, // < and > are harmless in a log, and hard to read as \u003c
		TimeFormat:         timeFormat,
		TimeFn:             func() time.Time { return time.Now().UTC() },
		Color:              hclog.ColorOff,
	}
	if s.color {
		opts.Color, opts.ColorHeaderAndFields = hclog.ForceColor, true
	}
	switch {
	case s.json:
		opts.Output = jsonWriter{w}
	case s.terminal && s.color:
		opts.Output = terminalWriter{w}
	}
	return &logger{Logger: hclog.New(opts), json: s.json}
}
