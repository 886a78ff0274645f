package walstream

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The messages of pgoutput, protocol version 1 ("Logical Replication Message Formats").
const (
	msgBegin    = 'B'
	msgCommit   = 'C'
	msgOrigin   = 'O'
	msgRelation = 'R'
	msgType     = 'Y'
	msgInsert   = 'I'
	msgUpdate   = 'U'
	msgDelete   = 'D'
	msgTruncate = 'T'
	msgMessage  = 'M'
)

var errShort = errors.New("message is shorter than its fields")

// decoder reads the fields of one message. After a read past the end everything is zero and bad is set,
// so a message is checked once, when all of it is read.
type decoder struct {
	data []byte
	bad  bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.data) {
		d.bad = true
		return nil
	}
	out := d.data[:n:n]
	d.data = d.data[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint16() int {
	if b := d.take(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text reads a string that ends in a zero byte.
func (d *decoder) text() string {
	for i, c := range d.data {
		if c == 0 {
			s := string(d.data[:i])
			d.data = d.data[i+1:]
			return s
		}
	}
	d.bad = true
	return ""
}

func (d *decoder) err() error {
	if d.bad {
		return errShort
	}
	return nil
}

type beginMessage struct {
	final  lsn   // of the commit record
	commit int64 // microseconds since 1970
	xid    uint32
}

// passBy is the command that passes by the transaction, and no other.
func (m beginMessage) passBy() string {
	return "outferry offsets set NAME --lsn " + m.final.behind().String() + " --accept-gap"
}

func decodeBegin(d *decoder) (beginMessage, error) {
	m := beginMessage{final: lsn(d.uint64()), commit: pgMicros(d.uint64()), xid: d.uint32()}
	return m, d.err()
}

type commitMessage struct {
	commit, end lsn
}

func decodeCommit(d *decoder) (commitMessage, error) {
	d.byte() // flags, none defined
	m := commitMessage{commit: lsn(d.uint64()), end: lsn(d.uint64())}
	d.uint64()
	return m, d.err()
}

type relationColumn struct {
	name string
	oid  uint32
	mod  int32
}

type relationMessage struct {
	oid          uint32
	schema, name string
	columns      []relationColumn
}

func decodeRelation(d *decoder) (relationMessage, error) {
	m := relationMessage{oid: d.uint32(), schema: d.text(), name: d.text()}
	d.byte() // replica identity
	n := d.uint16()
	if n > len(d.data)/10 { // a column takes ten bytes at least
		return m, errShort
	}
	m.columns = make([]relationColumn, n)
	for i := range m.columns {
		d.byte() // flags: part of the key
		m.columns[i] = relationColumn{name: d.text(), oid: d.uint32(), mod: int32(d.uint32())}
	}
	if m.schema == "" {
		m.schema = "pg_catalog"
	}
	return m, d.err()
}

// decodeTuple reads the n values of a tuple into values.
func decodeTuple(d *decoder, values [][]byte) error {
	if n := d.uint16(); n != len(values) || d.bad {
		return fmt.Errorf("tuple has %d values, its relation %d columns", n, len(values))
	}
	for i := range values {
		switch kind := d.byte(); kind {
		case 'n':
			values[i] = nil
		case 't':
			values[i] = d.take(int(int32(d.uint32())))
		case 'u':
			return errUnchanged
		default:
			if d.bad {
				return errShort
			}
			return fmt.Errorf("value %d has unknown form %q", i, kind)
		}
	}
	return d.err()
}

// errUnchanged: a large value that an UPDATE left alone is not in the log.
var errUnchanged = errors.New("a value is missing because the update did not change it")

// pgMicros turns PostgreSQL's microseconds since 2000 into those since 1970.
func pgMicros(t uint64) int64 { return int64(t) + 946684800_000_000 }
