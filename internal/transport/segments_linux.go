package transport

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func segmentsOf(raw syscall.RawConn) (s segments, known bool) {
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if known = err == nil; known {
			s = segments{count: info.Data_segs_in, most: int(min(info.Advmss, info.Snd_mss)), roundTrip: time.Duration(info.Min_rtt) * time.Microsecond}
		}
	})
	return s, known
}

// letGrow takes the fixed size of a receive buffer back (Linux 5.14).
func letGrow(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, 0) }
