package logging

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
)

// hostile are ids as somebody could write them into an outbox table.
var hostile = []string{
	"a\nb=c",
	"a\r2026-11-24T08:00:00.000Z [ERROR] forged",
	"\x1b[2J\x1b[31mred",
	"nul\x00bell\a",
	"\u202eevil\u2066\u200f",
	"c1 \u009b31m\u0085next\u2028line\u2029",
	"del\x7f",
	`ends its quotes\" forged="yes`,
	`back\`,
	"bad utf8 \xff\xfe",
	"\ufeffbom \U000e0041tag",
	"",
}

func capture(s style) (*bytes.Buffer, hclog.Logger) {
	var out bytes.Buffer
	return &out, build(configs.Log{Level: "trace"}, &out, s)
}

func TestHostileValuesStayOnTheirLineAsText(t *testing.T) {
	for _, id := range hostile {
		out, log := capture(style{})
		for _, v := range []any{id, errors.New(id), stringer(id), []string{id}, map[string]string{id: id}} {
			out.Reset()
			log.With("with", v).Named(id).Info("delivered "+id, "id", v, "after", 1)
			oneLine(t, out.String())
			if !strings.HasSuffix(out.String(), " after=1\n") {
				t.Errorf("%q: the next pair is not where it belongs: %q", id, out.String())
			}
		}
		out.Reset()
		log.Info("x", "id", id)
		_, quoted, _ := strings.Cut(strings.TrimSpace(out.String()), "id=")
		if got := unquote(t, quoted); got != id {
			t.Errorf("wrote %q, reads as %q", id, got)
		}
	}
}

func TestHostileValuesKeepTheirMeaningInJSON(t *testing.T) {
	for _, id := range hostile {
		out, log := capture(style{json: true})
		log.With("with", id).Named(id).Error("delivered "+id, "id", id, "cause", fmt.Errorf("read: %s", id), "after", 1)
		oneLine(t, out.String())
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%q: %v in %s", id, err, out)
		}
		want := strings.ToValidUTF8(strings.ReplaceAll(id, "\xff\xfe", "\ufffd\ufffd"), "\ufffd")
		if got["id"] != want || got["with"] != want || got["cause"] != "read: "+want || got["after"] != 1.0 {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestHostileKeysBecomeSnakeCase(t *testing.T) {
	for in, want := range map[string]string{
		"node_id": "node_id", "nodeID": "node_id", "Group Name": "group_name", "HTTPCode": "httpcode",
		"a\nb": "a_b", "\x1b[31m": "31m", "@level": "level", "": "unnamed", "\u202e": "unnamed", "throttle-millis": "throttle_millis",
	} {
		if got := key(in); got != want {
			t.Errorf("key(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOddPairsAndOddTypesAreWrittenSomehow(t *testing.T) {
	var none *time.Time
	for _, json := range []bool{false, true} {
		out, log := capture(style{json: json})
		log.Info("odd", 7, none, "chan", make(chan int), "nan", math.NaN(), "inf", float32(math.Inf(1)), "f", func() {}, "n", nil, "unpaired value")
		oneLine(t, out.String())
		for _, want := range []string{"7", "nan", "NaN", "+Inf", "none", "unpaired value"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %s in %s", want, out)
			}
		}
	}
}

func TestBytesAndSecretsAreNotShown(t *testing.T) {
	for _, json := range []bool{false, true} {
		out, log := capture(style{json: json})
		log.Info("x", "payload", []byte("canary"), "password", secret("canary"))
		if strings.Contains(out.String(), "canary") || !strings.Contains(out.String(), "6 bytes") || !strings.Contains(out.String(), "<redacted>") {
			t.Error(out)
		}
	}
}

func TestTimeIsUTCWithMilliseconds(t *testing.T) {
	here := time.Local
	time.Local = time.FixedZone("east", 5*3600)
	defer func() { time.Local = here }()
	out, log := capture(style{})
	log.Info("x")
	stamp, _, _ := strings.Cut(out.String(), " ")
	at, err := time.Parse(timeFormat, stamp)
	if err != nil || !regexp.MustCompile(`\.\d{3}Z$`).MatchString(stamp) || time.Since(at).Abs() > time.Minute {
		t.Errorf("%q: %v", stamp, err)
	}
}

func TestStyle(t *testing.T) {
	for _, c := range []struct {
		format   string
		terminal bool
		env      map[string]string
		want     style
	}{
		{format: "auto", terminal: true, want: style{color: true, terminal: true}},
		{format: "auto", terminal: false, want: style{json: true}},
		{format: "", terminal: false, want: style{json: true}},
		{format: "text", terminal: false, want: style{}},
		{format: "json", terminal: true, want: style{json: true, terminal: true}},
		{format: "auto", terminal: true, env: map[string]string{"NO_COLOR": "1"}, want: style{terminal: true}},
		{format: "auto", terminal: true, env: map[string]string{"TERM": "dumb"}, want: style{terminal: true}},
	} {
		if got := styleOf(c.format, c.terminal, func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%+v: got %+v", c, got)
		}
	}
}

func TestAPipeGetsJSON(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	New(configs.Log{Level: "info", Format: "auto"}, w).Info("streaming", "pipeline", "posts")
	w.Close()
	var got map[string]any
	if err := json.NewDecoder(r).Decode(&got); err != nil || got["@message"] != "streaming" || got["pipeline"] != "posts" {
		t.Errorf("%v %v", got, err)
	}
}

func TestLevelCanChangeWhileRunning(t *testing.T) {
	out, log := capture(style{})
	sub := log.Named("kafka").With("pipeline", "posts")
	log.SetLevel(hclog.Warn)
	sub.Info("hidden")
	log.SetLevel(hclog.Info)
	sub.Info("shown")
	if got := out.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "kafka: shown: pipeline=posts") {
		t.Error(got)
	}
}

func TestStandardLoggerIsSafeToo(t *testing.T) {
	out, log := capture(style{})
	log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug, InferLevels: true}).Printf("[ERROR] http: \x1b[2J\nforged")
	oneLine(t, out.String())
	if !strings.Contains(out.String(), "[DEBUG]") {
		t.Error(out)
	}
}

func oneLine(t *testing.T, got string) {
	t.Helper()
	line, ok := strings.CutSuffix(got, "\n")
	if !ok {
		t.Errorf("no line break at the end of %q", got)
	}
	for _, r := range line {
		if !unicode.IsPrint(r) {
			t.Errorf("%q holds %U", line, r)
		}
	}
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	var out string
	if _, err := fmt.Sscanf(s, "%q", &out); err != nil {
		t.Errorf("%s: %v", s, err)
	}
	return out
}

type stringer string

func (s stringer) String() string { return string(s) }

type secret string

func (secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, "<redacted>") }
