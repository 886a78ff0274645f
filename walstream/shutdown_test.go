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

// TestServerStopsWhileNothingIsPublished: it asks for answers without a pause until all of its log is confirmed, which is at the
// next heartbeat. So does one with a short wal_sender_timeout, and the publication is looked at all the same.
func TestServerStopsWhileNothingIsPublished(t *testing.T) {
	walstream.CheckPublicationEvery(t, 200*time.Millisecond)
	own := servers.StartPostgres(t, servers.PostgresOptions{Settings: []string{"wal_sender_timeout = 1s"}})
	r := rig(t, own.Database(t))
	r.Config.Source.HeartbeatInterval = time.Hour
	at := r.Begun(t)
	rd := r.Start(t, at, false, true)
	r.Exec(t, "INSERT INTO outbox VALUES ('a', 'o', 'k', 't', '{}')")
	rd.Until("the row", func(f *sourcetest.Feed) bool { return len(f.IDs) == 1 })
	r.Exec(t, "CREATE TABLE busy AS SELECT generate_series(1, 10000)")
	own.Stop()
	wantFault(t, rd.Fault(), "pg.connection", outbox.Transient)
	own.Start()
	rd = r.Start(t, rd.Feed.Last(), false, true)
	r.Exec(t, "INSERT INTO outbox VALUES ('b', 'o', 'k', 't', '{}')")
	rd.Until("the next row", func(f *sourcetest.Feed) bool { return len(f.IDs) == 1 })
	r.Exec(t, "ALTER PUBLICATION "+r.Config.Source.Postgres.Publication+" DROP TABLE outbox")
	wantFault(t, rd.Fault(), "pg.publication_changed", outbox.PositionLost)
}
