package binlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"outferry/outbox"
)

// snapshotTable is how one table is read in a snapshot.
type snapshotTable struct {
	tableName
	table   *outbox.Table
	columns []catalogColumn
	swaps   []swap
	primary []int // places of the primary key's columns
	order   []int // of the columns that the rows are ordered by
}

// describe reads the table's columns, key and size from the catalog.
func (sn *snapshotReader) describe(t tableName) (*snapshotTable, error) {
	columns, err := columnsOf(sn.cat, t)
	if err != nil {
		return nil, err
	}
	src := &snapshotTable{tableName: t, columns: columns, table: sn.tableOf(sn.srv, t, columns), swaps: make([]swap, len(columns))}
	for i := range columns {
		src.swaps[i], _ = sn.uuidColumns(columns[i].name)
	}
	if src.primary, err = sn.keyColumns(src.table); err != nil {
		return nil, err
	}
	if i := src.table.Index(sn.cfg.Router.Columns.Timestamp); i >= 0 && !columns[i].nullable {
		if k := src.table.Columns[i].Kind; k == outbox.Timestamp || k == outbox.TimestampTZ || k == outbox.Date {
			src.order = append(src.order, i)
		}
	}
	for _, i := range src.primary {
		if !slices.Contains(src.order, i) {
			src.order = append(src.order, i)
		}
	}
	r, err := queryOne(sn.cat, fmt.Sprintf("SELECT COALESCE(MAX(TABLE_ROWS), 0) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s",
		quoteText(t.schema), quoteText(t.name)))
	if err != nil {
		return nil, transient("mysql.connection", "estimate the rows of %s: %w", t, err)
	}
	sn.expected += r.int(0)
	return src, nil
}

// orderedBy describes what the order of the rows depends on.
func (s *snapshotTable) orderedBy() (columns []string) {
	for _, i := range s.order {
		c := &s.columns[i]
		columns = append(columns, strings.TrimSpace(c.name+" "+c.columnType+" "+c.collation))
	}
	return columns
}

// primaryKey returns the names of the primary key's columns.
func (h *session) primaryKey(t tableName) ([]string, error) {
	rows, err := query(h.cat, fmt.Sprintf(`SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s
		AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX`, quoteText(t.schema), quoteText(t.name)))
	if err != nil {
		return nil, transient("mysql.connection", "read the primary key of %s: %w", t, err)
	}
	var key []string
	for _, r := range rows {
		key = append(key, r[0])
	}
	return key, nil
}

// keyColumns returns the places of the primary key's columns in one shape of a table.
func (h *session) keyColumns(t *outbox.Table) ([]int, error) {
	names, err := h.primaryKey(tableName{t.Schema, t.Name})
	if err != nil {
		return nil, err
	}
	var key []int
	for _, name := range names {
		i := t.Index(name)
		if i < 0 {
			return nil, keyChanged("read rows of %s beside the snapshot: they were written without column %s of its primary key", t, name)
		}
		key = append(key, i)
	}
	return key, nil
}

// sql reads the table in order, after the key of the last published row, which each row repeats at its end.
func (s *snapshotTable) sql(after []string) string {
	var cols, order, keys []string
	for i := range s.columns {
		cols = append(cols, s.expression(i))
	}
	for _, i := range s.order {
		order, keys = append(order, s.key(i)), append(keys, s.keyValue(i))
	}
	where := ""
	if len(after) == len(order) {
		where = " WHERE " + s.behind(order, after)
	}
	return fmt.Sprintf("SELECT %s, %s FROM %s%s ORDER BY %s", strings.Join(cols, ", "), strings.Join(keys, ", "), s.tableName.sql(), where, strings.Join(order, ", "))
}

// behind is the condition for all rows after a key. Compared as one row, (a, b) > (1, 2), numbers would become DOUBLE and
// times text, and neighbours be lost.
func (s *snapshotTable) behind(order, after []string) string {
	last := len(order) - 1
	literal := s.literal(s.order[last], after[last])
	condition := fmt.Sprintf("%s > %s", order[last], literal)
	for k := last - 1; k >= 0; k-- {
		literal = s.literal(s.order[k], after[k])
		condition = fmt.Sprintf("(%[1]s > %[2]s OR %[1]s = %[2]s AND %[3]s)", order[k], literal, condition)
	}
	return condition
}

// key is what the rows are ordered by, in a form that compares to its own text: an ENUM is ordered by number and compared
// as text.
func (s *snapshotTable) key(i int) string {
	switch s.columns[i].dataType {
	case "enum", "set", "bit":
		return "CAST(" + quoteName(s.columns[i].name) + " AS UNSIGNED)"
	}
	return s.expression(i)
}

// keyValue selects what becomes a literal. Of a text it is the bytes: in some character sets two codes are one character of
// ours, and would come back as the other.
func (s *snapshotTable) keyValue(i int) string {
	if s.isText(i) {
		return "CAST(" + quoteName(s.columns[i].name) + " AS BINARY)"
	}
	return s.key(i)
}

func (s *snapshotTable) isText(i int) bool {
	switch s.columns[i].dataType {
	case "char", "varchar", "tinytext", "text", "mediumtext", "longtext":
		return true
	}
	return false
}

// expression selects a column. Without the subtraction, which keeps -0, the server would print a FLOAT with six digits, and one
// with declared decimals, or such a DOUBLE, with those.
func (s *snapshotTable) expression(i int) string {
	name, c := quoteName(s.columns[i].name), &s.columns[i]
	if c.dataType == "float" || c.dataType == "double" && strings.Contains(c.columnType, "(") {
		return name + " - 0e0"
	}
	return name
}

// literal writes a value of the order's column, which came as hexadecimal text of what the server sent.
func (s *snapshotTable) literal(i int, hexText string) string {
	raw, err := hex.DecodeString(hexText)
	if err != nil {
		return "NULL" // compares to nothing; only we write positions
	}
	if s.isText(i) {
		return "_" + s.columns[i].charset + " X'" + hexText + "'"
	}
	switch s.columns[i].dataType {
	case "binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob":
		return "X'" + hexText + "'"
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "year", "enum", "set", "bit":
		if isNumber(raw) {
			return string(raw)
		}
	}
	return quoteText(string(raw))
}

func isNumber(text []byte) bool {
	return len(text) > 0 && bytes.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) < 0
}

// decode turns the server's text of each value into the form of package outbox.
func (s *snapshotTable) decode(r *rowBuffer, values [][]byte) error {
	r.text, r.ends = r.text[:0], r.ends[:0]
	for i, v := range values {
		if v == nil {
			r.ends = append(r.ends, -1)
			continue
		}
		var err error
		if r.text, err = appendServerText(r.text, v, &s.table.Columns[i], &s.columns[i], s.swaps[i]); err != nil {
			return &columnError{s.columns[i].name, err}
		}
		r.ends = append(r.ends, len(r.text))
	}
	return nil
}

// errNoDocument: where the text of a JSON document is longer than max_allowed_packet, MySQL gives an empty one and a warning.
var errNoDocument = errors.New("the server sent no text of a JSON document, which is longer than its max_allowed_packet")

func appendServerText(dst, v []byte, col *outbox.Column, cat *catalogColumn, order swap) ([]byte, error) {
	if cat.dataType == "json" && len(v) == 0 {
		return dst, errNoDocument
	}
	switch col.Kind {
	case outbox.TimestampTZ:
		return append(append(dst, v...), "+00"...), nil
	case outbox.UUID:
		if len(v) != 16 {
			return append(dst, v...), nil // MariaDB's own type comes as text
		}
		return appendUUID(dst, (*[16]byte)(v), order), nil
	case outbox.Bits:
		c := cursor{data: v}
		dst = decodeBit(dst, &c, &column{Column: *col})
		return dst, c.err()
	case outbox.Float32:
		f, err := serverNumber(v)
		return strconv.AppendFloat(dst, float64(float32(f)), 'g', -1, 32), err
	case outbox.Float64:
		f, err := serverNumber(v)
		return strconv.AppendFloat(dst, f, 'g', -1, 64), err
	case outbox.Int16, outbox.Int32, outbox.Int64, outbox.Uint64, outbox.Decimal:
		if cat.dataType == "year" || strings.Contains(cat.columnType, "zerofill") {
			return appendUnpadded(dst, v), nil
		}
	}
	return append(dst, v...), nil
}

// serverNumber reads a number and never quotes it: it is somebody's data.
func serverNumber(v []byte) (float64, error) {
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return 0, errors.New("the server's number can't be read")
	}
	return f, nil
}

// appendUnpadded leaves off the zeros that a display width puts before a number.
func appendUnpadded(dst, v []byte) []byte {
	i := 0
	for i < len(v)-1 && v[i] == '0' && v[i+1] >= '0' && v[i+1] <= '9' {
		i++
	}
	return append(dst, v[i:]...)
}

// rowKey tells rows of the seam apart: a hash of table and primary key.
type rowKey [16]byte

// keyOf hashes the key of a row that stands in a buffer.
func (s *snapshotTable) keyOf(r *rowBuffer) rowKey {
	values := make([][]byte, len(r.ends))
	at := 0
	for i, end := range r.ends {
		if end >= 0 {
			values[i] = r.text[at:end]
			at = end
		}
	}
	return keyOf(s.table, values, s.primary)
}

func keyOf(t *outbox.Table, values [][]byte, key []int) rowKey {
	sum := sha256.New()
	sum.Write([]byte(t.String()))
	var size [8]byte
	for _, i := range key {
		binary.LittleEndian.PutUint64(size[:], uint64(len(values[i])))
		sum.Write(size[:])
		sum.Write(values[i])
	}
	return rowKey(sum.Sum(nil))
}
