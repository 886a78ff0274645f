package encode

import (
	"testing"

	"outferry/outbox"
)

func TestPointIsDebeziumsStruct(t *testing.T) {
	col := &outbox.Column{Kind: outbox.Text, TypeName: "point", Nullable: true}
	const origin, one = `{"x":1.0,"y":-2.5,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAATA","srid":null}`,
		`{"schema":{"type":"struct","fields":[{"type":"double","optional":false,"field":"x"},{"type":"double","optional":false,"field":"y"},` +
			`{"type":"bytes","optional":true,"field":"wkb"},{"type":"int32","optional":true,"field":"srid"}],"optional":true,` +
			`"name":"io.debezium.data.geometry.Point","version":1,"doc":"Geometry (POINT)"},"payload":`
	for form, want := range map[Form]string{Auto: origin, String: origin, Header: origin, JSON: origin, JSONSchema: one + origin + "}"} {
		if got, _, err := NewEncoder(form, col).Encode(nil, []byte("(1,-2.5)")); err != nil || string(got) != want {
			t.Errorf("%d: got %s, %v, want %s", form, got, err, want)
		}
	}
	if got, _, err := NewEncoder(JSONSchema, col).Encode(nil, nil); err != nil || string(got) != one+"null}" {
		t.Errorf("NULL: got %s, %v", got, err)
	}
	const far = `{"x":1.0E20,"y":"Infinity","wkb":"AQEAAABAjLV4Ha8VRAAAAAAAAPB/","srid":null}`
	if got, err := AppendJSON(nil, col, []byte("(1e+20,Infinity)")); err != nil || string(got) != far {
		t.Errorf("got %s, %v, want %s", got, err, far)
	}
	for _, text := range []string{"", "(", "()", "(1)", "(1,2", "1,2", "(1,2,3)", "(a,2)"} {
		if got, err := AppendJSON(nil, col, []byte(text)); err == nil {
			t.Errorf("%s: got %s", text, got)
		}
	}
}
