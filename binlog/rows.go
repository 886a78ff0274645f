package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// rowsEvent is the head of a WRITE, UPDATE or DELETE event and what is left of its rows.
type rowsEvent struct {
	table   uint64
	columns int
	present []byte // of the columns, those in the (new) image
	before  []byte // of an update: those in the old image
	rows    cursor
}

// dummyTable is the table id of an event that only says that its statement is over.
const dummyTable = 0xffffff

var errSkipped = errors.New("row image leaves columns out")

// rowsTable reads only whose rows they are.
func rowsTable(body []byte) (id uint64, ok bool) {
	if len(body) < 6 {
		return 0, false
	}
	return uint64(binary.LittleEndian.Uint32(body)) | uint64(binary.LittleEndian.Uint16(body[4:]))<<32, true
}

func decodeRowsHead(body []byte, kind byte) (rowsEvent, error) {
	c := cursor{data: body}
	e := rowsEvent{table: c.uint(6)}
	c.take(2) // flags
	switch kind {
	case evWriteRows2, evUpdateRows2, evDeleteRows2, evMariaWriteZ2, evMariaUpdateZ2, evMariaDeleteZ2:
		c.take(int(c.uint(2)) - 2) // extra data, which counts its own length
	}
	e.columns = c.count()
	e.present = c.take((e.columns + 7) / 8)
	switch kind {
	case evUpdateRows1, evUpdateRows2, evMariaUpdateZ, evMariaUpdateZ2:
		e.before, e.present = e.present, c.take((e.columns+7)/8)
	}
	e.rows = c
	return e, c.err()
}

func allPresent(bitmap []byte, columns int) bool {
	for i := range columns {
		if !bit(bitmap, i) {
			return false
		}
	}
	return true
}

// rowBuffer holds the text of one row until it is known where it fits.
type rowBuffer struct {
	text []byte
	ends []int // of each value; -1 is NULL
}

// decode reads one whole image. A column that the image leaves out can't be told from NULL, so it is an
// error.
func (r *rowBuffer) decode(c *cursor, s *shape, present []byte) error {
	r.text, r.ends = r.text[:0], r.ends[:0]
	nulls := c.take((len(s.columns) + 7) / 8)
	if c.bad {
		return c.err()
	}
	if !allPresent(present, len(s.columns)) {
		return errSkipped
	}
	for i := range s.columns {
		if bit(nulls, i) {
			r.ends = append(r.ends, -1)
			continue
		}
		col := &s.columns[i]
		start := len(r.text)
		r.text = col.decode(r.text, c, col)
		if c.bad {
			return &columnError{col.Name, c.err()}
		}
		if col.doubtful && bytes.IndexByte(r.text[start:], '?') >= 0 {
			return labelUntold(col)
		}
		r.ends = append(r.ends, len(r.text))
	}
	return nil
}

// labelUntold is for a row whose label stands neither in the log nor, for certain, in the catalog.
func labelUntold(col *column) error {
	return lost("mysql.names_unknown", labelsRemedy,
		"read column %s: the log has no labels, and the catalog writes ? for a character that it can't, so that a label with ? may be another one", col.Name)
}

const labelsRemedy = "run SET GLOBAL binlog_row_metadata=FULL, for the rows from then on; for rows that are in the log without labels, start over with outferry offsets reset NAME, whose snapshot has them and publishes the whole table again"

// columnError says which column can't be read.
type columnError struct {
	column string
	err    error
}

func (e *columnError) Error() string { return "column " + e.column + ": " + e.err.Error() }
func (e *columnError) Unwrap() error { return e.err }

// skip passes over an image whose columns may be left out.
func (r *rowBuffer) skip(c *cursor, s *shape, present []byte) error {
	n := 0
	for i := range s.columns {
		if bit(present, i) {
			n++
		}
	}
	nulls := c.take((n + 7) / 8)
	at := 0
	for i := range s.columns {
		if c.bad {
			return c.err()
		}
		if !bit(present, i) {
			continue
		}
		if !bit(nulls, at) {
			col := &s.columns[i]
			r.text = col.decode(r.text[:0], c, col)
		}
		at++
	}
	return c.err()
}

// into copies the row's values to buf, which must have room, and points values at them.
func (r *rowBuffer) into(buf []byte, values [][]byte) []byte {
	from := len(buf)
	buf = append(buf, r.text...)
	at := 0
	for i, end := range r.ends {
		if end < 0 {
			values[i] = nil
			continue
		}
		values[i] = buf[from+at : from+end : from+end]
		at = end
	}
	return buf
}

// shrink gives back what a single huge row has taken.
func (r *rowBuffer) shrink() {
	const keep = 1 << 20
	if cap(r.text) > keep {
		r.text = nil
	}
}
