// Package encode writes the values of outbox columns as the bytes that Kafka Connect's converters
// would write for the same column read by Debezium: StringConverter, JsonConverter with and without
// schemas, SimpleHeaderConverter and ByteArrayConverter. In go a column and the text of a value, as
// package outbox describes it for each kind; out come bytes that are appended to a buffer of the
// caller, or the value itself where nothing needs to change. Nothing is kept between calls.
//
// Two things are deliberately not copied. Where StringConverter writes the JVM's name of an object
// (binary values, structs), the string form here is base64 or JSON. And a value that the declared
// Connect type can't hold is an error, where Debezium wraps it or writes null.
package encode

import (
	"encoding/base64"
	"errors"
	"fmt"

	"outferry/outbox"
)

// Form says which converter's bytes are wanted.
type Form uint8

const (
	Auto       Form = iota // text as it is, binary raw
	String                 // StringConverter
	Header                 // SimpleHeaderConverter
	JSON                   // JsonConverter, schemas.enable=false
	JSONSchema             // JsonConverter, schemas.enable=true
	Bytes                  // ByteArrayConverter; the text form for what isn't binary
)

// ParseForm returns the form that the pipeline file calls name.
func ParseForm(name string) (Form, error) {
	switch name {
	case "", "auto":
		return Auto, nil
	case "string":
		return String, nil
	case "json":
		return JSON, nil
	case "json_with_schema":
		return JSONSchema, nil
	case "bytes":
		return Bytes, nil
	}
	return Auto, fmt.Errorf("want auto, string, json, json_with_schema or bytes, got %q", name)
}

// ErrInvalid is what a value that isn't the text of its kind comes back with.
var ErrInvalid = errors.New("is not a value of that type")

// ErrUnrepresentable is for values that the Connect type of their column has no room for.
var ErrUnrepresentable = errors.New("has no Kafka Connect form")

// Encoder encodes the values of one column in one form. It is made once for each shape of a table.
type Encoder struct {
	form  Form
	col   *outbox.Column
	plain bool   // the bytes are the value itself
	head  []byte // JSONSchema: everything in front of the payload
}

// NewEncoder returns the encoder of col in form.
func NewEncoder(form Form, col *outbox.Column) *Encoder {
	e := &Encoder{form: form, col: col, plain: isPlain(form, col.Kind) && !isPoint(col)}
	if form == JSONSchema {
		e.head = append(e.head, `{"schema":`...)
		e.head = AppendSchema(e.head, col, "")
		e.head = append(e.head, `,"payload":`...)
	}
	return e
}

// isPlain reports whether a form of a kind is the very text that the source delivers.
func isPlain(form Form, kind outbox.Kind) bool {
	switch kind {
	case outbox.Text, outbox.JSON, outbox.UUID, outbox.Enum, outbox.Set:
		return form != JSON && form != JSONSchema
	case outbox.Bool, outbox.Int16, outbox.Int32, outbox.Int64, outbox.Uint64:
		return form != JSONSchema
	case outbox.Bytes:
		return form == Auto || form == Bytes
	}
	return false
}

// Encode returns the bytes of v. They are v itself where nothing changes, else they are appended to
// buf, which comes back grown. A NULL is the JSON null for the two JSON forms and nil for the others.
func (e *Encoder) Encode(buf, v []byte) (out, grown []byte, err error) {
	v = Dated(e.col, v)
	if v == nil && e.form != JSON && e.form != JSONSchema {
		return nil, buf, nil
	}
	if e.plain && v != nil {
		return v, buf, nil
	}
	start := len(buf)
	buf, err = e.append(buf, v)
	if err != nil {
		return nil, buf[:start], err
	}
	return Cut(buf, start), buf, nil
}

func (e *Encoder) append(buf, v []byte) ([]byte, error) {
	switch e.form {
	case JSON:
		return AppendJSON(buf, e.col, v)
	case JSONSchema:
		buf = append(buf, e.head...)
		buf, err := AppendTypedJSON(buf, e.col, v)
		return append(buf, '}'), err
	case Header:
		return AppendHeader(buf, e.col, v)
	case Auto, Bytes:
		if e.col.Kind == outbox.Bits {
			return appendBits(buf, v)
		}
	}
	return AppendText(buf, e.col, v)
}

// Cut returns what was appended to buf since start, never nil: an empty value is not a NULL.
func Cut(buf []byte, start int) []byte {
	if len(buf) == start {
		return []byte{}
	}
	return buf[start:len(buf):len(buf)]
}

func appendBase64(dst, b []byte) []byte { return base64.StdEncoding.AppendEncode(dst, b) }
