package binlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

// resultset reads the rows of one query off the wire, one at a time: a table may be larger than memory. The
// library would turn each number into another form and back.
type resultset struct {
	conn    net.Conn
	in      *bufio.Reader
	timeout time.Duration
	limit   int // bytes of a row
	packet  []byte
	values  [][]byte
}

// selectRows starts a query. The connection belongs to the resultset until next returns io.EOF.
func selectRows(c *client.Conn, sql string, limit int, timeout time.Duration) (*resultset, error) {
	c.ResetSequence()
	if err := c.WritePacket(append(append(make([]byte, 4, 5+len(sql)), mysql.COM_QUERY), sql...)); err != nil {
		return nil, err
	}
	r := &resultset{conn: socketOf(c), in: bufio.NewReaderSize(socketOf(c), 64<<10), timeout: timeout, limit: limit}
	if err := r.read(); err != nil {
		return nil, err
	}
	if len(r.packet) > 0 && r.packet[0] == 0xff {
		return nil, parseServerError(r.packet[1:])
	}
	head := cursor{data: r.packet}
	columns := int(head.lenenc())
	if head.bad || columns == 0 || columns > maxColumns+16 {
		return nil, fmt.Errorf("answer with %d columns", columns)
	}
	r.values = make([][]byte, columns)
	for range columns + 1 { // and an EOF packet
		if err := r.read(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// next returns the next row, whose values die with the call after it. NULL is nil.
func (r *resultset) next() ([][]byte, error) {
	if err := r.read(); err != nil {
		return nil, err
	}
	switch p := r.packet; {
	case len(p) == 0:
		return nil, errShort
	case p[0] == 0xff:
		return nil, parseServerError(p[1:])
	case p[0] == 0xfe && len(p) < 9:
		return nil, io.EOF
	}
	c := cursor{data: r.packet}
	for i := range r.values {
		if len(c.data) > 0 && c.data[0] == 0xfb {
			c.byte()
			r.values[i] = nil
			continue
		}
		r.values[i] = c.string()
	}
	return r.values, c.err()
}

// read collects one packet, which may come in several of the largest size.
func (r *resultset) read() error {
	r.packet = r.packet[:0]
	for {
		if err := r.conn.SetReadDeadline(time.Now().Add(r.timeout)); err != nil {
			return err
		}
		var head [packetHead]byte
		if _, err := io.ReadFull(r.in, head[:]); err != nil {
			return noEnd(err)
		}
		n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
		from := len(r.packet)
		if from+n > r.limit {
			return errTooLarge
		}
		r.packet = append(r.packet, make([]byte, n)...)
		if _, err := io.ReadFull(r.in, r.packet[from:]); err != nil {
			return noEnd(err)
		}
		if n < packetMax {
			return nil
		}
	}
}

func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the server closed the connection")
	}
	return err
}
