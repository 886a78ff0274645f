package binlog

import "fmt"

// The wire types of columns.
const (
	typeDecimalOld  = 0
	typeTiny        = 1
	typeShort       = 2
	typeLong        = 3
	typeFloat       = 4
	typeDouble      = 5
	typeTimestamp   = 7
	typeLongLong    = 8
	typeInt24       = 9
	typeDate        = 10
	typeTime        = 11
	typeDatetime    = 12
	typeYear        = 13
	typeNewDate     = 14
	typeVarchar     = 15
	typeBit         = 16
	typeTimestamp2  = 17
	typeDatetime2   = 18
	typeTime2       = 19
	typeBlobZ       = 140 // MariaDB's COMPRESSED columns
	typeVarcharZ    = 141
	typeVector      = 242
	typeJSON        = 245
	typeNewDecimal  = 246
	typeEnum        = 247
	typeSet         = 248
	typeTinyBlob    = 249
	typeMediumBlob  = 250
	typeLongBlob    = 251
	typeBlob        = 252
	typeVarString   = 253
	typeString      = 254
	typeGeometry    = 255
	collationBinary = 63
)

// maxColumns is what MySQL allows; MariaDB allows fewer.
const maxColumns = 4096

// tableMap is a TABLE_MAP event: how the rows that follow are laid out.
type tableMap struct {
	id      uint64
	schema  []byte
	table   []byte
	columns []wireColumn
	kind    kind
	named   bool // the event carries column names
	charset bool // and collations
	sign    bool // and signs
}

// wireColumn is a column as the log describes it.
type wireColumn struct {
	kind      byte // with ENUM and SET told from CHAR
	meta      uint16
	length    int // bytes of CHAR and BINARY, VARCHAR and VARBINARY; length prefix of BLOB; bytes of ENUM and SET
	nullable  bool
	unsigned  bool
	collation int
	name      string
	labels    []string
}

// tableMapName reads only whose rows will follow, which is all that most tables need.
func tableMapName(body []byte) (id uint64, schema, table []byte, rest cursor) {
	c := cursor{data: body}
	id = c.uint(6)
	c.take(2) // flags
	schema = c.take(int(c.byte()))
	c.take(1)
	table = c.take(int(c.byte()))
	c.take(1)
	return id, schema, table, c
}

// metadata is the binlog_row_metadata that it was written under.
func (t *tableMap) metadata() string {
	switch {
	case t.named:
		return "FULL"
	case t.sign || t.charset || t.kind == mysqlKind:
		return "MINIMAL"
	}
	return "NO_LOG"
}

func decodeTableMap(body []byte, k kind) (*tableMap, error) {
	id, schema, table, c := tableMapName(body)
	t := &tableMap{id: id, schema: schema, table: table, kind: k}
	n := c.count()
	if n > maxColumns {
		return nil, fmt.Errorf("table has %d columns", n)
	}
	t.columns = make([]wireColumn, n)
	for i, kind := range c.take(n) {
		t.columns[i].kind = kind
	}
	meta := cursor{data: c.string()}
	for i := range t.columns {
		t.columns[i].readMeta(&meta)
	}
	nulls := c.take((n + 7) / 8)
	if c.bad || meta.bad {
		return nil, errShort
	}
	for i := range t.columns {
		t.columns[i].nullable = bit(nulls, i)
	}
	return t, t.readOptional(&c)
}

// bit reads a bitmap whose first bit is the lowest of the first byte.
func bit(b []byte, i int) bool { return b[i>>3]>>(i&7)&1 != 0 }

// highBit reads a bitmap whose first bit is the highest of the first byte.
func highBit(b []byte, i int) bool { return i>>3 < len(b) && b[i>>3]>>(7-i&7)&1 != 0 }

func (w *wireColumn) readMeta(c *cursor) {
	switch w.kind {
	case typeString:
		w.readStringMeta(c)
	case typeNewDecimal:
		precision := c.byte()
		w.meta = uint16(precision)<<8 | uint16(c.byte())
	case typeVarchar, typeVarString, typeVarcharZ:
		w.meta = uint16(c.uint(2))
		w.length = int(w.meta)
	case typeBit:
		w.meta = uint16(c.uint(2)) // bits beyond whole bytes, whole bytes
	case typeBlob, typeBlobZ, typeGeometry, typeVector, typeJSON, typeTinyBlob, typeMediumBlob, typeLongBlob:
		w.meta = uint16(c.byte())
		w.length = int(w.meta)
	case typeFloat, typeDouble, typeTime2, typeDatetime2, typeTimestamp2:
		w.meta = uint16(c.byte())
	}
}

// readStringMeta undoes the packing of CHAR, ENUM and SET into one type: a length above 255 borrows two
// bits of the real type's byte.
func (w *wireColumn) readStringMeta(c *cursor) {
	kind, low := c.byte(), c.byte()
	w.length = int(low)
	if kind&0x30 != 0x30 {
		w.length |= int(kind&0x30^0x30) << 4
		kind |= 0x30
	}
	if kind == typeEnum || kind == typeSet {
		w.kind = kind
	}
}

func (w *wireColumn) isNumeric() bool {
	switch w.kind {
	case typeTiny, typeShort, typeInt24, typeLong, typeLongLong, typeNewDecimal, typeDecimalOld, typeFloat, typeDouble, typeYear:
		return true
	}
	return false
}

// isOldTime reports the forms before MySQL 5.6, whose length MariaDB makes longer by fractions without a word of it.
func (w *wireColumn) isOldTime() bool {
	return w.kind == typeTime || w.kind == typeDatetime || w.kind == typeTimestamp
}

func (w *wireColumn) isEnumOrSet() bool { return w.kind == typeEnum || w.kind == typeSet }

// isCharacter reports whether the log says a collation for the column, binary ones included.
func (t *tableMap) isCharacter(w *wireColumn) bool {
	switch w.kind {
	case typeGeometry:
		return t.kind == mariaKind
	case typeString, typeVarString, typeVarchar, typeBlob, typeBlobZ, typeVarcharZ, typeTinyBlob, typeMediumBlob, typeLongBlob, typeVector:
		return true
	}
	return false
}

// The optional fields at the end of a TABLE_MAP event (binlog_row_metadata).
const (
	metaSignedness = iota + 1
	metaDefaultCharset
	metaColumnCharset
	metaColumnName
	metaSetLabels
	metaEnumLabels
	metaGeometry
	metaPrimaryKey
	metaPrimaryKeyPrefix
	metaEnumSetDefaultCharset
	metaEnumSetColumnCharset
)

func (t *tableMap) readOptional(c *cursor) error {
	for len(c.data) > 0 && !c.bad {
		field := c.byte()
		v := cursor{data: c.string()}
		t.readField(field, &v)
		if v.bad {
			return errShort
		}
	}
	if c.bad {
		return errShort
	}
	return nil
}

func (t *tableMap) readField(field byte, v *cursor) {
	switch field {
	case metaSignedness:
		t.sign = true
		i := 0
		for w := range t.where((*wireColumn).isNumeric) {
			w.unsigned = highBit(v.data, i)
			i++
		}
	case metaDefaultCharset:
		t.charset = true
		t.readDefaultCharset(v, t.isCharacter)
	case metaColumnCharset:
		t.charset = true
		t.readColumnCharset(v, t.isCharacter)
	case metaEnumSetDefaultCharset:
		t.readDefaultCharset(v, (*wireColumn).isEnumOrSet)
	case metaEnumSetColumnCharset:
		t.readColumnCharset(v, (*wireColumn).isEnumOrSet)
	case metaColumnName:
		t.named = true
		for i := range t.columns {
			t.columns[i].name = string(v.string())
		}
	case metaSetLabels:
		t.readLabels(v, typeSet)
	case metaEnumLabels:
		t.readLabels(v, typeEnum)
	}
}

// where yields the columns that a field of the metadata speaks of, in order.
func (t *tableMap) where(is func(*wireColumn) bool) func(func(*wireColumn) bool) {
	return func(yield func(*wireColumn) bool) {
		for i := range t.columns {
			if is(&t.columns[i]) && !yield(&t.columns[i]) {
				return
			}
		}
	}
}

// readDefaultCharset: one collation for most, and pairs of number and collation for the others.
func (t *tableMap) readDefaultCharset(v *cursor, is func(*wireColumn) bool) {
	common := int(v.lenenc())
	others := map[int]int{}
	for len(v.data) > 0 && !v.bad {
		i := int(v.lenenc())
		others[i] = int(v.lenenc())
	}
	i := 0
	for w := range t.where(is) {
		w.collation = common
		if c, ok := others[i]; ok {
			w.collation = c
		}
		i++
	}
}

func (t *tableMap) readColumnCharset(v *cursor, is func(*wireColumn) bool) {
	for w := range t.where(is) {
		w.collation = int(v.lenenc())
	}
}

func (t *tableMap) readLabels(v *cursor, kind byte) {
	for w := range t.where(func(w *wireColumn) bool { return w.kind == kind }) {
		w.labels = make([]string, v.count())
		for i := range w.labels {
			w.labels[i] = string(v.string())
		}
	}
}
