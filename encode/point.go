package encode

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"outferry/outbox"
)

// pointSchema is Debezium's, up to whether it is optional.
const pointSchema = `{"type":"struct","fields":[{"type":"double","optional":false,"field":"x"},{"type":"double","optional":false,"field":"y"},` +
	`{"type":"bytes","optional":true,"field":"wkb"},{"type":"int32","optional":true,"field":"srid"}],`

// isPoint reports whether a column is PostgreSQL's point, whose values come as the server's text, (1,2).
func isPoint(c *outbox.Column) bool { return c.Kind == outbox.Text && c.TypeName == "point" }

func appendPointSchema(dst []byte, c *outbox.Column, field string) []byte {
	dst = appendOptional(append(dst, pointSchema...), c.Nullable)
	dst = append(dst, `,"name":"io.debezium.data.geometry.Point","version":1,"doc":"Geometry (POINT)"`...)
	return AppendField(dst, field)
}

// appendPoint appends the struct that Debezium makes of a point: its coordinates, and the same as well-known binary.
func appendPoint(dst, v []byte) ([]byte, error) {
	inside, open := bytes.CutPrefix(v, []byte("("))
	inside, closed := bytes.CutSuffix(inside, []byte(")"))
	x, y, ok := bytes.Cut(inside, []byte(","))
	if !open || !closed || !ok {
		return dst, ErrInvalid
	}
	wkb := []byte{1, 1, 0, 0, 0} // little-endian, a point
	for i, part := range [][]byte{x, y} {
		f, err := strconv.ParseFloat(string(part), 64)
		if err != nil {
			return dst, ErrInvalid
		}
		wkb = binary.LittleEndian.AppendUint64(wkb, math.Float64bits(f))
		dst = append(dst, []string{`{"x":`, `,"y":`}[i]...)
		if dst, err = appendJSONFloat(dst, outbox.Float64, part); err != nil {
			return dst, err
		}
	}
	dst = appendBase64(append(dst, `,"wkb":"`...), wkb)
	return append(dst, `","srid":null}`...), nil
}
