package pipeline

import (
	"testing"

	"outferry/offsets"
)

func TestARecordThatIsGoneIsNoFirstStart(t *testing.T) {
	type found struct {
		record    bool
		tombstone int64
	}
	for _, c := range []struct {
		name  string
		looks []found
		gone  bool // at the last look
	}{
		{"a first start", []found{{}}, false},
		{"a first start after a removal", []found{{tombstone: 7}}, false},
		{"a first start that needs several sessions", []found{{tombstone: 7}, {tombstone: 7}}, false},
		{"one whose old tombstone is compacted away", []found{{tombstone: 7}, {}}, false},
		{"a restart", []found{{record: true}, {record: true}}, false},
		{"removed", []found{{record: true}, {tombstone: 8}}, true},
		{"removed, and the tombstone compacted away", []found{{record: true}, {}}, true},
		{"begun by another instance, and removed", []found{{}, {tombstone: 8}}, true},
		{"begun again by another instance, and removed", []found{{tombstone: 7}, {tombstone: 9}}, true},
		{"removed, and begun again by another instance", []found{{record: true}, {tombstone: 8}, {record: true}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s seen
			var gone bool
			for _, f := range c.looks {
				var rec *offsets.Record
				if f.record {
					rec = &offsets.Record{}
				}
				gone = s.look(rec, f.tombstone)
			}
			if gone != c.gone {
				t.Errorf("gone: %t, want %t", gone, c.gone)
			}
		})
	}
}
