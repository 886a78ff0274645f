package walstream

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// startCopy sends a command that starts to copy on a connection taken over from the library, and reads up to
// the CopyBothResponse, of which it takes not a byte more from the connection.
func startCopy(h *pgconn.HijackedConn, sql string) (net.Conn, error) {
	conn := h.Conn
	if n := h.Frontend.ReadBufferLen(); n > 0 {
		conn.Close()
		return nil, fmt.Errorf("the server sent %d bytes that nobody asked for", n)
	}
	if err := command(conn, sql); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func command(conn net.Conn, sql string) error {
	msg := binary.BigEndian.AppendUint32([]byte{'Q'}, uint32(4+len(sql)+1))
	msg = append(append(msg, sql...), 0)
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if _, err := conn.Write(msg); err != nil {
		return err
	}
	for {
		kind, body, err := readFrame(conn)
		if err != nil {
			return err
		}
		switch kind {
		case 'W':
			return conn.SetDeadline(time.Time{})
		case 'N', 'S':
		case 'E':
			var e pgproto3.ErrorResponse
			if err := e.Decode(body); err != nil {
				return err
			}
			return pgconn.ErrorResponseToPgError(&e)
		default:
			return fmt.Errorf("%w: frame of type %q", errNoCopy, kind)
		}
	}
}

func readFrame(conn net.Conn) (byte, []byte, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return 0, nil, err
	}
	n := int(binary.BigEndian.Uint32(head[1:])) - 4
	if n < 0 || n > 1<<20 {
		return 0, nil, fmt.Errorf("%w: frame of %d bytes", errNoCopy, n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(conn, body)
	return head[0], body, err
}
