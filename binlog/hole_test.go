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
	"outferry/internal/servers"
	"outferry/outbox"
)

// hole is a TCP proxy on loopback that turns into a black hole: it keeps its connections, takes new ones, and lets nothing
// pass.
type hole struct {
	port   int
	target string
	opened chan struct{}
	once   sync.Once
	at     []byte // opens where a client says it
	ends   sync.Map
}

func newHole(t *testing.T, target, at string) *hole {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{port: listener.Addr().(*net.TCPAddr).Port, target: target, opened: make(chan struct{}), at: []byte(at)}
	var accepting sync.WaitGroup
	accepting.Go(func() { h.accept(t, listener) })
	t.Cleanup(func() {
		listener.Close()
		h.ends.Range(func(c, _ any) bool {
			c.(net.Conn).Close()
			return true
		})
		accepting.Wait()
	})
	return h
}

func (h *hole) open() { h.once.Do(func() { close(h.opened) }) }

func (h *hole) accept(t *testing.T, listener net.Listener) {
	var carrying sync.WaitGroup
	defer carrying.Wait()
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", h.target)
		if err != nil {
			t.Error(err)
			client.Close()
			continue
		}
		h.ends.Store(client, nil)
		h.ends.Store(server, nil)
		carrying.Go(func() { h.carry(server, client, h.at) })
		carrying.Go(func() { h.carry(client, server, nil) })
	}
}

func (h *hole) carry(to, from net.Conn, at []byte) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if len(at) > 0 && bytes.Contains(b[:n], at) {
			h.open()
		}
		select {
		case <-h.opened:
		default:
			if err == nil {
				_, err = to.Write(b[:n])
			}
			if err != nil {
				to.Close()
				return
			}
			continue
		}
		if err != nil {
			return
		}
	}
}

// TestStopIsQuickOnADeadLink, wherever in the life of a run the link dies: read_timeout is 30 s.
func TestStopIsQuickOnADeadLink(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		for name, at := range map[string]string{"it connects": "program_name", "it asks": "SHOW GRANTS", "it takes the lock": "GET_LOCK", "it streams": "", "it ends the dump": "PROCESSLIST"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := fullNames(t, version)
				d.Exec(t, tablesSQL)
				h := newHole(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port)), at)
				there := &servers.MySQLDatabase{Version: version, Port: h.port, Name: d.Name}
				f := start(t, file(t, there, noData, func(c *configs.Pipeline) { c.Source.TLS.Mode = "disable" }), nil, binlog.Options{})
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
		d := fullNames(t, version)
		d.Exec(t, tablesSQL)
		h := newHole(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(d.Port)), "")
		there := &servers.MySQLDatabase{Version: version, Port: h.port, Name: d.Name}
		f := start(t, file(t, there, noData, func(c *configs.Pipeline) { c.Source.MySQL.ReadTimeout = time.Second }), nil, binlog.Options{})
		f.begun()
		d.Exec(t, insert("a1"))
		f.wait(1)
		time.Sleep(4 * time.Second)
		d.Exec(t, insert("a2"))
		f.wait(2)
		h.open()
		began := time.Now()
		wantFault(t, f.fault(), "mysql.silent", outbox.Transient)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("noticed after %s", took)
		}
	})
}
