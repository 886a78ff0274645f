package process

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// taken are our ports, marked with a UDP socket each until this process ends: a server of another process would
// take one while its own server restarts.
var (
	takenMu sync.Mutex
	taken   []net.PacketConn
)

// FreePort returns a TCP port of the loopback address that nobody listens on, nor got from here. It lies below the
// range that the kernel gives to outgoing connections: those would take it while its server restarts.
func FreePort() (int, error) {
	var err error
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if err = take(net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

func take(address string) error {
	mark, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		_ = mark.Close()
		return err
	}
	takenMu.Lock()
	taken = append(taken, mark)
	takenMu.Unlock()
	return l.Close()
}
