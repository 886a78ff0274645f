package walstream_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/pipeline"
	"outferry/walstream"
)

// withoutUpdates is a pipeline whose publication was made while router.on_update was ignore, and its position.
func withoutUpdates(t *testing.T, d *servers.Database) (*sourcetest.Rig, outbox.Position) {
	t.Helper()
	r := rig(t, d)
	r.Config.Router.OnUpdate = "ignore"
	at := r.Begun(t)
	r.Config.Router.OnUpdate = "stop"
	return r, at
}

// TestUpdatesAreSeenWhereTheyWereIgnoredBefore: the publication follows router.on_update, and its change stops no start, also
// where no position knows it yet, nor the next one, which takes updates out again.
func TestUpdatesAreSeenWhereTheyWereIgnoredBefore(t *testing.T) {
	walstream.CheckPublicationEvery(t, 100*time.Millisecond)
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		r, at := withoutUpdates(t, d)
		r.Config.Source.HeartbeatInterval = time.Hour
		update := func() {
			t.Helper()
			r.Exec(t, somebodysRow)
			rd := r.Start(t, at, false, false)
			rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
			r.Exec(t, "UPDATE outbox SET type = 'x'")
			rd.Until("an update", func(f *sourcetest.Feed) bool { return f.Updates > 0 })
			if err := rd.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		update()
		update()
		rd := r.Start(t, at, false, false)
		r.Exec(t, "ALTER TABLE outbox REPLICA IDENTITY NOTHING")
		rd.Until("an UPDATE to work", func(*sourcetest.Feed) bool {
			_, err := r.DB.Exec("UPDATE outbox SET type = 'x'")
			return err == nil
		})
		if err := rd.Stop(); err != nil {
			t.Fatal(err)
		}
		r.Exec(t, "INSERT INTO outbox VALUES ('last', 'o', 'k', 't', '{}')")
		r.Start(t, at, false, true).Until("the last row", func(f *sourcetest.Feed) bool { return slices.Contains(f.IDs, "last") })
	})
}

// TestUpdatesThatAreNotSeenAreSaid where the publication is not ours to change, or an UPDATE would begin to fail by it (G35).
func TestUpdatesThatAreNotSeenAreSaid(t *testing.T) {
	for _, test := range []struct {
		name, sql, want string
		theirs          bool
	}{
		{name: "create is false", theirs: true, want: "(publish = 'insert, update')"},
		{name: "somebody's table is in it", sql: "ALTER PUBLICATION %s ADD TABLE other", want: "(publish = 'insert, update')"},
		{name: "all tables", sql: "DROP PUBLICATION %[1]s; CREATE PUBLICATION %[1]s FOR ALL TABLES WITH (publish = 'insert, delete')", want: "(publish = 'insert, update, delete')"},
		{name: "no identity", sql: "ALTER TABLE outbox REPLICA IDENTITY NOTHING", want: "pg.no_replica_identity"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := servers.Postgres(t, 15)
			r, at := withoutUpdates(t, d)
			r.Exec(t, strings.ReplaceAll(strings.ReplaceAll(test.sql, "%[1]s", d.Name), "%s", d.Name))
			r.Config.Source.Postgres.Create = !test.theirs
			var log bytes.Buffer
			r.Source = func(single bool) pipeline.Source {
				return walstream.New(r.Config, hclog.New(&hclog.LoggerOptions{Output: &log}), walstream.Options{Single: single})
			}
			r.Exec(t, somebodysRow)
			rd := r.Start(t, edited(t, at, map[string]any{"published": nil}), false, true)
			rd.Until("a row", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
			r.Exec(t, "UPDATE outbox SET type = 'x'; INSERT INTO other VALUES (1); UPDATE other SET n = 2")
			if err := rd.Stop(); err != nil {
				t.Fatal(err)
			}
			if got := d.Text(t, "SELECT pubupdate FROM pg_publication"); got != "false" || !strings.Contains(log.String(), test.want) || strings.Count(log.String(), "UPDATEs are not seen") != 1 {
				t.Errorf("updates are published: %s; the log has no %q: %s", got, test.want, log.String())
			}
		})
	}
}

// TestPublicationKeepsWhatOthersRead: from one that is not of our tables alone nothing is taken, and from ours updates alone, where
// a table has no usable replica identity.
func TestPublicationKeepsWhatOthersRead(t *testing.T) {
	const operations = "SELECT concat_ws(' ', pubinsert, pubupdate, pubdelete, pubtruncate) FROM pg_publication"
	for _, test := range []struct{ name, members, want, warning string }{
		{"all tables", "FOR ALL TABLES", "t t t t", "UPDATEs and DELETEs of a table without usable replica identity fail"},
		{"somebody's table is in it", "FOR TABLE outbox, other", "t t t t", "UPDATEs and DELETEs of a table without usable replica identity fail"},
		{"ours alone", "FOR TABLE outbox", "t f t t", "updates are not published any more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, 13, func(t *testing.T, d *servers.Database) {
				r := rig(t, d)
				r.Exec(t, "ALTER TABLE outbox REPLICA IDENTITY NOTHING; CREATE PUBLICATION "+d.Name+" "+test.members)
				var log bytes.Buffer
				r.Source = func(single bool) pipeline.Source {
					return walstream.New(r.Config, hclog.New(&hclog.LoggerOptions{Output: &log}), walstream.Options{Single: single})
				}
				at := r.Begun(t)
				if got := d.Text(t, operations); got != test.want || !strings.Contains(log.String(), test.warning) {
					t.Errorf("insert, update, delete, truncate are published: %s, want %s; the log: %s", got, test.want, log.String())
				}
				r.Exec(t, "ALTER TABLE outbox REPLICA IDENTITY DEFAULT")
				r.Exec(t, somebodysRow)
				r.Rows(t, at, 1)
				if got := d.Text(t, operations); got != "t t t t" {
					t.Errorf("with an identity insert, update, delete, truncate are published: %s", got)
				}
			})
		})
	}
}
