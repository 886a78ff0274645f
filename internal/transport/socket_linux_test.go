package transport_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"outferry/configs"
	"outferry/internal/servers"
	"outferry/internal/transport"
)

// pair is a connection over loopback; the server's end sends at once what is written.
func pair(t *testing.T) (*transport.Socket, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := transport.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); server.Close() })
	return conn.(*transport.Socket), server.(*net.TCPConn)
}

// TestTheWindowHoldsSeveralSegments: where it holds one, as on loopback, what is left of it is too little for the next, and
// the sender waits for a timer.
func TestTheWindowHoldsSeveralSegments(t *testing.T) {
	_, server := pair(t)
	raw, err := server.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil || 4*info.Snd_mss > 64<<10 {
			t.Errorf("segments have up to %d bytes (%v)", info.Snd_mss, err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// TestTheBufferIsTheKernelsUnlessABacklogIsRead: of a fixed size it is full before the window is closed, and what the kernel drops
// then has the acknowledgements of what we send in it.
func TestTheBufferIsTheKernelsUnlessABacklogIsRead(t *testing.T) {
	s, server := pair(t)
	for !near(t, s) { // a busy moment
		s, server = pair(t)
	}
	const receive = 2
	fixed := func() bool {
		raw, err := s.Conn.(*net.TCPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		var locks int
		if err := raw.Control(func(fd uintptr) { locks, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BUF_LOCK) }); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal("ask whether the size is fixed (Linux 5.14): ", err)
		}
		return locks&receive != 0
	}
	behind := false
	s.NapWhile(func() bool { return behind })
	read := func() {
		if _, err := server.Write(make([]byte, 20<<10)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, make([]byte, 20<<10)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when string, yes bool) {
		if fixed() != yes {
			t.Errorf("%s: the size of the buffer is fixed: %v", when, !yes)
		}
	}
	read()
	read()
	want("live", false)
	behind = true
	read()
	want("in a backlog", true)
	s.Rest()
	want("while nobody reads", false)
	read()
	want("in a backlog again", true)
	behind = false
	read()
	want("live again", false)
}

// near reports whether a handshake was as quick as one over loopback is.
func near(t *testing.T, s *transport.Socket) (near bool) {
	raw, err := s.Conn.(*net.TCPConn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			near = err == nil && info.Min_rtt < 400
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return near
}

// send writes n messages and closes.
func send(conn net.Conn, message []byte, n int) {
	defer conn.Close()
	for range n {
		if _, err := conn.Write(message); err != nil {
			return
		}
	}
}

func TestReadsOfAnySizeGiveTheSameBytes(t *testing.T) {
	sent := make([]byte, 3<<20)
	for i := range sent {
		sent[i] = byte(rand.Uint32())
	}
	s, server := pair(t)
	s.NapWhile(func() bool { return true })
	go func() {
		defer server.Close()
		for rest := sent; len(rest) > 0; {
			n, err := server.Write(rest[:min(len(rest), 1+rand.IntN(5000))])
			if err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	var got []byte
	buf := make([]byte, 200<<10)
	for {
		n, err := s.Read(buf[:1+rand.IntN(len(buf))>>rand.IntN(16)])
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes came of %d, or others", len(got), len(sent))
	}
}

// TestNoNapForEachRecordOfTLS: a server with TLS sends a record a message, and a read returns one record.
func TestNoNapForEachRecordOfTLS(t *testing.T) {
	const records, size = 20_000, 100
	s, server := pair(t)
	asked := 0
	s.NapWhile(func() bool { asked++; return true })
	cfg, err := transport.TLS(configs.TLS{Mode: "require"}, "db")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair(servers.NewCA(t).Client(t, "db"))
	if err != nil {
		t.Fatal(err)
	}
	go send(tls.Server(server, &tls.Config{Certificates: []tls.Certificate{certificate}}), make([]byte, size), records)
	n, err := io.Copy(io.Discard, struct{ io.Reader }{tls.Client(s, cfg)})
	if err != nil || n != records*size {
		t.Fatalf("%d bytes came: %v", n, err)
	}
	if most := records * 2 * size / (8 << 10); asked == 0 || asked > most {
		t.Errorf("%d naps were thought of for %d records, at most %d are due", asked, records, most)
	}
}

// TestLittleIsNoBacklog: the next row must not wait for a nap.
func TestLittleIsNoBacklog(t *testing.T) {
	s, server := pair(t)
	s.NapWhile(func() bool { t.Error("a nap was thought of"); return true })
	var keepalive, got [23]byte
	for range 100 {
		if _, err := server.Write(keepalive[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(s, got[:]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPendingSeesWhatWasReadAhead(t *testing.T) {
	s, server := pair(t)
	if s.Pending() {
		t.Error("pending before anything came")
	}
	if _, err := server.Write(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	var got [9]byte
	if _, err := io.ReadFull(s, got[:]); err != nil || !s.Pending() {
		t.Errorf("a byte of ten is left, pending is %v: %v", s.Pending(), err)
	}
	if _, err := io.ReadFull(s, got[:1]); err != nil || s.Pending() {
		t.Errorf("nothing is left, pending is %v: %v", s.Pending(), err)
	}
}

// TestMessagesRunTogetherWhileTheReaderNaps: a server that sends each message by itself pays for each segment, which is
// most of what a small transaction costs it.
func TestMessagesRunTogetherWhileTheReaderNaps(t *testing.T) {
	const messages, size = 100_000, 400
	s, server := pair(t)
	s.NapWhile(func() bool { return true })
	go send(server, make([]byte, size), messages)
	if n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{s}, make([]byte, 256<<10)); err != nil || n != messages*size {
		t.Fatalf("%d bytes came: %v", n, err)
	}
	raw, err := s.Conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	if cerr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	if info.Data_segs_in > messages/4 {
		t.Errorf("%d messages came in %d segments", messages, info.Data_segs_in)
	}
}
