package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"outferry/internal/servers"
	"outferry/pipeline"
)

// TestASnapshotHasOneWriter: nobody reads the slot while it is published, so whoever was fenced sees only in the record that
// somebody works.
func TestASnapshotHasOneWriter(t *testing.T) {
	pipeline.StandAsideFor(t, 3*time.Second)
	r := newRig(t, "commit: {rows: 100}\n")
	const rows = 60_000
	r.db.Exec(t, "INSERT INTO outbox SELECT i::text, 'a', 'k', 't', repeat('x', 2000) FROM generate_series(1, $1::int) i", rows)
	r.start()
	servers.Eventually(t, deadline, "the snapshot begins", func() bool {
		rec, err := r.store().Load(t.Context())
		return err == nil && rec != nil && strings.Contains(string(rec.Position), `"phase":"snapshot"`)
	})
	r.start()
	seen := map[string]bool{}
	for _, id := range ids(r.consume("a", rows)) {
		seen[id] = true
	}
	if len(seen) != rows {
		t.Errorf("%d of %d rows came", len(seen), rows)
	}
	instances := map[string]bool{}
	for _, rec := range r.records() {
		instances[rec.Instance] = true
	}
	if len(instances) > 2 {
		t.Errorf("%d times somebody took over, want once at the most", len(instances)-1)
	}
}
