package walstream

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"outferry/outbox"
)

// kinds maps the OIDs of built-in types (pg_type.dat) to the kinds that routing and encoding know.
var kinds = map[uint32]outbox.Kind{
	16: outbox.Bool, 17: outbox.Bytes, 21: outbox.Int16, 23: outbox.Int32, 20: outbox.Int64, 26: outbox.Int64,
	700: outbox.Float32, 701: outbox.Float64, 1700: outbox.Decimal, 114: outbox.JSON, 3802: outbox.JSON, 2950: outbox.UUID,
	1082: outbox.Date, 1083: outbox.Time, 1266: outbox.TimeTZ, 1114: outbox.Timestamp, 1184: outbox.TimestampTZ,
	1186: outbox.Interval, 1560: outbox.Bits, 1562: outbox.Bits,
}

// builtin describes a column of a built-in type from its OID and type modifier.
func builtin(name string, oid uint32, mod int32) outbox.Column {
	c := outbox.Column{Name: name, Nullable: true, Scale: -1}
	c.Kind = kinds[oid]
	switch {
	case c.Kind == outbox.Decimal && mod >= 4:
		c.Scale = int(int16(mod-4)<<5) >> 5 // eleven bits, signed since PostgreSQL 15
	case c.Kind == outbox.Bits:
		c.Length = max(int(mod), 0)
	case oid == 1042 || oid == 1043:
		c.Length = max(int(mod)-4, 0)
	case c.Kind >= outbox.Time && c.Kind <= outbox.TimestampTZ:
		c.Precision = 6
		if mod >= 0 {
			c.Precision = int(mod)
		}
	}
	return c
}

// listOf describes a column of arrays by one of their elements. An array in an array, which only domains can make, stays the
// server's text.
func listOf(elem outbox.Column) outbox.Column {
	elem.Kind, elem.Elem = outbox.Array, elem.Kind
	return elem
}

var (
	textTrue  = []byte("true")
	textFalse = []byte("false")
)

// isCanonical reports whether the server's text of a column's values is the text of its kind.
func isCanonical(c *outbox.Column) bool {
	k := c.Kind
	return !isHStore(c) && k != outbox.Bool && k != outbox.Bytes && k != outbox.TimeTZ && (k != outbox.Array || c.Elem != outbox.TimeTZ)
}

// canonical turns the server's text of a value into the text of its kind, in place where it can.
func canonical(c *outbox.Column, v []byte) ([]byte, error) {
	switch {
	case isCanonical(c):
	case isHStore(c):
		return hstoreJSON(v)
	case c.Kind == outbox.Bool:
		if len(v) == 1 && v[0] == 't' {
			return textTrue, nil
		}
		return textFalse, nil
	case c.Kind == outbox.Bytes:
		return unhex(v)
	case c.Kind == outbox.TimeTZ:
		return inUTC(v)
	case c.Kind == outbox.Array:
		return listInUTC(v)
	}
	return v, nil
}

// unhex decodes bytea text. The hex form overwrites itself, since it is twice as long as the bytes.
func unhex(v []byte) ([]byte, error) {
	if !bytes.HasPrefix(v, []byte(`\x`)) {
		return nil, fmt.Errorf("bytea value is not in the hex form that the session asked for")
	}
	n, err := hex.Decode(v, v[2:])
	if err != nil {
		return nil, fmt.Errorf("decode bytea value: %w", err)
	}
	return v[:n:n], nil
}
