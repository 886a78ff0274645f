package process

import (
	"net"
	"strconv"
	"testing"
)

// TestAPortIsOursWhileItsServerIsDown: nobody else who asks for one gets it.
func TestAPortIsOursWhileItsServerIsDown(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for range 2 {
		if err := take(address); err == nil {
			t.Fatal("it was given away again")
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal("its server can't start: ", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
