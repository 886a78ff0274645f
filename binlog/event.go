package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The events of the log that mean something to an outbox; all others are passed over.
const (
	evQuery           = 2
	evStop            = 3
	evRotate          = 4
	evLoad            = 6
	evFormat          = 15
	evXID             = 16
	evBeginLoadQuery  = 17
	evExecLoadQuery   = 18
	evTableMap        = 19
	evWriteRows0      = 20 // of MySQL 5.1.15 and older
	evDeleteRows0     = 22
	evWriteRows1      = 23
	evUpdateRows1     = 24
	evDeleteRows1     = 25
	evIncident        = 26
	evHeartbeat       = 27
	evWriteRows2      = 30
	evUpdateRows2     = 31
	evDeleteRows2     = 32
	evGTID            = 33
	evAnonymousGTID   = 34
	evXAPrepare       = 38
	evPartialUpdate   = 39
	evPayload         = 40 // a compressed transaction
	evHeartbeat2      = 41
	evTaggedGTID      = 42
	evFirstMaria      = 160
	evMariaCheckpoint = 161
	evMariaGTID       = 162
	evMariaGTIDList   = 163
	evMariaEncryption = 164
	evMariaQueryZ     = 165 // compressed
	evMariaWriteRowsZ = 166
	evMariaUpdateZ    = 167
	evMariaDeleteZ    = 168
	evMariaWriteZ2    = 169
	evMariaUpdateZ2   = 170
	evMariaDeleteZ2   = 171
)

const (
	eventHeader    = 19
	checksumSize   = 4
	flagArtificial = 0x20
)

var errShort = errors.New("event ends too early")

// header is what every event begins with.
type header struct {
	when   uint32 // seconds since 1970
	kind   byte
	server uint32 // where it was written first
	size   uint32 // of the whole event
	end    uint32 // where the next event begins in the file, modulo 4 GiB; 0 where the server doesn't say
	flags  uint16
}

func parseHeader(b []byte) (header, error) {
	if len(b) < eventHeader {
		return header{}, errShort
	}
	h := header{
		when:   binary.LittleEndian.Uint32(b),
		kind:   b[4],
		server: binary.LittleEndian.Uint32(b[5:]),
		size:   binary.LittleEndian.Uint32(b[9:]),
		end:    binary.LittleEndian.Uint32(b[13:]),
		flags:  binary.LittleEndian.Uint16(b[17:]),
	}
	if h.size < eventHeader {
		return h, fmt.Errorf("event of type %d has size %d", h.kind, h.size)
	}
	return h, nil
}

// cursor reads an event's body. A read beyond the end sets bad and gives zeros, so that a decoder
// checks once.
type cursor struct {
	data []byte
	bad  bool
	why  error // more than "too short", where there is more to say
}

// fail marks the whole as unreadable.
func (c *cursor) fail(format string, args ...any) {
	if !c.bad {
		c.why = fmt.Errorf(format, args...)
	}
	c.bad, c.data = true, nil
}

func (c *cursor) err() error {
	switch {
	case c.why != nil:
		return c.why
	case c.bad:
		return errShort
	}
	return nil
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.data) {
		c.bad, c.data = true, nil
		return nil
	}
	b := c.data[:n]
	c.data = c.data[n:]
	return b
}

func (c *cursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uint reads n bytes, least significant first.
func (c *cursor) uint(n int) (v uint64) {
	for i, b := range c.take(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// lenenc reads a length-encoded integer.
func (c *cursor) lenenc() uint64 {
	switch first := c.byte(); first {
	case 0xfb, 0xff:
		c.bad = true
		return 0
	case 0xfc:
		return c.uint(2)
	case 0xfd:
		return c.uint(3)
	case 0xfe:
		return c.uint(8)
	default:
		return uint64(first)
	}
}

// count reads a length-encoded integer that can't be larger than what is left, whatever it counts.
func (c *cursor) count() int {
	n := c.lenenc()
	if n > uint64(len(c.data)) {
		c.bad = true
		return 0
	}
	return int(n)
}

func (c *cursor) string() []byte { return c.take(c.count()) }

// checksummed reports whether the events after this FORMAT_DESCRIPTION event carry a CRC32. The body
// still has the checksum, since only now we learn whether there is one.
func checksummed(body []byte) (bool, error) {
	const fixed = 2 + 50 + 4 + 1
	if len(body) < fixed+1+checksumSize {
		return false, errShort
	}
	if version := binary.LittleEndian.Uint16(body); version != 4 {
		return false, fmt.Errorf("the log has format version %d, want 4", version)
	}
	if n := body[fixed-1]; n != eventHeader {
		return false, fmt.Errorf("the log's events have headers of %d bytes, want %d", n, eventHeader)
	}
	switch alg := body[len(body)-1-checksumSize]; alg {
	case 0:
		return false, nil
	case 1:
		return true, nil
	default:
		return false, fmt.Errorf("the log's checksums are of unknown kind %d", alg)
	}
}

// rotation is where the next file begins.
type rotation struct {
	file string
	pos  uint64
}

func decodeRotate(body []byte) (rotation, error) {
	c := cursor{data: body}
	pos := c.uint(8)
	if c.bad || len(c.data) == 0 {
		return rotation{}, errShort
	}
	return rotation{string(c.data), pos}, nil
}

// decodeHeartbeat returns the place in the file, which is one of numbered fields, or 0.
func decodeHeartbeat(body []byte) (pos uint64) {
	const last, inFile = 0, 2
	c := cursor{data: body}
	for field := c.lenenc(); field != last; field = c.lenenc() {
		if v := c.string(); field == inFile {
			pos = (&cursor{data: v}).lenenc()
		}
	}
	return pos
}

// logged is a statement in the log, or the words that begin and end a transaction.
type logged struct {
	schema []byte // the session's
	text   []byte
	vars   []byte // of the session
	cut    bool   // there is more of it
}

func decodeQuery(body []byte, fixedExtra int) (logged, error) {
	c := cursor{data: body}
	c.take(8) // thread, seconds
	schema := int(c.byte())
	c.take(2) // error code
	vars := int(c.uint(2))
	c.take(fixedExtra) // of an EXECUTE_LOAD_QUERY event
	q := logged{vars: c.take(vars), schema: c.take(schema)}
	c.take(1)
	q.text = c.data
	if c.bad {
		return q, errShort
	}
	return q, nil
}
