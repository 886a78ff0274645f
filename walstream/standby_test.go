package walstream_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/pipeline"
	"outferry/walstream"
)

// lines counts what is said while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// TestCommitsThatWaitForThePipelineAreSaid whenever the server begins to take its reader for a synchronous standby, for a role
// that may not see who is one.
func TestCommitsThatWaitForThePipelineAreSaid(t *testing.T) {
	walstream.CheckPublicationEvery(t, 50*time.Millisecond)
	for _, version := range servers.PostgresVersions(t) {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			own := servers.StartPostgres(t, servers.PostgresOptions{Version: version})
			d := own.Database(t)
			t.Cleanup(func() { own.Reload("synchronous_standby_names = ''") }) // or no commit ends any more
			r := rig(t, d)
			at := r.Begun(t)
			d.Exec(t, "ALTER TABLE outbox OWNER TO outferry")
			r.Config.Source.User, r.Config.Source.Password = "outferry", file(t, d.URL("outferry")).Source.Password
			var log lines
			var looks atomic.Int64
			r.Source = func(single bool) pipeline.Source {
				return walstream.New(r.Config, hclog.New(&hclog.LoggerOptions{Output: &log}), walstream.Options{Single: single, Slot: func(walstream.SlotStatus) { looks.Add(1) }})
			}
			rd := r.Start(t, at, false, true)
			for i, c := range []struct {
				names string
				waits bool
			}{
				{"*", true}, {`r1, "outferry posts"`, false}, {`FIRST 1 (r1, "OutFerry-posts")`, true}, {"ANY 1 (r1, outferry_posts)", false},
				{"ANY 1 (r1, *)", true}, {"outferry, posts", false}, {`2("r,1", "outferry-posts")`, true}, {`"r""1, *"`, false},
			} {
				own.Reload("synchronous_standby_names = '" + c.names + "'")
				servers.Eventually(t, sourcetest.Deadline, "the server takes "+c.names, func() bool {
					waits := d.Text(t, "SELECT sync_state <> 'async' FROM pg_stat_replication WHERE application_name = 'outferry-posts'") == fmt.Sprint(c.waits)
					return waits && d.Text(t, "SELECT current_setting('synchronous_standby_names')") == c.names
				})
				next := looks.Load() + 2 // the second sees what the server took
				rd.Until("it looks", func(*sourcetest.Feed) bool { return looks.Load() >= next })
				if n, want := log.count("pg.synchronous_standby"), i/2+1; n != want {
					t.Fatalf("%d warnings, want %d, with %s", n, want, c.names)
				}
			}
		})
	}
}
