package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// body is what follows an event's header, read as far as somebody wants it. What is left of it is passed
// over before the next event, checksum and all.
type body interface {
	peek(n int) ([]byte, error)    // the first n bytes, or all where there are fewer
	all(limit int) ([]byte, error) // the whole, verified; errTooLarge beyond the limit
	io.Reader                      // piece by piece, verified at io.EOF
}

var (
	errTooLarge = errors.New("event is too large")
	errChecksum = errors.New("checksum of an event is wrong")
)

// serverError is an error packet of the server, or its goodbye.
type serverError struct {
	code    int
	message string
}

func (e *serverError) Error() string {
	if e.code == 0 {
		return e.message
	}
	return fmt.Sprintf("%s (error %d)", e.message, e.code)
}

// The three states of checksums: until the first FORMAT_DESCRIPTION event nobody knows.
const (
	checksumUnknown = iota
	checksumNone
	checksumCRC32
)

const (
	wireBuffer    = 256 << 10
	packetHead    = 4
	packetMax     = 1<<24 - 1
	formatMaxSize = 1 << 10
	groupMaxSize  = wireBuffer // MariaDB 11.7 and newer make a file of a large transaction, and fill its head with the GTID event
)

// wire reads the packets of COM_BINLOG_DUMP and the events in them. An event that fits its buffer is
// handed out where it lies; a larger one is collected, streamed or passed over. It allocates nothing on
// the usual path.
type wire struct {
	fill     func(free []byte) (int, error) // waits for more bytes
	boundary func() error                   // called between events, when the buffer is empty

	buf      []byte
	from, to int
	packet   int  // bytes of the current packet that are not consumed
	full     bool // it has the largest size, so the event goes on in another
	checksum int

	h    header
	rest int // bytes of the body that are not consumed, checksum included
	sum  uint32
	tail [checksumSize]byte
	over error // what the end of the body showed
	big  []byte
}

func newWire(fill func([]byte) (int, error), boundary func() error) *wire {
	return &wire{fill: fill, boundary: boundary, buf: make([]byte, wireBuffer)}
}

// need waits until n bytes lie in the buffer.
func (w *wire) need(n int) error {
	if w.to-w.from >= n {
		return nil
	}
	if w.from+n > len(w.buf) || w.from == w.to {
		w.to = copy(w.buf, w.buf[w.from:w.to])
		w.from = 0
	}
	for w.to-w.from < n {
		got, err := w.fill(w.buf[w.to:])
		if err != nil {
			return err
		}
		w.to += got
	}
	return nil
}

// next finishes the event at hand and returns the header of the one after it.
func (w *wire) next() (header, error) {
	if err := w.finish(); err != nil {
		return header{}, err
	}
	if w.packet == 0 && w.full { // an event that fills its packet to the last byte is followed by an empty one
		if err := w.nextPacket(); err != nil {
			return header{}, err
		}
	}
	if w.packet > 0 {
		return header{}, fmt.Errorf("packet has %d bytes beyond its event", w.packet)
	}
	if w.from == w.to {
		if err := w.boundary(); err != nil {
			return header{}, err
		}
	}
	if err := w.nextPacket(); err != nil {
		return header{}, err
	}
	if err := w.status(); err != nil {
		return header{}, err
	}
	if err := w.need(min(eventHeader, w.packet)); err != nil {
		return header{}, err
	}
	return w.open()
}

// open reads the header and starts the checksum.
func (w *wire) open() (header, error) {
	raw := w.buf[w.from : w.from+min(eventHeader, w.packet)]
	h, err := parseHeader(raw)
	if err != nil {
		return h, err
	}
	if h.kind == evFormat {
		w.checksum = checksumNone // its own checksum is part of what it says
	}
	w.h, w.rest, w.sum, w.over = h, int(h.size)-eventHeader, crc32.ChecksumIEEE(raw), nil
	if w.checksum == checksumCRC32 && w.rest < checksumSize {
		return h, errShort
	}
	w.from += eventHeader
	w.packet -= eventHeader
	return h, nil
}

func (w *wire) nextPacket() error {
	if err := w.need(packetHead); err != nil {
		return err
	}
	head := w.buf[w.from:]
	w.packet = int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	w.full = w.packet == packetMax
	w.from += packetHead
	return nil
}

// status reads the byte before each event: 0, or an error, or the end.
func (w *wire) status() error {
	if w.packet == 0 {
		return errShort
	}
	if err := w.need(1); err != nil {
		return err
	}
	kind := w.buf[w.from]
	w.from++
	w.packet--
	switch {
	case kind == 0:
		return nil
	case kind == 0xfe && w.packet < 8:
		return &serverError{message: "the server ended the log"}
	case kind != 0xff || w.packet > len(w.buf):
		return fmt.Errorf("packet of unknown kind %#x", kind)
	}
	if err := w.need(w.packet); err != nil {
		return err
	}
	return parseServerError(w.buf[w.from : w.from+w.packet])
}

func parseServerError(b []byte) error {
	if len(b) < 2 {
		return errShort
	}
	e := &serverError{code: int(binary.LittleEndian.Uint16(b)), message: string(b[2:])}
	if len(e.message) > 6 && e.message[0] == '#' { // SQLSTATE
		e.message = e.message[6:]
	}
	return e
}

// chunk returns bytes of the event that lie in the buffer, at most max, at least one.
func (w *wire) chunk(limit int) ([]byte, error) {
	for w.packet == 0 {
		if !w.full {
			return nil, fmt.Errorf("event of %d bytes ends %d bytes early: %w", w.h.size, w.rest, errShort)
		}
		if err := w.nextPacket(); err != nil {
			return nil, err
		}
	}
	if err := w.need(1); err != nil {
		return nil, err
	}
	n := min(w.to-w.from, w.packet, w.rest, limit)
	b := w.buf[w.from : w.from+n]
	w.from += n
	w.packet -= n
	w.rest -= n
	w.check(b)
	return b, nil
}

// check adds bytes to the checksum, the last four of the event aside.
func (w *wire) check(b []byte) {
	if w.checksum != checksumCRC32 {
		return
	}
	if w.rest >= checksumSize {
		w.sum = crc32.Update(w.sum, crc32.IEEETable, b)
		return
	}
	tail := min(checksumSize-w.rest, len(b))
	data := b[:len(b)-tail]
	w.sum = crc32.Update(w.sum, crc32.IEEETable, data)
	copy(w.tail[checksumSize-w.rest-tail:], b[len(b)-tail:])
	if w.rest == 0 && w.sum != binary.LittleEndian.Uint32(w.tail[:]) {
		w.over = errChecksum
	}
}

// finish passes over what nobody wanted.
func (w *wire) finish() error {
	for w.rest > 0 {
		if _, err := w.chunk(w.rest); err != nil {
			return err
		}
	}
	err := w.over
	w.over = nil
	return err
}

// left is how many bytes of the body are still to come, without the checksum.
func (w *wire) left() int {
	if w.checksum == checksumCRC32 {
		return w.rest - checksumSize
	}
	return w.rest
}

func (w *wire) peek(n int) ([]byte, error) {
	n = min(n, w.left(), w.packet, len(w.buf)-packetMargin)
	if err := w.need(n); err != nil {
		return nil, err
	}
	return w.buf[w.from : w.from+n], nil
}

// packetMargin keeps a peek smaller than the buffer.
const packetMargin = 64

func (w *wire) all(limit int) ([]byte, error) {
	n := w.left()
	if n > limit {
		return nil, errTooLarge
	}
	if w.rest <= w.packet && w.rest <= len(w.buf) {
		return w.inPlace(n)
	}
	return w.collect(n)
}

// inPlace hands the body out where it lies in the buffer.
func (w *wire) inPlace(n int) ([]byte, error) {
	if w.rest == 0 {
		return nil, w.over
	}
	if err := w.need(w.rest); err != nil {
		return nil, err
	}
	b, err := w.chunk(w.rest)
	if err != nil {
		return nil, err
	}
	if w.over != nil {
		return nil, w.over
	}
	if w.checksum == checksumUnknown {
		return w.trim(b), nil
	}
	return b[:n], nil
}

// collect copies a body that is larger than the buffer, growing as the bytes come.
func (w *wire) collect(n int) ([]byte, error) {
	w.big = w.big[:0]
	for w.rest > 0 {
		b, err := w.chunk(w.rest)
		if err != nil {
			return nil, err
		}
		w.big = append(w.big, b...)
	}
	if w.over != nil {
		return nil, w.over
	}
	return w.big[:n], nil
}

// shrink gives back what a single huge event has taken.
func (w *wire) shrink() {
	if cap(w.big) > 4*wireBuffer {
		w.big = nil
	}
}

// trim takes the checksum off an event that comes before anybody said whether there are any: the first
// ROTATE event, which some servers check and others don't.
func (w *wire) trim(b []byte) []byte {
	n := len(b) - checksumSize
	if n >= 0 && crc32.Update(w.sum, crc32.IEEETable, b[:n]) == binary.LittleEndian.Uint32(b[n:]) {
		return b[:n]
	}
	return b
}

// Read streams the body; io.EOF comes only after its checksum proved right.
func (w *wire) Read(p []byte) (int, error) {
	if w.left() <= 0 {
		if err := w.finish(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	b, err := w.chunk(min(len(p), w.left()))
	return copy(p, b), err
}

// format reads a FORMAT_DESCRIPTION event and knows from then on whether events have checksums.
func (w *wire) format() error {
	sum := w.sum
	b, err := w.all(formatMaxSize)
	if err != nil {
		return err
	}
	on, err := checksummed(b)
	if err != nil {
		return err
	}
	w.checksum = checksumNone
	if on {
		w.checksum = checksumCRC32
		n := len(b) - checksumSize
		if crc32.Update(sum, crc32.IEEETable, b[:n]) != binary.LittleEndian.Uint32(b[n:]) {
			return errChecksum
		}
	}
	return nil
}
