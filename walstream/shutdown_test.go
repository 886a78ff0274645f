package walstream_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/walstream"
)

// TestServerStopsWhileNobodyTakesRows: while Kafka is away the database is read no further, and a server that stops waits
// for its walsender to be read to the end. What was not taken comes when it is back.
func TestServerStopsWhileNobodyTakesRows(t *testing.T) {
	walstream.CheckPublicationEvery(t, 200*time.Millisecond)
	for _, version := range servers.PostgresVersions(t) {
		own := servers.StartPostgres(t, servers.PostgresOptions{Version: version})
		for _, phase := range []string{"snapshot", "stream"} {
			t.Run(fmt.Sprint(version, " ", phase), func(t *testing.T) {
				var want []string
				for i := range 1500 {
					want = append(want, fmt.Sprintf("row-%06d", i))
				}
				r := rig(t, own.Database(t))
				r.Config.Kafka.MaxBuffered = 2 * outbox.BatchBytes
				var src sourcetest.Counted
				newSource := r.Source
				r.Source = func(single bool) pipeline.Source {
					src = newSource(single).(sourcetest.Counted)
					return src
				}
				var at outbox.Position
				if phase == "stream" {
					at = r.Begun(t)
				}
				r.Exec(t, "INSERT INTO outbox SELECT 'row-' || to_char(i, 'FM000000'), 'o', 'k', 't', repeat(md5(i::text), 320) FROM generate_series(0, 1499) i")
				rd := r.Start(t, at, false, true)
				rd.Until("the first rows", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
				servers.Eventually(t, sourcetest.Deadline, "all room is taken", func() bool { return src.Inflight() == 2*outbox.BatchBytes })
				own.Stop()
				wantFault(t, rd.Fault(), "pg.connection", outbox.Transient)
				own.Start()
				got := rd.Feed.IDs
				rest := r.Start(t, rd.Feed.Last(), false, true).Until("the last row", func(f *sourcetest.Feed) bool { return slices.Contains(f.IDs, "row-001499") })
				if got = append(got, rest.IDs...); !slices.Equal(got, want) {
					t.Errorf("%d rows came, %d before the stop, want each of %d once", len(got), len(rd.Feed.IDs), len(want))
				}
			})
		}
	}
}
