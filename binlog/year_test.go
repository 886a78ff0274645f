package binlog

import (
	"testing"

	"outferry/encode"
	"outferry/outbox"
)

// TestAYearIsNamedOne, in the log and in the catalog.
func TestAYearIsNamedOne(t *testing.T) {
	logged := column{wireColumn: wireColumn{kind: typeYear}}
	(&shaper{}).plain(&logged, outbox.Int32, outbox.Int32, "year", decodeYear)
	for from, c := range map[string]outbox.Column{"log": logged.Column, "catalog": (&Source{}).columnOf(&server{}, catalogColumn{dataType: "year", columnType: "year(4)"})} {
		const want = `{"type":"int32","optional":false,"name":"io.debezium.time.Year","version":1}`
		if got := string(encode.AppendSchema(nil, &c, "")); got != want {
			t.Errorf("%s: got %s, want %s", from, got, want)
		}
	}
}
