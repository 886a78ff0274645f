package logging

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kslog"
)

func TestLibrariesSpeakOneLevelLower(t *testing.T) {
	out, log := capture(style{})
	lib := slog.New(Handler(log))
	for level, want := range map[slog.Level]string{
		slog.LevelError: "[WARN]", slog.LevelWarn: "[WARN]", slog.LevelInfo: "[DEBUG]", slog.LevelDebug: "[TRACE]",
	} {
		out.Reset()
		lib.Log(t.Context(), level, level.String())
		if !strings.Contains(out.String(), want) {
			t.Errorf("%v: %s", level, out)
		}
	}
	log.SetLevel(hclog.Info)
	if kslog.New(lib).Level() != kgo.LogLevelWarn {
		t.Errorf("a client would format lines that nobody gets: %v", kslog.New(lib).Level())
	}
}

func TestGroupsAndAttrsBecomePairs(t *testing.T) {
	out, log := capture(style{})
	lib := slog.New(Handler(log)).With("brokerID", 3, slog.Group("empty")).WithGroup("req").With("key", "Produce")
	lib.Warn("slow", slog.Group("took", "total", 2*time.Second), slog.Attr{}, "why", lazy("a b"))
	want := `slow: broker_id=3 req_key=Produce req_took_total=2s req_why="a b"` + "\n"
	if _, got, _ := strings.Cut(out.String(), "[WARN]  "); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRepeatedComplaintIsCounted(t *testing.T) {
	out, log := capture(style{})
	now := time.Unix(0, 0)
	lib := slog.New(&handler{log: log, repeats: newRepeats(time.Minute, func() time.Time { return now })})
	complain := func(n int, err string) {
		for range n {
			lib.Warn("unable to open connection", "err", errors.New(err))
		}
	}
	complain(5, "refused")
	complain(1, "timed out")
	now = now.Add(time.Minute)
	complain(2, "refused")
	if got := strings.Count(out.String(), "\n"); got != 3 {
		t.Errorf("%d lines: %s", got, out)
	}
	if !strings.Contains(out.String(), "err=refused repeated=4") {
		t.Error(out)
	}
}

func TestRepeatsForgetRatherThanGrow(t *testing.T) {
	r := newRepeats(time.Minute, time.Now)
	for i := range 10 * maxCauses {
		r.seen(strings.Repeat("x", i))
	}
	if len(r.causes) > maxCauses {
		t.Errorf("%d causes", len(r.causes))
	}
}

func TestWaitingTellsEachCauseOnce(t *testing.T) {
	out, log := capture(style{})
	var w Waiting
	w.Over(log, "connected")
	for range 3 {
		w.For(log, "waiting for database", "pg.unreachable", "code", "pg.unreachable")
		w.For(log, "waiting for database", "pg.starting", "code", "pg.starting")
	}
	w.Over(log, "connected", "server", "db:5432")
	w.For(log, "waiting for database", "pg.starting", "code", "pg.starting")
	if got := strings.Count(out.String(), "[WARN]"); got != 3 {
		t.Errorf("%d warnings: %s", got, out)
	}
	if strings.Count(out.String(), "[INFO]") != 1 || !strings.Contains(out.String(), "connected: server=db:5432 waited=") || !strings.Contains(out.String(), "attempts=6") {
		t.Error(out)
	}
}

func TestWaitingThatLastsIsSaidAgain(t *testing.T) {
	out, log := capture(style{})
	var w Waiting
	for range 3 {
		if !w.For(log, "waiting", "pg.starting") {
			w.Still(log, "still waiting", "code", "pg.starting")
		}
	}
	if got := strings.Count(out.String(), "waiting"); got != 1 {
		t.Errorf("%d lines at once: %s", got, out)
	}
	for range 2 {
		w.since, w.said = w.since.Add(-stillEvery), w.said.Add(-stillEvery)
		w.Still(log, "still waiting", "code", "pg.starting")
		w.Still(log, "still waiting", "code", "pg.starting")
	}
	if got := strings.Count(out.String(), "still waiting: code=pg.starting waited="); got != 2 || !strings.Contains(out.String(), "attempts=3") {
		t.Errorf("%d lines later: %s", got, out)
	}
}

type lazy string

func (l lazy) LogValue() slog.Value { return slog.StringValue(string(l)) }
