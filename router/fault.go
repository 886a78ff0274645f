package router

import (
	"fmt"

	"outferry/outbox"
)

// rowFault says what is wrong with one row, by its id and never by its payload. A nil row has none.
func (p *Plan) rowFault(row *outbox.Row, code, format string, args ...any) *outbox.Fault {
	id := "of unknown id"
	if row != nil {
		id = "without id"
		if v := p.ID(row); v != nil {
			id = fmt.Sprintf("with id %q", shorten(string(v)))
		}
	}
	err := fmt.Errorf("route row of %s %s: it "+format, append([]any{p.table, id}, args...)...)
	return &outbox.Fault{Code: code, Class: outbox.Internal, Err: err}
}

// valueFault is for a value that can't be encoded.
func (p *Plan) valueFault(row *outbox.Row, err error) *outbox.Fault {
	return p.rowFault(row, "row.value_invalid", "can't be encoded: %w", err)
}

// inColumn says where an encoding failed.
func inColumn(c *outbox.Column, err error) error {
	return fmt.Errorf("column %s of type %s: the value %w", c.Name, c.TypeName, err)
}

// shorten keeps a message short whatever a row holds.
func shorten(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}
