package walstream_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/walstream"
)

// TestTablesThatComeAndGoAreSaid once each: what was committed to a table while the file did not name it is not published.
func TestTablesThatComeAndGoAreSaid(t *testing.T) {
	r := rig(t, servers.Postgres(t, 15))
	r.Exec(t, "CREATE TABLE second (LIKE outbox INCLUDING ALL)")
	var log bytes.Buffer
	r.Source = func(single bool) pipeline.Source {
		return walstream.New(r.Config, hclog.New(&hclog.LoggerOptions{Output: &log}), walstream.Options{Single: single})
	}
	var at outbox.Position
	for i, step := range []struct {
		tables      []string
		taken, came int
	}{
		{[]string{"public.outbox", "public.second"}, 0, 0},
		{[]string{"public.outbox", "public.second"}, 0, 0},
		{[]string{"public.outbox"}, 1, 0},
		{[]string{"public.outbox"}, 0, 0},
		{[]string{"public.outbox", "public.second"}, 0, 1},
		{[]string{"public.outbox", "public.second"}, 0, 0},
	} {
		log.Reset()
		r.Config.Source.Tables = step.tables
		rd := r.Start(t, at, false, true)
		if at == nil {
			rd.Until("a position", func(f *sourcetest.Feed) bool { return f.Last() != nil })
		}
		id := fmt.Sprintf("row-%d", i)
		r.Exec(t, "INSERT INTO outbox VALUES ('"+id+"', 'o', 'k', 't', '{}')")
		at = rd.Until("its row", func(f *sourcetest.Feed) bool { return slices.Contains(f.IDs, id) }).Last()
		if err := rd.Stop(); err != nil {
			t.Fatal(err)
		}
		taken, came := strings.Count(log.String(), "[WARN]  table taken out"), strings.Count(log.String(), "[WARN]  table added")
		if taken != step.taken || came != step.came || taken+came > 0 && !strings.Contains(log.String(), "table=public.second") {
			t.Errorf("start %d: %d taken out and %d added are said, want %d and %d: %s", i, taken, came, step.taken, step.came, log.String())
		}
	}
}

// TestADoneSnapshotIsNoStream: nothing was kept of what was committed since, and no one may take that for delivered.
func TestADoneSnapshotIsNoStream(t *testing.T) {
	r := rig(t, servers.Postgres(t, 15))
	r.Exec(t, somebodysRow)
	r.Config.Source.Snapshot = "initial_only"
	rd := r.Start(t, nil, false, true)
	done := rd.Until("the snapshot is over", func(f *sourcetest.Feed) bool { return strings.Contains(f.Last().String(), `"phase":"done"`) }).Last()
	if err := rd.Stop(); err != nil {
		t.Fatal(err)
	}
	r.Exec(t, somebodysRow)
	for _, mode := range []string{"initial", "no_data"} {
		r.Config.Source.Snapshot = mode
		wantFault(t, r.Start(t, done, false, true).Fault(), "config.snapshot_done", outbox.Config)
	}
	r.Config.Source.Snapshot = "initial_only"
	if err := r.Start(t, done, false, true).Fault(); err != nil {
		t.Errorf("nothing more was asked for, and nothing is wrong: %v", err)
	}
}
