package encode

import (
	"encoding/base64"
	"os"
	"strconv"
	"strings"
	"testing"

	"outferry/outbox"
)

// The bytes are those of Kafka Connect itself, so nothing here rests on how we read its rules.
func TestBytesAreThoseOfKafkaConnect(t *testing.T) {
	capture, err := os.ReadFile("testdata/connect.tsv")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for line := range strings.Lines(string(capture)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 6 {
			continue
		}
		col := capturedColumn(t, fields[0])
		value := unbase64(t, fields[1])
		if fields[0] == "variable" && strings.Contains(string(value), ".") && strings.HasSuffix(string(value), "0") {
			continue // Debezium takes such zeros away before a converter sees the value
		}
		for i, form := range []Form{JSON, JSONSchema, String, Header} {
			want := fields[2+i]
			if want == "-" || isLongDouble(col.Kind, value) {
				continue
			}
			got, _, err := NewEncoder(form, &col).Encode(nil, value)
			if err != nil || string(got) != string(unbase64(t, want)) {
				t.Errorf("%s %q in form %d:\n got %s, %v\nwant %s", fields[0], value, form, got, err, unbase64(t, want))
			}
			checked++
		}
	}
	if checked < 2000 {
		t.Errorf("only %d values were checked", checked)
	}
}

func unbase64(t *testing.T, s string) []byte {
	if s == "=" {
		return []byte{}
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// capturedColumn returns the column that the capture calls kind or kind:detail.
func capturedColumn(t *testing.T, name string) outbox.Column {
	kinds := map[string]outbox.Kind{"text": outbox.Text, "double": outbox.Float64, "float": outbox.Float32, "decimal": outbox.Decimal,
		"variable": outbox.Decimal, "bytes": outbox.Bytes, "bool": outbox.Bool, "int16": outbox.Int16, "int32": outbox.Int32,
		"int64": outbox.Int64, "uuid": outbox.UUID, "enum": outbox.Enum, "array": outbox.Array}
	name, detail, _ := strings.Cut(name, ":")
	kind, ok := kinds[name]
	if !ok {
		t.Fatalf("the capture holds the kind %q", name)
	}
	col := outbox.Column{Kind: kind, Nullable: true, Scale: -1, Labels: []string{"a", "b"}, TypeName: "numeric(40,3)"}
	switch name {
	case "decimal":
		col.Scale, _ = strconv.Atoi(detail)
	case "array":
		col.Elem = kinds[detail]
	}
	return col
}

// isLongDouble finds the values that Java 17 prints with more digits than they need, such as 2e23. We
// write the shortest text, as Java 19 and later do.
func isLongDouble(kind outbox.Kind, value []byte) bool {
	bits := map[outbox.Kind]int{outbox.Float64: 64, outbox.Float32: 32}[kind]
	if bits == 0 || isSpecial(value) {
		return false
	}
	f, _ := strconv.ParseFloat(string(value), bits)
	return len(AppendJavaFloat(nil, f, bits)) < len(value)
}
