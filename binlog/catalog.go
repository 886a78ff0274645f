package binlog

import (
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
	case "decimal":
		col.Scale = second
	case "time", "datetime", "timestamp":
		col.Precision = first
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
