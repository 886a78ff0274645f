package walstream

import (
	"slices"
	"testing"
)

// TestAPositionOfAnOlderVersionIsRead: a table had one number there.
func TestAPositionOfAnOlderVersionIsRead(t *testing.T) {
	for _, meant := range []struct {
		tables string
		oids   []uint32
	}{
		{`{"public.outbox": 16384}`, []uint32{16384}},
		{`{"public.outbox": [16384, 4294967295]}`, []uint32{16384, 4294967295}},
	} {
		p, err := parsePosition([]byte(`{"kind": "postgres", "phase": "stream", "lsn": "0/1", "tables": ` + meant.tables + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Tables["public.outbox"]; !slices.Equal(got, meant.oids) {
			t.Errorf("%s is read as %d", meant.tables, got)
		}
	}
}
