package binlog

import (
	"fmt"
	"testing"

	"outferry/encode"
	"outferry/outbox"
)

// TestTimesAreMicrosecondsWhateverTheirPrecision: Debezium's connectors for MySQL and MariaDB take adaptive_time_microseconds for their
// default, that for PostgreSQL adaptive.
func TestTimesAreMicrosecondsWhateverTheirPrecision(t *testing.T) {
	for _, typ := range []byte{typeTime, typeTime2} {
		for digits := range 7 {
			declared := "time"
			if digits > 0 {
				declared = fmt.Sprintf("time(%d)", digits)
			}
			logged := column{wireColumn: wireColumn{kind: typ, meta: uint16(digits)}}
			(&shaper{}).plain(&logged, outbox.Time, outbox.Time, "time", decodeTime)
			kept := (&Source{}).columnOf(&server{}, catalogColumn{dataType: "time", columnType: declared})
			for from, c := range map[string]outbox.Column{"log": logged.Column, "catalog": kept} {
				got, err := encode.AppendJSON(nil, &c, []byte("-10:11:12.120"))
				if err != nil || string(got) != "-36672120000" {
					t.Errorf("%s of the %s: got %s, %v, want -36672120000", declared, from, got, err)
				}
				const want = `{"type":"int64","optional":false,"name":"io.debezium.time.MicroTime","version":1}`
				if schema := string(encode.AppendSchema(nil, &c, "")); schema != want {
					t.Errorf("%s of the %s: got %s, want %s", declared, from, schema, want)
				}
			}
		}
	}
}
