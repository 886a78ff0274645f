package sink

import (
	"net"
	"testing"
)

func TestPasswordsInClearStayOnThisMachine(t *testing.T) {
	for _, c := range []struct {
		remote, local string
		here          bool
	}{{"127.0.0.1", "127.0.0.1", true}, {"::1", "::1", true}, {"10.0.0.7", "10.0.0.7", true}, {"10.0.0.8", "10.0.0.7", false}, {"fe80::2", "fe80::1", false}} {
		if got := onThisMachine(&net.TCPAddr{IP: net.ParseIP(c.remote)}, &net.TCPAddr{IP: net.ParseIP(c.local)}); got != c.here {
			t.Errorf("%s from %s: %v", c.remote, c.local, got)
		}
	}
}
