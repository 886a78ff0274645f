package walstream

import (
	"errors"
	"testing"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/outbox"
)

// TestUnreadableValueOfASnapshotStops: a second try would read the same bytes.
func TestUnreadableValueOfASnapshotStops(t *testing.T) {
	table := &outbox.Table{Schema: "public", Name: "outbox", Columns: []outbox.Column{{Name: "payload", Kind: outbox.Bytes}}}
	src := New(&configs.Pipeline{}, hclog.NewNullLogger(), Options{})
	sn := &snapshotReader{session: &session{Source: src}, pos: position{Snapshot: &snapshotState{}}}
	err := sn.readFault(tableName{"public", "outbox"}, sn.row(t.Context(), table, nil, [][]byte{[]byte("escaped")}))
	var f *outbox.Fault
	if !errors.As(err, &f) || f.Code != "pg.unreadable" || f.Class != outbox.Internal {
		t.Errorf("got %v, want pg.unreadable", err)
	}
}

// TestKeysDiffer: no two keys of a seam are one.
func TestKeysDiffer(t *testing.T) {
	table := &outbox.Table{Schema: "public", Name: "outbox"}
	seen := map[rowKey]int{}
	for i, values := range [][][]byte{{nil, nil}, {{}, nil}, {nil, {}}, {{}, {}}, {{'a'}, {}}, {{}, {'a'}}, {[]byte("\x000:"), {}}} {
		k := keyOf(table, values, []int{0, 1})
		if before, ok := seen[k]; ok {
			t.Errorf("%q has the key of set %d", values, before)
		}
		seen[k] = i
	}
}
