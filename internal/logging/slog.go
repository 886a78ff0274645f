package logging

import (
	"context"
	"log/slog"
	"time"

	"github.com/hashicorp/go-hclog"
)

// repeatAfter is how long a library's complaint stays unrepeated.
const repeatAfter = time.Minute

// Handler returns the slog side of log, for libraries. They don't know what matters to whoever
// operates us, so they speak one level lower: their info is our debug, and their error, which
// they mostly recover from, our warning. The same complaint is written once a minute, with the number
// of those left out.
func Handler(log hclog.Logger) slog.Handler {
	return &handler{log: log, repeats: newRepeats(repeatAfter, time.Now)}
}

type handler struct {
	log     hclog.Logger
	group   string
	repeats *repeats
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return lowered(level) >= h.log.GetLevel()
}

func lowered(level slog.Level) hclog.Level {
	switch {
	case level >= slog.LevelWarn:
		return hclog.Warn
	case level >= slog.LevelInfo:
		return hclog.Debug
	}
	return hclog.Trace
}

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	level := lowered(r.Level)
	var args []any
	cause := r.Message
	r.Attrs(func(a slog.Attr) bool {
		args = flatten(args, h.group, a)
		if a.Key == "err" || a.Key == "error" {
			cause += ": " + a.Value.String()
		}
		return true
	})
	if level >= hclog.Warn {
		left, write := h.repeats.seen(cause)
		if !write {
			return nil
		}
		if left > 0 {
			args = append(args, "repeated", left)
		}
	}
	h.log.Log(level, r.Message, args...)
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var args []any
	for _, a := range attrs {
		args = flatten(args, h.group, a)
	}
	if len(args) == 0 {
		return h
	}
	return &handler{log: h.log.With(args...), group: h.group, repeats: h.repeats}
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &handler{log: h.log, group: h.group + name + "_", repeats: h.repeats}
}

// flatten appends a's pairs. hclog has no groups, so their names lead the keys.
func flatten(args []any, group string, a slog.Attr) []any {
	v := a.Value.Resolve()
	if v.Kind() != slog.KindGroup {
		if a.Key == "" {
			return args
		}
		return append(args, group+a.Key, v.Any())
	}
	if a.Key != "" {
		group += a.Key + "_"
	}
	for _, inner := range v.Group() {
		args = flatten(args, group, inner)
	}
	return args
}
