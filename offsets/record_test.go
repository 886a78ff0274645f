package offsets_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"outferry/offsets"
)

var sample = offsets.Record{
	Version: 1, Pipeline: "posts", Instance: "00c0ffee00c0ffee", Config: "9d3f", Seq: 7, Events: 1200, Partial: true,
	Position: json.RawMessage(`{"kind":"postgres","lsn":"0/1A2B3C4"}`),
	At:       time.Date(2026, 11, 24, 8, 0, 0, 123456000, time.UTC),
}

const golden = `{"v":1,"pipeline":"posts","instance":"00c0ffee00c0ffee","config":"9d3f","seq":7,"events":1200,"partial":true,` +
	`"position":{"kind":"postgres","lsn":"0/1A2B3C4"},"at":"2026-11-24T08:00:00.123456Z"}`

// The format is a promise to builds of other versions and to people with a console consumer.
func TestRecordHasItsForm(t *testing.T) {
	if got := string(sample.Marshal()); got != golden {
		t.Fatalf("got  %s\nwant %s", got, golden)
	}
	got, err := offsets.Parse([]byte(golden), "posts")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&sample, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestRecordThatCannotBeTrustedIsRefused(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"empty", golden, "", "EOF"},
		{"not JSON", golden, "\x00\x01", "invalid character"},
		{"cut", golden, golden[:len(golden)-2], "unexpected EOF"},
		{"two values", golden, golden + golden, "more follows"},
		{"another kind of value", golden, "[]", "cannot unmarshal"},
		{"null", golden, "null", "version 0"},
		{"a field of a newer build", `"seq":7`, `"seq":7,"epoch":3`, `unknown field "epoch"`},
		{"newer version", `"v":1`, `"v":2`, "version 2"},
		{"no version", `"v":1,`, ``, "version 0"},
		{"another pipeline", `"posts"`, `"comments"`, `pipeline "comments"`},
		{"no sequence", `"seq":7`, `"seq":0`, "seq 0"},
		{"negative events", `"events":1200`, `"events":-1`, "events -1"},
		{"sequence out of range", `"seq":7`, `"seq":9223372036854775808`, "cannot unmarshal"},
		{"no position", `"position":{"kind":"postgres","lsn":"0/1A2B3C4"},`, ``, "position"},
		{"null position", `{"kind":"postgres","lsn":"0/1A2B3C4"}`, `null`, "position"},
		{"position of another kind", `{"kind":"postgres","lsn":"0/1A2B3C4"}`, `"0/1A2B3C4"`, "position"},
		{"time in words", `"2026-11-24T08:00:00.123456Z"`, `"yesterday"`, "cannot parse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := offsets.Parse([]byte(strings.Replace(golden, c.old, c.new, 1)), "posts")
			if err == nil {
				t.Fatalf("accepted as %+v", r)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the error does not say %q: %v", c.want, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte(`{"v":1,"pipeline":"posts","seq":1,"position":{}}`))
	f.Add([]byte(`{"v":1,"pipeline":"posts","seq":1,"position":{"a":[1e9,"\ud800"]},"at":"0001-01-01T00:00:00Z"} `))
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := offsets.Parse(value, "posts")
		if err != nil {
			return
		}
		again, err := offsets.Parse(r.Marshal(), "posts")
		if err != nil {
			t.Fatalf("what was read can't be written and read again: %v", err)
		}
		if again.Seq != r.Seq || again.Events != r.Events || again.Partial != r.Partial || !again.At.Equal(r.At) {
			t.Fatalf("got %+v, want %+v", again, r)
		}
	})
}
