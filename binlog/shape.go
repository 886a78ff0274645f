package binlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"outferry/outbox"
)

// shape is one layout of an outbox table: what the house knows of it, and how its rows are read.
type shape struct {
	table   *outbox.Table
	columns []column
	event   []byte // the TABLE_MAP event it was made of, without its table id
}

// column is one column of a shape. Its outbox.Column is the one of the table.
type column struct {
	wireColumn
	outbox.Column
	decode    decodeFunc
	transcode transcoder
	inflater  *inflater // of a COMPRESSED column
	swap      swap
	doubtful  bool // a ? in its labels may be another character
}

// catalogColumn is what information_schema says of a column now, which may be later than the log.
type catalogColumn struct {
	name       string
	dataType   string // bigint, varchar, uuid
	columnType string // bigint unsigned, varchar(36), enum('a','b')
	charset    string
	collation  string
	nullable   bool
}

// shaper makes shapes of TABLE_MAP events.
type shaper struct {
	kind     kind
	charsets charsets
	uuid     func(name string) (swap, bool) // a BINARY(16) of this name holds a UUID

	codes map[string]codes // of character sets, as far as they were needed
	ask   func(name string, size int) (codes, error)

	key     func(table string) string // by which layouts are found
	layouts layouts                   // in force where the log is read
	certain place                     // no change of them up to here
	learn   func(*tableMap) error     // what they are where rows of this table stand
	told    func(metadata string)     // binlog_row_metadata, as the last rows show it
}

func (s *shaper) shape(body []byte) (*shape, error) {
	t, err := decodeTableMap(body, s.kind)
	if err != nil {
		return nil, fmt.Errorf("read table map: %w", err)
	}
	out := &shape{event: bytes.Clone(body[6:]), columns: make([]column, len(t.columns)),
		table: &outbox.Table{Schema: string(t.schema), Name: string(t.table), Columns: make([]outbox.Column, len(t.columns))}}
	known, err := s.known(t)
	if err != nil {
		return nil, err
	}
	for i, w := range t.columns {
		col, err := s.column(t, w, known[i])
		if err != nil {
			return nil, outbox.Within(err, "column %d (%s) of %s", i+1, w.name, out.table)
		}
		out.columns[i], out.table.Columns[i] = col, col.Column
	}
	return out, nil
}

// known returns what the catalog adds to each column. Where the log has no names they must come from
// there, and then the catalog's table must have the same layout still. Of a column with a name only what the log leaves
// unsaid is taken: the rest of the catalog may be younger.
func (s *shaper) known(t *tableMap) ([]catalogColumn, error) {
	none := make([]catalogColumn, len(t.columns))
	s.told(t.metadata())
	if !s.incomplete(t) {
		return none, nil
	}
	if !t.named {
		return s.named(t)
	}
	found, err := s.layout(t)
	if err != nil {
		return nil, err
	}
	out, why := s.untold(t, found)
	if why != "" { // a session that logs nothing has changed the table
		if err := s.learn(t); err != nil {
			return nil, err
		}
		out, why = s.untold(t, s.inForce(t))
	}
	if why != "" {
		return nil, lost("mysql.names_unknown", typesRemedy, "read the types of %s.%s, which the log doesn't tell: %s", t.schema, t.table, why)
	}
	return out, nil
}

// named gives a table its names.
func (s *shaper) named(t *tableMap) ([]catalogColumn, error) {
	found, err := s.layout(t)
	if err != nil {
		return nil, err
	}
	why := differs(t, found)
	if why != "" && hidesOthers(t, found) {
		if err := s.learn(t); err != nil {
			return nil, err
		}
		found = s.inForce(t)
		why = differs(t, found)
	}
	if why != "" {
		return nil, lost("mysql.names_unknown", namesRemedy,
			"name the columns of %s.%s: the log has no names and the table has another layout than is known of this place: %s", t.schema, t.table, why)
	}
	for i := range found {
		t.columns[i].name = found[i].name
	}
	return found, nil
}

// layout is the table's at this place in the log.
func (s *shaper) layout(t *tableMap) ([]catalogColumn, error) {
	if s.inForce(t) == nil {
		if err := s.learn(t); err != nil {
			return nil, err
		}
	}
	return s.inForce(t), nil
}

func (s *shaper) inForce(t *tableMap) []catalogColumn {
	return s.layouts[s.key(string(t.schema)+"."+string(t.table))]
}

// untold picks the ambiguous columns out of a layout, by their names, or says why it can't be that of the rows.
func (s *shaper) untold(t *tableMap, found []catalogColumn) (out []catalogColumn, why string) {
	out = make([]catalogColumn, len(t.columns))
	for i := range t.columns {
		w := &t.columns[i]
		if !s.ambiguous(w) {
			continue
		}
		at := slices.IndexFunc(found, func(c catalogColumn) bool { return c.name == w.name })
		if at < 0 {
			return nil, fmt.Sprintf("the table has no column %s", w.name)
		}
		if out[i] = found[at]; !out[i].mayBe(w) {
			return nil, fmt.Sprintf("column %s is %s, and was of type %d with %d bytes", w.name, out[i].columnType, w.kind, w.length)
		}
	}
	return out, ""
}

// mayBe reports whether a column of the catalog may stand so in the log.
func (c catalogColumn) mayBe(w *wireColumn) bool {
	switch length, _ := typeArguments(c.columnType); c.dataType {
	case "binary":
		return w.kind == typeString && w.length == length
	case "uuid", "inet6":
		return w.kind == typeString && w.length == 16
	case "inet4":
		return w.kind == typeString && w.length == 4
	}
	return wireTypes[c.dataType].has(w.kind)
}

// incomplete reports whether the event leaves out what a row can't be read without: names, labels, or
// whether a binary string of MariaDB is of one of its own types.
func (s *shaper) incomplete(t *tableMap) bool {
	if !t.named {
		return true
	}
	for i := range t.columns {
		if s.ambiguous(&t.columns[i]) {
			return true
		}
	}
	return false
}

// ambiguous reports whether a column with a name can't be read by what the log says of it.
func (s *shaper) ambiguous(w *wireColumn) bool {
	binary := w.kind == typeString && w.collation == collationBinary && (w.length == 16 || w.length == 4)
	return w.isEnumOrSet() && w.labels == nil || s.kind == mariaKind && (binary || w.isOldTime())
}

// differs compares the layout in the log with that in the catalog, as far as the log tells it.
func differs(t *tableMap, found []catalogColumn) string {
	if len(found) != len(t.columns) {
		return fmt.Sprintf("%d columns then, %d now", len(t.columns), len(found))
	}
	for i, w := range t.columns {
		if f := found[i]; !wireTypes[f.dataType].has(w.kind) {
			return fmt.Sprintf("column %d was of type %d, and is %s", i+1, w.kind, f.dataType)
		}
	}
	return ""
}

// column settles one column.
func (s *shaper) column(t *tableMap, w wireColumn, known catalogColumn) (column, error) {
	col := column{wireColumn: w, transcode: copyBytes, inflater: &inflater{}}
	col.Column = outbox.Column{Name: w.name, Nullable: w.nullable, TypeName: known.columnType}
	if w.isEnumOrSet() && w.labels == nil {
		col.wireColumn.labels, col.doubtful = parseLabels(known.columnType), untellable(known.charset)
	}
	if !t.sign && strings.Contains(known.columnType, "unsigned") {
		col.unsigned = true
	}
	if _, digits, _ := strings.Cut(known.columnType, "("); w.isOldTime() && digits != "" {
		return col, errors.New("the server logs its fractions in an old form; set mysql56_temporal_format, and ALTER TABLE it with FORCE")
	}
	if k, ok := kinds[w.kind]; ok {
		s.plain(&col, k.kind, k.unsigned, k.name, k.decode)
		return col, s.labels(&col)
	}
	cs, err := s.charsetOf(w, known, t.charset)
	if err != nil {
		return col, err
	}
	switch w.kind {
	case typeString:
		s.fixedString(&col, cs, known.dataType)
	case typeVarchar, typeVarString:
		s.text(&col, cs, "varchar", "varbinary", decodeString)
	case typeBlob, typeTinyBlob, typeMediumBlob, typeLongBlob:
		s.text(&col, cs, "text", "blob", decodeBlob)
		col.Length = 0
	case typeVarcharZ:
		s.text(&col, cs, "varchar", "varbinary", decodeCompressedString)
	case typeBlobZ:
		s.text(&col, cs, "text", "blob", decodeCompressedBlob)
		col.Length = 0
	default:
		return col, fmt.Errorf("type %d is unknown", w.kind)
	}
	return col, nil
}

// timePrecision is that of every TIME, whatever its digits: Debezium takes microseconds for all of them, here alone.
const timePrecision = 6

// plain settles the columns whose wire type says all.
func (s *shaper) plain(col *column, signed, unsigned outbox.Kind, name string, decode decodeFunc) {
	col.decode, col.Kind = decode, signed
	if col.unsigned {
		col.Kind = unsigned
	}
	switch w := col.wireColumn; w.kind {
	case typeNewDecimal:
		col.Precision, col.Scale = 0, int(w.meta&0xff)
		name = fmt.Sprintf("decimal(%d,%d)", w.meta>>8, w.meta&0xff)
	case typeBit:
		col.Length = int(w.meta>>8)*8 + int(w.meta&0xff)
		name = fmt.Sprintf("bit(%d)", col.Length)
	case typeTime2, typeDatetime2, typeTimestamp2:
		col.Precision = int(w.meta)
		if w.meta > 0 {
			name += "(" + strconv.Itoa(int(w.meta)) + ")"
		}
	case typeTime, typeDatetime, typeTimestamp:
		col.meta = 0
	case typeYear:
		col.Year = true
	}
	if col.Kind == outbox.Time {
		col.Precision = timePrecision
	}
	if col.unsigned {
		name += " unsigned"
	}
	if col.TypeName == "" {
		col.TypeName = name
	}
}

func (s *shaper) labels(col *column) error {
	if !col.isEnumOrSet() {
		return nil
	}
	cs := s.charsets[col.collation]
	read := copyBytes
	if cs.name != "" && cs.name != charsetBinary {
		if err := s.need(cs); err != nil {
			return err
		}
		read = s.transcoder(cs.name)
	}
	for _, label := range col.wireColumn.labels {
		var c cursor
		text := read(nil, &c, []byte(label))
		if err := c.err(); err != nil {
			return err
		}
		col.Labels = append(col.Labels, string(text))
	}
	return nil
}

// charsetOf: from the log, else from the catalog.
func (s *shaper) charsetOf(w wireColumn, known catalogColumn, told bool) (charset, error) {
	if !told {
		if known.dataType == "" {
			return charset{}, fmt.Errorf("neither the log nor the catalog says its character set")
		}
		if known.charset == "" {
			return charset{charsetBinary, 1}, nil
		}
		cs := charset{known.charset, s.longest(known.charset)}
		return cs, s.need(cs)
	}
	if w.collation == collationBinary {
		return charset{charsetBinary, 1}, nil
	}
	cs, ok := s.charsets[w.collation]
	if !ok {
		return cs, fmt.Errorf("collation %d is unknown", w.collation)
	}
	return cs, s.need(cs)
}

func (s *shaper) longest(name string) int {
	for _, cs := range s.charsets {
		if cs.name == name {
			return cs.size
		}
	}
	return 1
}

func (s *shaper) text(col *column, cs charset, text, blob string, decode decodeFunc) {
	col.decode, col.Kind = decode, outbox.Text
	name := text
	if cs.name == charsetBinary {
		col.Kind, name = outbox.Bytes, blob
	} else {
		col.transcode = s.transcoder(cs.name)
	}
	col.Length = col.wireColumn.length / max(cs.size, 1)
	if col.TypeName == "" {
		col.TypeName = name
		if name[0] == 'v' {
			col.TypeName = fmt.Sprintf("%s(%d)", name, col.Length)
		}
	}
}

// fixedString settles CHAR and BINARY, and MariaDB's types that look like BINARY in the log.
func (s *shaper) fixedString(col *column, cs charset, dataType string) {
	s.text(col, cs, "char", "binary", decodeString)
	if cs.name != charsetBinary {
		return
	}
	col.decode = decodeBinary
	switch n := col.wireColumn.length; {
	case dataType == "uuid" && n == 16:
		col.Kind, col.Length, col.decode = outbox.UUID, 0, decodeBinaryUUID
	case dataType == "inet6" && n == 16, dataType == "inet4" && n == 4:
		col.Kind, col.Length, col.decode = outbox.Text, 0, decodeInet
	case n == 16:
		if order, ok := s.uuid(col.Name); ok {
			col.Kind, col.Length, col.swap, col.decode = outbox.UUID, 0, order, decodeBinaryUUID
		}
	}
	if col.TypeName == "binary" {
		col.TypeName = fmt.Sprintf("binary(%d)", col.wireColumn.length)
	}
}
