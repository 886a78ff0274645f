package encode

import (
	"testing"

	"outferry/outbox"
)

func TestZeroDateIsNullOrTheEpoch(t *testing.T) {
	for _, test := range []struct {
		kind               outbox.Kind
		text               string
		nullable, required string // as JSON
	}{
		{outbox.Date, "0000-00-00", "null", "0"},
		{outbox.Date, "2024-00-15", "null", "0"},
		{outbox.Timestamp, "0000-00-00 00:00:00", "null", "0"},
		{outbox.Timestamp, "2024-01-00 00:00:00.0", "null", "0"},
		{outbox.TimestampTZ, "0000-00-00 00:00:00+00", "null", `"1970-01-01T00:00:00Z"`},
		{outbox.Timestamp, "1970-01-01 00:00:01", "1000", "1000"},
		{outbox.Text, "0000-00-00", `"0000-00-00"`, `"0000-00-00"`},
	} {
		for nullable, want := range map[bool]string{true: test.nullable, false: test.required} {
			got, err := AppendJSON(nil, &outbox.Column{Kind: test.kind, Nullable: nullable}, []byte(test.text))
			if err != nil || string(got) != want {
				t.Errorf("kind %d, %s, nullable %v: got %s, %v, want %s", test.kind, test.text, nullable, got, err, want)
			}
		}
		header := NewEncoder(Header, &outbox.Column{Kind: test.kind, Nullable: true})
		out, _, err := header.Encode(nil, []byte(test.text))
		if isNull := test.nullable == "null"; err != nil || (out == nil) != isNull {
			t.Errorf("header of kind %d, %s: got %q, %v", test.kind, test.text, out, err)
		}
	}
}
