package router

import (
	"outferry/encode"
	"outferry/outbox"
)

// payload makes the value of the payload column.
type payload struct {
	column
	form     encode.Form
	expander *encode.Expander // nil: text stays text
	blank    bool             // an empty value is a tombstone
}

// newPayload expands only text: bytes that happen to hold JSON stay bytes.
func (r *Router) newPayload(t *outbox.Table, at int) payload {
	p := payload{column: newColumn(t, at, r.value), form: r.value, blank: r.cfg.TombstoneOnEmptyPayload}
	if k := p.col.Kind; r.cfg.ExpandJSON && (k == outbox.Text || k == outbox.JSON) {
		p.expander = encode.NewExpander(r.cfg.JSONNull == "optional_bytes", r.cfg.JSONEmptyArray == "optional_string")
	}
	return p
}

// isTombstone holds for NULL, for text of nothing but blanks and controls, and for no bytes at all.
func (p *payload) isTombstone(v []byte) bool {
	if !p.blank {
		return false
	}
	if p.col.Kind == outbox.Bytes {
		return len(v) == 0
	}
	for _, b := range v {
		if b > ' ' {
			return false
		}
	}
	return true
}

// alone returns the payload as the whole value of a record.
func (p *payload) alone(buf, v []byte) (out, grown []byte, err error) {
	if p.expander == nil || v == nil {
		return p.enc.Encode(buf, v)
	}
	start := len(buf)
	ok := false
	if p.form == encode.JSONSchema {
		buf, ok = p.appendTyped(buf, v)
	} else {
		buf, ok = p.expander.Append(buf, v)
	}
	if !ok {
		return p.enc.Encode(buf, v)
	}
	return encode.Cut(buf, start), buf, nil
}

func (p *payload) appendTyped(buf, v []byte) ([]byte, bool) {
	schema, value, ok := p.typed(v)
	if !ok {
		return buf, false
	}
	buf = append(buf, `{"schema":`...)
	buf = encode.AppendField(append(buf, schema...), "")
	buf = append(buf, `,"payload":`...)
	return append(append(buf, value...), '}'), true
}

// typed expands v and gives it a schema, where both can be done.
func (p *payload) typed(v []byte) (schema, value []byte, ok bool) {
	if p.expander == nil || v == nil {
		return nil, nil, false
	}
	return p.expander.Typed(v, p.col.Name)
}

// appendField appends the payload as a field of an envelope without schema.
func (p *payload) appendField(buf, v []byte) ([]byte, error) {
	if p.expander != nil && v != nil {
		if out, ok := p.expander.Append(buf, v); ok {
			return out, nil
		}
	}
	return encode.AppendJSON(buf, p.col, v)
}
