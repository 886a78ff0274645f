package encode

import (
	"strconv"
	"strings"

	"outferry/outbox"
)

// connect is the Kafka Connect schema of a column: a primitive type and the name that Debezium puts
// on it to say what it means.
type connect struct {
	kind   string
	name   string
	params [][2]string
}

// AppendSchema appends the schema object that JsonConverter writes for a column; field is its name
// inside a struct, or empty.
func AppendSchema(dst []byte, c *outbox.Column, field string) []byte {
	switch {
	case isPoint(c):
		return appendPointSchema(dst, c, field)
	case c.Kind == outbox.Array:
		elem := outbox.Column{Kind: c.Elem, TypeName: c.TypeName, Length: c.Length, Precision: c.Precision, Scale: c.Scale, Labels: c.Labels, Nullable: true}
		dst = append(dst, `{"type":"array","items":`...)
		dst = AppendSchema(dst, &elem, "")
		dst = appendOptional(append(dst, ','), c.Nullable)
		return AppendField(dst, field)
	case c.Kind == outbox.Decimal && c.Scale < 0:
		dst = append(dst, `{"type":"struct","fields":[{"type":"int32","optional":false,"field":"scale"},`+
			`{"type":"bytes","optional":false,"field":"value"}],`...)
		dst = appendOptional(dst, c.Nullable)
		dst = append(dst, `,"name":"io.debezium.data.VariableScaleDecimal","version":1,"doc":"Variable scaled decimal"`...)
		return AppendField(dst, field)
	}
	s := connectOf(c)
	dst = append(dst, `{"type":"`...)
	dst = append(append(dst, s.kind...), `",`...)
	dst = appendOptional(dst, c.Nullable)
	dst = s.appendName(dst)
	return AppendField(dst, field)
}

func appendOptional(dst []byte, optional bool) []byte {
	dst = append(dst, `"optional":`...)
	return strconv.AppendBool(dst, optional)
}

// AppendField closes a schema object with the name that it has in a struct, or none.
func AppendField(dst []byte, field string) []byte {
	if field != "" {
		dst = append(dst, `,"field":`...)
		dst = AppendString(dst, []byte(field))
	}
	return append(dst, '}')
}

func (s connect) appendName(dst []byte) []byte {
	if s.name == "" {
		return dst
	}
	dst = append(append(dst, `,"name":"`...), s.name...)
	dst = append(dst, `","version":1`...)
	for i, p := range s.params {
		if i == 0 {
			dst = append(dst, `,"parameters":{`...)
		} else {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, []byte(p[0])), ':')
		dst = AppendString(dst, []byte(p[1]))
	}
	if len(s.params) > 0 {
		dst = append(dst, '}')
	}
	return dst
}

func connectOf(c *outbox.Column) connect {
	switch c.Kind {
	case outbox.JSON:
		return connect{kind: "string", name: "io.debezium.data.Json"}
	case outbox.UUID:
		return connect{kind: "string", name: "io.debezium.data.Uuid"}
	case outbox.Enum:
		return connect{kind: "string", name: "io.debezium.data.Enum", params: allowed(c)}
	case outbox.Set:
		return connect{kind: "string", name: "io.debezium.data.EnumSet", params: allowed(c)}
	case outbox.Bytes:
		return connect{kind: "bytes"}
	case outbox.Bool:
		return connect{kind: "boolean"}
	case outbox.Int16:
		return connect{kind: "int16"}
	case outbox.Int32:
		if c.Year {
			return connect{kind: "int32", name: "io.debezium.time.Year"}
		}
		return connect{kind: "int32"}
	case outbox.Int64, outbox.Uint64:
		return connect{kind: "int64"}
	case outbox.Float32:
		return connect{kind: "float"}
	case outbox.Float64:
		return connect{kind: "double"}
	case outbox.Decimal:
		return connect{kind: "bytes", name: "org.apache.kafka.connect.data.Decimal", params: scaleOf(c)}
	case outbox.Bits:
		return bitsOf(c)
	case outbox.Text:
		return textOf(c)
	}
	return temporalOf(c)
}

func temporalOf(c *outbox.Column) connect {
	switch {
	case c.Kind == outbox.Date:
		return connect{kind: "int32", name: "io.debezium.time.Date"}
	case c.Kind == outbox.Time && c.Precision <= 3:
		return connect{kind: "int32", name: "io.debezium.time.Time"}
	case c.Kind == outbox.Time:
		return connect{kind: "int64", name: "io.debezium.time.MicroTime"}
	case c.Kind == outbox.TimeTZ:
		return connect{kind: "string", name: "io.debezium.time.ZonedTime"}
	case c.Kind == outbox.Timestamp && c.Precision <= 3:
		return connect{kind: "int64", name: "io.debezium.time.Timestamp"}
	case c.Kind == outbox.Timestamp:
		return connect{kind: "int64", name: "io.debezium.time.MicroTimestamp"}
	case c.Kind == outbox.TimestampTZ:
		return connect{kind: "string", name: "io.debezium.time.ZonedTimestamp"}
	case c.Kind == outbox.Interval:
		return connect{kind: "int64", name: "io.debezium.time.MicroDuration"}
	}
	return connect{kind: "string"}
}

func textOf(c *outbox.Column) connect {
	if c.TypeName == "xml" {
		return connect{kind: "string", name: "io.debezium.data.Xml"}
	}
	switch { // of extensions, which may be in any schema
	case c.TypeName == "ltree" || strings.HasSuffix(c.TypeName, ".ltree"):
		return connect{kind: "string", name: "io.debezium.data.Ltree"}
	case c.TypeName == "hstore" || strings.HasSuffix(c.TypeName, ".hstore"):
		return connect{kind: "string", name: "io.debezium.data.Json"}
	}
	return connect{kind: "string"}
}

func allowed(c *outbox.Column) [][2]string {
	return [][2]string{{"allowed", strings.Join(c.Labels, ",")}}
}

// bitsOf gives a bit string without a declared length Debezium's length: the largest there is.
func bitsOf(c *outbox.Column) connect {
	if isFlag(c) {
		return connect{kind: "boolean"}
	}
	length := c.Length
	if length == 0 {
		length = 1<<31 - 1
	}
	return connect{kind: "bytes", name: "io.debezium.data.Bits", params: [][2]string{{"length", strconv.Itoa(length)}}}
}

// scaleOf takes the declared precision from the type's name, the only place that has it; numeric(10,2)[] says that of its elements.
func scaleOf(c *outbox.Column) [][2]string {
	params := [][2]string{{"scale", strconv.Itoa(c.Scale)}}
	_, declared, ok := strings.Cut(c.TypeName, "(")
	end := strings.IndexAny(declared, ",)")
	if !ok || end <= 0 {
		return params
	}
	return append(params, [2]string{"connect.decimal.precision", declared[:end]})
}
