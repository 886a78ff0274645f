package logging

import (
	"bytes"
	"io"
	"log"

	"github.com/hashicorp/go-hclog"
)

// logger is hclog with safe values. Everything that takes a message or a pair passes through here.
type logger struct {
	hclog.Logger
	json bool
}

func (l *logger) Log(level hclog.Level, msg string, args ...any) {
	if level < l.GetLevel() {
		return
	}
	l.Logger.Log(level, l.message(msg), pairs(args, l.json)...)
}

func (l *logger) Trace(msg string, args ...any) { l.Log(hclog.Trace, msg, args...) }
func (l *logger) Debug(msg string, args ...any) { l.Log(hclog.Debug, msg, args...) }
func (l *logger) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l *logger) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l *logger) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

func (l *logger) With(args ...any) hclog.Logger {
	return &logger{Logger: l.Logger.With(pairs(args, l.json)...), json: l.json}
}

func (l *logger) Named(name string) hclog.Logger {
	return &logger{Logger: l.Logger.Named(printable(name)), json: l.json}
}

func (l *logger) ResetNamed(name string) hclog.Logger {
	return &logger{Logger: l.Logger.ResetNamed(printable(name)), json: l.json}
}

// message escapes msg for text. JSON has its own escapes.
func (l *logger) message(msg string) string {
	if l.json {
		return msg
	}
	return printable(msg)
}

func (l *logger) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	return log.New(l.StandardWriter(opts), "", 0)
}

// StandardWriter takes a record per call. Only ForceLevel is heeded: a level guessed from the text
// would be chosen by whoever the text came from.
func (l *logger) StandardWriter(opts *hclog.StandardLoggerOptions) io.Writer {
	level := hclog.Info
	if opts != nil && opts.ForceLevel != hclog.NoLevel {
		level = opts.ForceLevel
	}
	return recordWriter{l, level}
}

type recordWriter struct {
	log   hclog.Logger
	level hclog.Level
}

func (w recordWriter) Write(p []byte) (int, error) {
	w.log.Log(w.level, string(bytes.TrimSpace(p)))
	return len(p), nil
}
