package router

import (
	"strconv"

	"outferry/encode"
	"outferry/outbox"
)

// envelope makes a struct of the payload and the columns placed beside it. Its schema is named for
// table and route value, as schema.table.Route.Value, so it doesn't depend on the rows before.
type envelope struct {
	typed   bool
	version int // the column that holds the schema's version; -1: none
	fields  []field
	schemas []byte // of the fields, with a comma in front of each
	name    []byte // what stands between them and the route value
}

type field struct {
	label []byte // ,"name":
	column
}

func newEnvelope(t *outbox.Table, typed bool, version int) *envelope {
	name := encode.AppendEscaped([]byte(`],"optional":false,"name":"`), []byte(t.String()+"."))
	return &envelope{typed: typed, version: version, name: name}
}

func (e *envelope) add(name string, c column) {
	label := encode.AppendString([]byte{','}, []byte(name))
	e.fields = append(e.fields, field{label: append(label, ':'), column: c})
	e.schemas = encode.AppendSchema(append(e.schemas, ','), c.col, name)
}

// append appends the envelope of a row.
func (e *envelope) append(buf []byte, row *outbox.Row, p *payload, route []byte) ([]byte, error) {
	if e.typed {
		return e.appendTyped(buf, row, p, route)
	}
	buf = append(buf, `{"payload":`...)
	buf, err := p.appendField(buf, row.Values[p.at])
	if err != nil {
		return buf, inColumn(p.col, err)
	}
	return e.appendFields(buf, row, encode.AppendJSON)
}

// appendFields appends what stands beside the payload, and closes the struct.
func (e *envelope) appendFields(buf []byte, row *outbox.Row, appendValue func([]byte, *outbox.Column, []byte) ([]byte, error)) ([]byte, error) {
	var err error
	for i := range e.fields {
		f := &e.fields[i]
		buf = append(buf, f.label...)
		if buf, err = appendValue(buf, f.col, row.Values[f.at]); err != nil {
			return buf, inColumn(f.col, err)
		}
	}
	return append(buf, '}'), nil
}

func (e *envelope) appendTyped(buf []byte, row *outbox.Row, p *payload, route []byte) (_ []byte, err error) {
	v := row.Values[p.at]
	schema, value, expanded := p.typed(v)
	buf = append(buf, `{"schema":{"type":"struct","fields":[`...)
	if expanded {
		buf = encode.AppendField(append(buf, schema...), "payload")
	} else {
		buf = encode.AppendSchema(buf, p.col, "payload")
	}
	buf = append(append(buf, e.schemas...), e.name...)
	buf = append(encode.AppendEscaped(buf, route), `.Value"`...)
	if e.version >= 0 && row.Values[e.version] != nil {
		buf = append(append(buf, `,"version":`...), row.Values[e.version]...)
	}
	buf = append(buf, `},"payload":{"payload":`...)
	if expanded {
		buf = append(buf, value...)
	} else if buf, err = encode.AppendTypedJSON(buf, p.col, v); err != nil {
		return buf, inColumn(p.col, err)
	}
	if buf, err = e.appendFields(buf, row, encode.AppendTypedJSON); err != nil {
		return buf, err
	}
	return append(buf, '}'), nil
}

// checkVersion refuses what isn't an integer before it is written as one.
func (e *envelope) checkVersion(row *outbox.Row) error {
	if !e.typed || e.version < 0 || row.Values[e.version] == nil {
		return nil
	}
	if _, err := strconv.ParseInt(string(row.Values[e.version]), 10, 32); err != nil {
		return inColumn(&row.Table.Columns[e.version], encode.ErrUnrepresentable)
	}
	return nil
}
