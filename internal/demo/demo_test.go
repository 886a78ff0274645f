package demo

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"outferry/configs"
	"outferry/internal/process"
)

func TestNoGoroutineIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := Run(ctx, Options{Rows: 8, Rate: 100, Out: io.Discard, Log: hclog.NewNullLogger()}); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatal("ended by the deadline and not by itself")
	}
}

func TestPortThatIsTakenIsReplaced(t *testing.T) {
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	for _, free := range []bool{true, false} {
		listener, err := listen(strconv.Itoa(port))
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if got := listener.Addr().(*net.TCPAddr).Port; (got == port) != free {
			t.Errorf("port %d, free %t: got %d", port, free, got)
		}
	}
}

func TestYourFileIsAccepted(t *testing.T) {
	_, findings := configs.LoadBytes("posts.yaml", []byte(yourFile), configs.Options{
		LookupEnv: func(string) (string, bool) { return "postgres://user@localhost:5432/posts", true },
		Environ:   func() []string { return nil },
	})
	if len(findings) > 0 {
		t.Fatal(findings)
	}
}

func TestValuesCannotSteerTheTerminal(t *testing.T) {
	for _, text := range []string{"\x1b[31mred", "two\nlines", "\u202eabc", "\xff\xfe", "bell\a"} {
		if got := visible(text); strings.ContainsAny(got, "\x1b\n\u202e\a") || !strings.ContainsRune(got, '\uFFFD') {
			t.Errorf("%q is shown as %q", text, got)
		}
	}
	if got := visible("Grüße, 世界 {}"); got != "Grüße, 世界 {}" {
		t.Errorf("plain text is shown as %q", got)
	}
	if got := visible(strings.Repeat("x", 5000)); len(got) > 2*longest || !strings.HasSuffix(got, "(5000 bytes)") {
		t.Errorf("a long value takes %d bytes", len(got))
	}
}

func TestLatencyIsThatOfTheWindow(t *testing.T) {
	var tl tally
	start := time.UnixMilli(1_700_000_000_000)
	for i := range 100 {
		commit := start.Add(time.Duration(i) * 10 * time.Millisecond)
		tl.add(record(commit), commit.Add(time.Duration(i+1)*time.Millisecond))
	}
	r := tl.take(start.Add(time.Second))
	if r.events != 100 || r.p50 != 51*time.Millisecond || r.p99 != 100*time.Millisecond {
		t.Fatalf("got %+v", r)
	}
	if r := tl.take(start.Add(2 * time.Second)); r.events != 100 || r.perSec != 0 {
		t.Fatalf("an idle window has %+v", r)
	}
}

func record(commit time.Time) *kgo.Record { return &kgo.Record{Timestamp: commit} }
