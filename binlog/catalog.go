package binlog

import (
	"bytes"
	"strconv"
	"strings"

	"outferry/outbox"
)

// catalogKinds are the kinds of the catalog's types. Strings depend on their character set, integers on
// their sign.
var catalogKinds = map[string]outbox.Kind{
	"tinyint": outbox.Int16, "smallint": outbox.Int16, "mediumint": outbox.Int32, "int": outbox.Int32, "bigint": outbox.Int64,
	"year": outbox.Int32, "float": outbox.Float32, "double": outbox.Float64, "decimal": outbox.Decimal, "bit": outbox.Bits,
	"date": outbox.Date, "time": outbox.Time, "datetime": outbox.Timestamp, "timestamp": outbox.TimestampTZ,
	"enum": outbox.Enum, "set": outbox.Set, "json": outbox.JSON, "uuid": outbox.UUID, "inet6": outbox.Text, "inet4": outbox.Text,
	"char": outbox.Text, "varchar": outbox.Text, "tinytext": outbox.Text, "text": outbox.Text, "mediumtext": outbox.Text, "longtext": outbox.Text,
}

var unsignedKinds = map[string]outbox.Kind{"smallint": outbox.Int32, "int": outbox.Int64, "bigint": outbox.Uint64}

// columnOf describes a column as the log would. Both ways must agree: a row of the snapshot and one of the
// stream go the same road.
func (s *Source) columnOf(srv *server, c catalogColumn) outbox.Column {
	col := outbox.Column{Name: c.name, TypeName: c.columnType, Nullable: c.nullable}
	kind, known := catalogKinds[c.dataType]
	if !known {
		kind = outbox.Bytes
	}
	if k, ok := unsignedKinds[c.dataType]; ok && strings.Contains(c.columnType, "unsigned") {
		kind = k
	}
	col.Kind = kind
	first, second := typeArguments(c.columnType)
	switch c.dataType {
	case "char", "varchar", "binary", "varbinary", "bit":
		col.Length = first
		if c.dataType == "char" || c.dataType == "varchar" {
			break
		}
		if order, ok := s.uuidColumns(c.name); ok && c.dataType == "binary" && first == 16 {
			_ = order
			col.Kind, col.Length = outbox.UUID, 0
		}
	case "vector":
		if srv.kind == mariaKind { // a VARBINARY in its log
			col.Length = 4 * first
		}
	case "decimal":
		col.Scale = second
	case "time":
		col.Precision = timePrecision
	case "datetime", "timestamp":
		col.Precision = first
	case "year":
		col.Year = true
	case "enum", "set":
		col.Labels = parseLabels(c.columnType)
	}
	return col
}

// typeArguments reads the numbers of decimal(10,2).
func typeArguments(columnType string) (first, second int) {
	_, rest, _ := strings.Cut(columnType, "(")
	args, _, _ := strings.Cut(rest, ")")
	a, b, _ := strings.Cut(args, ",")
	first, _ = strconv.Atoi(a)
	second, _ = strconv.Atoi(b)
	return first, second
}

// parseLabels reads the labels out of a column's type. The server has put ? where it can't write a character; for binary labels
// that are no text MySQL writes x'...', with one digit for the bytes below 16, which is as little.
func parseLabels(columnType string) []string {
	_, rest, _ := strings.Cut(columnType, "(")
	var labels []string
	for {
		quoted, digits := strings.CutPrefix(rest, "x")
		if !strings.HasPrefix(quoted, "'") {
			return labels
		}
		var label string
		if label, rest = cutLabel(quoted[1:]); digits {
			label = "?"
		}
		labels = append(labels, label)
		rest = strings.TrimPrefix(rest, ",")
	}
}

// cutLabel reads up to the quote that ends a label. Quotes are doubled in it and some characters escaped, whatever the
// sql_mode.
func cutLabel(s string) (label, rest string) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			i++
			out.WriteByte(unescaped(s[i]))
			continue
		case s[i] == '\'' && !strings.HasPrefix(s[i+1:], "'"):
			return out.String(), s[i+1:]
		case s[i] == '\'':
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String(), ""
}

func unescaped(c byte) byte {
	switch c {
	case '0':
		return 0
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	}
	return c
}

// untellable reports whether a ? in a label of the catalog may stand for another character: the catalog is in utf8mb3.
func untellable(charset string) bool {
	switch charset {
	case "", charsetBinary, charsetUTF8, "utf16", "utf16le", "utf32", "gb18030":
		return true
	}
	return false
}

type wireKinds []byte

func (k wireKinds) has(kind byte) bool { return bytes.IndexByte(k, kind) >= 0 }

// wireTypes says as what each of the catalog's types may stand in the log.
var wireTypes = map[string]wireKinds{
	"tinyint": {typeTiny}, "smallint": {typeShort}, "mediumint": {typeInt24}, "int": {typeLong}, "bigint": {typeLongLong},
	"year": {typeYear}, "float": {typeFloat}, "double": {typeDouble}, "decimal": {typeNewDecimal}, "bit": {typeBit},
	"date": {typeDate, typeNewDate}, "time": {typeTime, typeTime2},
	"datetime": {typeDatetime, typeDatetime2}, "timestamp": {typeTimestamp, typeTimestamp2},
	"char": {typeString, typeVarString}, "varchar": {typeVarchar, typeVarString, typeVarcharZ},
	"binary": {typeString, typeVarString}, "varbinary": {typeVarchar, typeVarString, typeVarcharZ},
	"tinytext": {typeBlob, typeBlobZ}, "text": {typeBlob, typeBlobZ}, "mediumtext": {typeBlob, typeBlobZ}, "longtext": {typeBlob, typeBlobZ},
	"tinyblob": {typeBlob, typeBlobZ}, "blob": {typeBlob, typeBlobZ}, "mediumblob": {typeBlob, typeBlobZ}, "longblob": {typeBlob, typeBlobZ},
	"json": {typeJSON, typeBlob}, "enum": {typeEnum}, "set": {typeSet}, "vector": {typeVector, typeBlob, typeVarchar},
	"uuid": {typeString}, "inet6": {typeString}, "inet4": {typeString},
	"geometry": {typeGeometry}, "point": {typeGeometry}, "linestring": {typeGeometry}, "polygon": {typeGeometry}, "geomcollection": {typeGeometry},
	"geometrycollection": {typeGeometry}, "multipoint": {typeGeometry}, "multilinestring": {typeGeometry}, "multipolygon": {typeGeometry},
}
