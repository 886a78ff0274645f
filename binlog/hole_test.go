package binlog_test

import (
	"bytes"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/link"
	"outferry/internal/servers"
	"outferry/outbox"
)

// hole is a link that turns into a black hole: it keeps its connections, takes new ones, and lets nothing pass.
type hole struct {
	*servers.MySQLDatabase // as it is found through the link
	open                   func()
	opened                 chan struct{}
}

// newHole opens where a client says at.
func newHole(t *testing.T, d *servers.MySQLDatabase, at string) *hole {
	t.Helper()
	l, lead := link.New(t)
	h := &hole{MySQLDatabase: &servers.MySQLDatabase{Version: d.Version, Port: l.Port, Name: d.Name}, opened: make(chan struct{})}
	h.open = sync.OnceFunc(func() { l.Freeze(); close(h.opened) })
	across := l.Across
	l.Across = func(client, server net.Conn) { across(&ear{client, []byte(at), h.open}, server) }
	lead(net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port)))
	return h
}

// ear listens to what one end says.
type ear struct {
	net.Conn
	to   []byte
	then func()
}

func (e *ear) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if len(e.to) > 0 && bytes.Contains(b[:n], e.to) {
		e.then()
	}
	return n, err
}

// TestStopIsQuickOnADeadLink, wherever in the life of a run the link dies: read_timeout is 30 s.
func TestStopIsQuickOnADeadLink(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		for name, at := range map[string]string{"it connects": "program_name", "it asks": "SHOW GRANTS", "it takes the lock": "GET_LOCK", "it streams": "", "it ends the dump": "PROCESSLIST"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := fullNames(t, version)
				d.Exec(t, tablesSQL)
				h := newHole(t, d, at)
				f := start(t, file(t, h.MySQLDatabase, noData, func(c *configs.Pipeline) { c.Source.TLS.Mode = "disable" }), nil, binlog.Options{})
				switch name {
				case "it streams", "it ends the dump":
					f.begun()
					d.Exec(t, insert("a1"))
					f.wait(1)
				default:
					<-h.opened
				}
				if name == "it streams" {
					h.open()
				}
				began := time.Now()
				f.stop()
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("a stop took %s", took)
				}
				select {
				case <-h.opened:
				default:
					t.Error("the link did not die")
				}
			})
		}
	})
}

// TestSilenceIsWhatTheFileSays: heartbeats come often enough for the shortest, and none comes through a dead link.
func TestSilenceIsWhatTheFileSays(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t) // where nobody commits in the moment of a heartbeat, see heartbeat
		d.Exec(t, tablesSQL)
		h := newHole(t, d, "")
		f := start(t, file(t, h.MySQLDatabase, noData, func(c *configs.Pipeline) { c.Source.MySQL.ReadTimeout = time.Second }), nil, binlog.Options{})
		f.begun()
		d.Exec(t, insert("a1"))
		f.wait(1)
		quiet := time.Now()
		f.until("the server has been quiet for longer", func() bool { return time.Since(quiet) > 4*time.Second })
		h.open()
		began := time.Now()
		wantFault(t, f.fault(), "mysql.silent", outbox.Transient)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("noticed after %s", took)
		}
	})
}
