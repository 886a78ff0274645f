package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/internal/servers"
	"outferry/pipeline"
	"outferry/status"
)

// living is a process of the pipeline that outlives a command, with what it says.
type living struct {
	r      *rig
	mu     sync.Mutex
	log    bytes.Buffer
	cancel context.CancelFunc
	ended  chan error
}

func (l *living) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(b)
}

func (r *rig) live() *living {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &living{r: r, cancel: cancel, ended: make(chan error, 1)}
	log := hclog.New(&hclog.LoggerOptions{Output: io.MultiWriter(l, r.Output()), Level: hclog.Info})
	p := pipeline.New(r.config(), log, status.NewRegistry("test", false).Pipeline(r.name), 10*time.Second)
	go func() { l.ended <- p.Run(ctx) }()
	r.Cleanup(func() {
		cancel()
		l.ended <- l.wait()
	})
	return l
}

func (l *living) says(text string) {
	l.r.Helper()
	servers.Eventually(l.r.T, time.Minute, "it says "+text, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return strings.Contains(l.log.String(), text)
	})
}

func (l *living) wait() error {
	l.r.Helper()
	select {
	case err := <-l.ended:
		return err
	case <-time.After(time.Minute):
		l.r.Fatal("it lives on")
		return nil
	}
}

// stops checks that it ends as one whose pipeline was removed, and not by itself.
func (l *living) stops() {
	l.r.Helper()
	err := l.wait()
	l.ended <- err
	if faultCode(err) != "kafka.offsets_removed" || pipeline.ExitCode(err) != 4 {
		l.r.Fatalf("it ended with %v, exit code %d", err, pipeline.ExitCode(err))
	}
}

// longPause is long enough for a command.
const longPause = "  retry: {initial: 10s}\n"

// TestWhoPausesNoticesThatItsPipelineWasRemoved: nobody sees it, so the command can't refuse.
func TestWhoPausesNoticesThatItsPipelineWasRemoved(t *testing.T) {
	for _, command := range []string{"remove --yes", "reset --yes"} {
		t.Run(command, func(t *testing.T) {
			r := newRig15(t, longPause)
			l := r.pausing()
			r.do(command).want(t, 0, "removed")
			left := r.publications()
			l.stops()
			if r.record() != nil || r.slots() != "0" || r.publications() != left {
				t.Errorf("it is back: record %+v, %s slots, %s publications", r.record(), r.slots(), r.publications())
			}
			r.wantEvents("1-2")
			r.insert(1)
			r.runUntil(3)
			r.wantEvents("1-2", "1-3")
		})
	}
}

// pausing has published two rows and lost its connections.
func (r *rig) pausing() *living {
	r.Helper()
	r.insert(2)
	l := r.live()
	r.await(2)
	r.awaitStream()
	r.db.Exec(r.T, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", "outferry-"+r.name)
	l.says("waiting")
	return l
}

// TestWhoPausesGoesOnFromWhereItWasMoved: a position that a person sets is no removal.
func TestWhoPausesGoesOnFromWhereItWasMoved(t *testing.T) {
	r := newRig15(t, longPause)
	r.pausing()
	r.insert(3)
	r.do("set --now --accept-gap --yes").want(t, 0, "moved")
	r.insert(1)
	r.await(6)
	r.wantEvents("1-2", "6")
}

func TestWhoPausesNoticesThatItsPipelineWasRemovedFromALog(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r, _ := ownServer(t, servers.MySQLOptions{Version: version}, longPause)
		r.insert(2)
		l := r.live()
		r.await(2)
		l.says("source: streaming")
		r.my.Exec(t, "KILL "+r.my.Text(t, "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"))
		l.says("waiting")
		r.do("remove --yes").want(t, 0, "removed")
		l.stops()
		r.wantEvents("1-2")
	})
}

// lockedRig is a rig whose replica number has a lock that a test may take.
func lockedRig(t *testing.T, version string) (r *logRig, lock string) {
	t.Helper()
	number := 1_000_000 + time.Now().UnixNano()%1_000_000_000
	r = newLogRig(t, servers.MySQL(t, version), fmt.Sprintf("  mysql: {server_id: %d}\n", number))
	return r, fmt.Sprintf("outferry.replica.%d", number)
}

// hold takes the lock as another instance does, and returns a func that gives it back.
func (r *logRig) hold(lock string) (release func()) {
	r.Helper()
	c, err := r.my.Connect(r.T, "root").Conn(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	var got int
	if err := c.QueryRowContext(r.Context(), "SELECT GET_LOCK(?, 30)", lock).Scan(&got); err != nil || got != 1 {
		r.Fatalf("lock %s: %d, %v", lock, got, err)
	}
	return func() {
		r.Helper()
		if err := c.QueryRowContext(r.Context(), "SELECT RELEASE_LOCK(?)", lock).Scan(&got); err != nil || got != 1 {
			r.Fatalf("release %s: %d, %v", lock, got, err)
		}
		_ = c.Close()
	}
}

// TestAStandbyTellsARemovedPipelineFromOneThatNeverBegan, where the other one held a position, and where it had none
// and the tombstone is an older one.
func TestAStandbyTellsARemovedPipelineFromOneThatNeverBegan(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r, lock := lockedRig(t, version)
		r.insert(2)
		r.runUntil(2)
		old := r.record().Marshal()

		t.Log("removed while it stood by")
		release := r.hold(lock)
		l := r.live()
		l.says("standing by")
		r.plant(nil)
		release()
		l.stops()
		r.wantEvents("1-2")

		t.Log("begun and removed between its looks")
		release = r.hold(lock)
		l = r.live()
		l.says("standing by")
		r.plant(old)
		r.plant(nil)
		release()
		l.stops()
		r.wantEvents("1-2")

		t.Log("never begun")
		release = r.hold(lock)
		l = r.live()
		l.says("standing by")
		release()
		l.says("first start")
		servers.Eventually(t, time.Minute, "it publishes", func() bool { return len(r.events()) == 4 })
		r.wantEvents("1-2", "1-2")
	})
}
