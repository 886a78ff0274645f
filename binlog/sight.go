package binlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"outferry/outbox"
)

// sight is a group as the log shows it.
type sight struct {
	gtid    string
	at      place
	when    uint32 // header time of the GTID event
	first   uint32 // and of the first change, where it was looked for
	created uint32 // when the server began the file
}

func (s sight) anchor() *anchor {
	return &anchor{GTID: s.gtid, File: s.at.file, Pos: s.at.pos, Created: s.created, When: s.when, First: s.first}
}

// errNotSeen is what a look ends with when the log has no more to show.
var errNotSeen = errors.New("the log does not have it")

// fileCreated returns when the server began a file.
func (h *session) fileCreated(file string) (uint32, error) {
	var s sight
	err := h.look(place{file, 4}, &s, func(e header, _ group) bool { return e.kind == evFormat })
	return s.created, err
}

// groupAt returns the group that begins at a place.
func (h *session) groupAt(at place) (s sight, err error) {
	err = h.look(at, &s, func(e header, _ group) bool { return e.kind != evFormat && e.kind != evMariaEncryption })
	return s, err
}

// groupOf looks for a transaction in a file and those after it, and for its first change.
func (h *session) groupOf(file, gtid string) (s sight, err error) {
	var there sight
	err = h.look(place{file, 4}, &s, func(e header, g group) bool {
		if !g.gtid.isZero() {
			there = sight{}
		}
		if g.gtid.String() == gtid {
			there = s
		}
		there.first = e.when
		return there.gtid != "" && changes(e.kind)
	})
	there.created = s.created
	return there, err
}

// look reads the log from a place to its present end, until one event is the one that is looked for. SHOW BINLOG
// EVENTS would not tell times.
func (h *session) look(from place, s *sight, found func(header, group) bool) error {
	return h.lookFault(h.readOn(from, func(w *wire) error { return lookOn(w, from, s, found) }))
}

// readOn has the log read from a place to its present end, on a connection of its own.
func (h *session) readOn(from place, read func(*wire) error) error {
	ctx := h.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	c, err := h.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	defer closing(ctx, c)()
	if err := h.requestLook(c, from); err != nil {
		return err
	}
	conn := socketOf(c)
	return read(newWire(func(free []byte) (int, error) {
		if err := conn.SetReadDeadline(time.Now().Add(h.set.readTimeout)); err != nil {
			return 0, transient("mysql.connection", "look at the log: %w", err)
		}
		n, err := conn.Read(free)
		if err != nil {
			err = transient("mysql.connection", "look at the log: %w", noEnd(err))
		}
		return n, err
	}, func() error { return nil }))
}

// requestLook asks for the log without being a replica, so that a reader under our number is left alone.
func (h *session) requestLook(c *client.Conn, from place) error {
	for _, sql := range h.dumpSettings(&position{Kind: h.srv.kind}) {
		if _, err := c.Execute(sql); err != nil {
			return transient("mysql.connection", "look at the log: %w", plain(err))
		}
	}
	const untilItsEnd = 1
	b := append(make([]byte, 4, 64), mysql.COM_BINLOG_DUMP)
	b = binary.LittleEndian.AppendUint32(b, uint32(from.pos))
	b = binary.LittleEndian.AppendUint16(b, untilItsEnd)
	b = binary.LittleEndian.AppendUint32(b, 0)
	c.ResetSequence()
	if err := c.WritePacket(append(b, from.file...)); err != nil {
		return transient("mysql.connection", "look at the log: %w", err)
	}
	return nil
}

// lookFault: only a refusal of the place, or something else there, says anything about the log.
func (h *session) lookFault(err error) error {
	var f *outbox.Fault
	code := errorCode(err)
	switch {
	case err == nil, errors.As(err, &f):
		return err
	case code == 1236: // the server's text guesses at causes, as a full disk
		return fmt.Errorf("%w: the server finds no event there", errNotSeen)
	case code == 0 || code == 1220:
		return fmt.Errorf("%w: %w", errNotSeen, err)
	case code == 1227 || code == 1045 || code == 1142 || code == 1143:
		return h.denied(err, h.srv)
	}
	return transient("mysql.connection", "look at the log: %w", err)
}

func lookOn(w *wire, from place, s *sight, found func(header, group) bool) error {
	a := assembler{here: from}
	for {
		e, err := w.next()
		if err != nil {
			return err
		}
		var g group
		switch e.kind {
		case evRotate:
			err = a.rotate(w)
		case evFormat:
			s.created = e.when
			err = w.format()
			a.track(e)
		case evHeartbeat, evHeartbeat2:
		default:
			a.track(e)
			g, err = headOf(e, w)
		}
		if err != nil {
			return err
		}
		if e.kind == evRotate || e.kind == evHeartbeat || e.kind == evHeartbeat2 {
			continue
		}
		s.gtid, s.when, s.at = g.gtid.String(), e.when, place{a.here.file, a.here.pos - uint64(e.size)}
		if found(e, g) {
			return nil
		}
	}
}

// headOf reads an event that opens a transaction; of others it returns none.
func headOf(e header, w *wire) (group, error) {
	switch e.kind {
	case evGTID, evTaggedGTID, evMariaGTID:
		b, err := w.all(groupMaxSize)
		if err != nil {
			return group{}, err
		}
		return decodeGroup(e, b)
	}
	return group{}, nil
}

// onePhase looks at how the XA transaction at a place ends.
func (h *session) onePhase(at place) (one bool, err error) {
	if at.pos>>32 != 0 {
		return false, lost("mysql.xa_unsupported", "write to the outbox in ordinary transactions", "look at the end of the XA transaction at %s: a place beyond 4 GiB can't be asked for", at)
	}
	err = h.readOn(at, func(w *wire) (err error) {
		one, err = endOfXA(w)
		return err
	})
	if err = h.lookFault(err); errors.Is(err, errNotSeen) { // reset or purged at this very moment
		err = transient("mysql.connection", "look at the end of the transaction at %s: %w", at, err)
	}
	return one, err
}

// endOfXA reads a transaction until its XA_PREPARE event, if it has one.
func endOfXA(w *wire) (one bool, err error) {
	var packed payload
	defer packed.close()
	ended := false
	for groups := 0; ; {
		e, err := w.next()
		switch {
		case err != nil:
		case e.kind == evFormat:
			err = w.format()
		case e.kind == evXAPrepare:
			return inOnePhase(w)
		case e.kind == evPayload:
			if err = packed.open(w); err == nil {
				err = packed.each(func(h header) (err error) {
					if h.kind == evXAPrepare {
						ended = true
						one, err = inOnePhase(&packed)
					}
					return err
				})
			}
		case opens(e.kind):
			groups++
		}
		if err != nil || ended || groups > 1 {
			return one, err
		}
	}
}
