package binlog_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"outferry/binlog"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// lags are what a source says of how far behind it is.
type lags struct {
	sync.Mutex
	n, behind int
}

func (l *lags) note(lag outbox.Lag) {
	l.Lock()
	defer l.Unlock()
	l.n++
	if !lag.CaughtUp {
		l.behind++
	}
}

func (l *lags) told() (n, behind int) {
	l.Lock()
	defer l.Unlock()
	return l.n, l.behind
}

// TestIdleServerIsNoBacklog: neither one that only has what we have read already, nor one where something
// happens now and then.
func TestIdleServerIsNoBacklog(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			_, d, at := stopped(t, servers.MySQLOptions{Version: version})
			var l lags
			f := start(t, file(t, d, noData), at, binlog.Options{Lag: l.note})
			until := func(looks int, meanwhile func()) {
				deadline := time.After(sourcetest.Deadline)
				for n, _ := l.told(); n < looks; n, _ = l.told() {
					select {
					case b := <-f.out:
						f.take(b)
					case err := <-f.ended:
						f.ended <- err
						t.Fatalf("%d looks at the lag, then the source ended: %v", n, err)
					case <-time.After(1500 * time.Millisecond):
						meanwhile()
					case <-deadline:
						t.Fatalf("%d looks at the lag", n)
					}
				}
			}
			until(2, func() {})
			until(4, func() { d.Exec(t, "INSERT INTO other VALUES (1)") })
			if n, behind := l.told(); behind > 0 {
				t.Errorf("%d of %d times the source said that it is behind", behind, n)
			}
		})
	}
}

// TestASilentServerIsReadSoon: MySQL's first heartbeat comes after five seconds, and nobody should wait so long to see that
// all is well.
func TestASilentServerIsReadSoon(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			_, d, at := stopped(t, servers.MySQLOptions{Version: version})
			streams := make(chan time.Time, 1)
			start(t, file(t, d, noData), at, binlog.Options{Phase: func(string) { streams <- time.Now() }})
			servers.Eventually(t, sourcetest.Deadline, "the server has a dump", func() bool {
				return d.Text(t, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'") != "0"
			})
			dumps := time.Now()
			select {
			case began := <-streams:
				if took := began.Sub(dumps); took > 4*time.Second {
					t.Errorf("streams %s after the server began to send", took)
				}
			case <-time.After(sourcetest.Deadline):
				t.Error("it does not stream")
			}
		})
	}
}

// TestLagIsToldWhileNobodyTakesRows: Kafka is away, and what was handed over is as little delivered as what is not read.
func TestLagIsToldWhileNobodyTakesRows(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			d := servers.MySQL(t, version)
			d.Exec(t, tablesSQL)
			told := make(chan outbox.Lag, 100)
			f := start(t, file(t, d, noData), nil, binlog.Options{Lag: func(l outbox.Lag) { told <- l }})
			f.begun()
			for range 200 {
				d.Exec(t, "INSERT INTO outbox SELECT uuid(), 'order', 'key', 'created', JSON_QUOTE(repeat('x', 60000)) FROM (SELECT 1 UNION SELECT 2) two")
			}
			before := time.Now()
			for range 3 {
				select {
				case l := <-told:
					if l.Bytes > 15e6 && l.Commit > 0 && l.Commit < before.UnixMicro() {
						return
					}
				case <-time.After(sourcetest.Deadline):
					t.Fatal("it tells nothing")
				}
			}
			t.Error("it does not tell how much is not delivered")
		})
	}
}

// TestTheCatalogGoesWhileNobodyTakesRows: the batch that the stream handed over last is the pipeline's by then.
func TestTheCatalogGoesWhileNobodyTakesRows(t *testing.T) {
	d := servers.StartMySQL(t, servers.MySQLOptions{Version: servers.MySQLVersions(t)[0]}).Database(t)
	d.Exec(t, tablesSQL)
	cfg := file(t, d, noData)
	cfg.Source.MySQL.ServerID = 7777
	f := start(t, cfg, nil, binlog.Options{Lag: func(outbox.Lag) {}})
	f.begun()
	for range 400 {
		d.Exec(t, "INSERT INTO outbox SELECT uuid(), 'order', 'key', 'created', JSON_QUOTE(repeat('x', 60000))")
	}
	for spent := false; !spent; {
		select {
		case b := <-f.out:
			b.ReleaseRows() // routed, and not delivered
		case <-time.After(time.Second):
			spent = true
		}
	}
	ids := d.Text(t, `SELECT group_concat(ID SEPARATOR ' ') FROM information_schema.PROCESSLIST WHERE USER = 'outferry' AND COMMAND NOT LIKE 'Binlog Dump%'
		AND ID <> IS_USED_LOCK('outferry.replica.7777')`) // whose end would be that of the whole
	for id := range strings.FieldsSeq(ids) {
		d.Exec(t, "KILL "+id)
	}
	if fault := f.fault(); fault.Class != outbox.Transient {
		t.Error(fault)
	}
}
