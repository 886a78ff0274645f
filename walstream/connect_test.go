package walstream_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"outferry/internal/link"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/walstream"
)

// through is a source on a database with the default of source.tls.mode, which leads over another port.
func through(t *testing.T, d *servers.Database, port int) *walstream.Source {
	t.Helper()
	url := strings.Replace(strings.TrimSuffix(d.URL("postgres"), "?sslmode=disable"), fmt.Sprintf(":%d/", d.Port), fmt.Sprintf(":%d/", port), 1)
	return walstream.New(file(t, url), testLog(t), walstream.Options{})
}

// TestConnectionCutWhileConnectingWaits: the server has said that it has no TLS, and then the network fails.
func TestConnectionCutWhileConnectingWaits(t *testing.T) {
	d := servers.Postgres(t, 15)
	l, open := link.New(t)
	open(fmt.Sprintf("127.0.0.1:%d", d.Port))
	for _, bytes := range []int64{1, 2, 100} {
		l.CutAfter(func() int64 { return bytes })
		_, err := through(t, d, l.Port).Look(t.Context())
		wantFault(t, err, "pg.unreachable", outbox.Transient)
	}
	l.Drop()
	_, err := through(t, d, l.Port).Look(t.Context())
	wantFault(t, err, "pg.unreachable", outbox.Transient)
}

// TestServerThatLetsNobodyInIsWaitedFor: a library that its settings name is missing.
func TestServerThatLetsNobodyInIsWaitedFor(t *testing.T) {
	d := servers.Postgres(t, 15)
	d.Exec(t, "ALTER DATABASE "+d.Name+" SET session_preload_libraries = 'nosuchlib'")
	_, err := through(t, d, d.Port).Look(t.Context())
	wantFault(t, err, "pg.unreachable", outbox.Transient)
	if !strings.Contains(err.Error(), "58P01") {
		t.Errorf("%v does not say what the server said", err)
	}
}

// TestRefusalsOfTheServerAreWhatTheySay: without TLS, and where source.tls.mode leaves that open.
func TestRefusalsOfTheServerAreWhatTheySay(t *testing.T) {
	for state, class := range map[string]outbox.Class{
		"53200": outbox.Transient, "XX000": outbox.Transient, "08P01": outbox.Transient, "57P05": outbox.Transient, "58P01": outbox.Transient, "25006": outbox.Transient,
		"53300": outbox.Transient, "57P03": outbox.Transient, "3D000": outbox.Transient, "28000": outbox.Environment, "28P01": outbox.Environment, "42501": outbox.Environment,
	} {
		t.Run(state, func(t *testing.T) {
			s := newRefuser(t, state)
			_, err := through(t, &servers.Database{Name: "posts", Port: s.port}, s.port).Look(t.Context())
			var f *outbox.Fault
			if !errors.As(err, &f) || f.Class != class || f.Code == "pg.tls" || !strings.Contains(err.Error(), state) {
				t.Errorf("got %v, want class %d", err, class)
			}
		})
	}
}

// TestStopWhileConnectingIsAStop, not a failure of TLS.
func TestStopWhileConnectingIsAStop(t *testing.T) {
	s := newRefuser(t, "")
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-s.heard; stop() }()
	_, err := through(t, &servers.Database{Name: "posts", Port: s.port}, s.port).Look(ctx)
	var f *outbox.Fault
	if !errors.Is(err, context.Canceled) || errors.As(err, &f) {
		t.Errorf("got %v", err)
	}
}

// refuser speaks as a server without TLS, which answers everybody with one SQLSTATE, or never.
type refuser struct {
	port  int
	state string
	heard chan struct{} // yields when somebody without TLS is there
}

func newRefuser(t *testing.T, state string) *refuser {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &refuser{port: l.Addr().(*net.TCPAddr).Port, state: state, heard: make(chan struct{}, 1)}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.answer(c)
		}
	}()
	return s
}

func (s *refuser) answer(c net.Conn) {
	defer c.Close()
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return
	}
	if binary.BigEndian.Uint32(head[4:]) == 80877103 { // SSLRequest
		_, _ = c.Write([]byte("N"))
		return
	}
	if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:]))-8); err != nil {
		return
	}
	if s.state == "" {
		s.heard <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
		return
	}
	e := pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: s.state, Message: "no"}
	if b, err := e.Encode(nil); err == nil {
		_, _ = c.Write(b)
	}
}

// TestDatabaseThatReadsOnlyByDefaultGetsItsPublication: the default is for who does not say otherwise.
func TestDatabaseThatReadsOnlyByDefaultGetsItsPublication(t *testing.T) {
	d := servers.Postgres(t, 15)
	r := rig(t, d)
	d.Exec(t, "ALTER DATABASE "+d.Name+" SET default_transaction_read_only = on")
	rd := r.Start(t, nil, false, true)
	rd.Until("a position", func(f *sourcetest.Feed) bool { return len(f.Positions) > 0 })
	if got := d.Text(t, "SELECT count(*) FROM pg_publication_tables"); got != "1" {
		t.Errorf("%s tables are published", got)
	}
}

// TestLimitsOfTheDatabaseAreNotOurs: each would cut a connection that waits, or a long snapshot, again and again.
func TestLimitsOfTheDatabaseAreNotOurs(t *testing.T) {
	onEach(t, 14, func(t *testing.T, d *servers.Database) {
		r := rig(t, d)
		for _, name := range []string{"idle_session_timeout", "transaction_timeout"} {
			if d.Text(t, "SELECT count(*) FROM pg_settings WHERE name = '"+name+"'") == "1" {
				d.Exec(t, "ALTER DATABASE "+d.Name+" SET "+name+" = '700ms'")
			}
		}
		r.Exec(t, "INSERT INTO outbox SELECT n, 'o', 'k', 't', repeat('x', 10000) FROM generate_series(1, 3000) n")
		rd := r.Start(t, nil, false, true)
		rd.Until("the first rows", func(f *sourcetest.Feed) bool { return len(f.IDs) > 0 })
		time.Sleep(1500 * time.Millisecond) // nothing is taken meanwhile, so the snapshot lasts longer than both
		rd.Until("all rows", func(f *sourcetest.Feed) bool { return len(f.IDs) == 3000 })
		time.Sleep(1500 * time.Millisecond)
		r.Exec(t, somebodysRow)
		rd.Until("a row of the stream", func(f *sourcetest.Feed) bool { return len(f.IDs) == 3001 })
		if err := rd.Stop(); err != nil {
			t.Error(err)
		}
	})
}
