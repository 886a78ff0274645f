package encode

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"outferry/outbox"
)

func numeric(scale int) outbox.Column {
	return outbox.Column{Kind: outbox.Decimal, Scale: scale, TypeName: "numeric(10,2)", Nullable: true}
}

func temporal(kind outbox.Kind, precision int) outbox.Column {
	return outbox.Column{Kind: kind, Precision: precision, Nullable: true}
}

func array(elem outbox.Kind) outbox.Column {
	return outbox.Column{Kind: outbox.Array, Elem: elem, Precision: 6, Scale: 2, Nullable: true}
}

func TestValuesAreWrittenAsConnectWritesThem(t *testing.T) {
	text, jsonb := outbox.Column{Kind: outbox.Text}, outbox.Column{Kind: outbox.JSON}
	kind := func(k outbox.Kind) outbox.Column { return outbox.Column{Kind: k} }
	bit := func(n int) outbox.Column { return outbox.Column{Kind: outbox.Bits, Length: n} }
	for _, c := range []struct {
		col                  outbox.Column
		in                   string
		text, header, asJSON string
	}{
		{text, `{"a":1}`, `{"a":1}`, `{"a":1}`, `"{\"a\":1}"`},
		{text, "", "", "", `""`},
		{text, "a/b\x7f\u2028ü", "a/b\x7f\u2028ü", "a/b\x7f\u2028ü", "\"a/b\x7f\u2028ü\""},
		{text, "\b\t\n\f\r\x01\x1f", "\b\t\n\f\r\x01\x1f", "\b\t\n\f\r\x01\x1f", `"\b\t\n\f\r\u0001\u001F"`},
		{text, `"\`, `"\`, `"\`, `"\"\\"`},
		{text, "😀x😀", "😀x😀", "😀x😀", `"\uD83D\uDE00x\uD83D\uDE00"`},
		{text, "a\xff\"b", "a\xff\"b", "a\xff\"b", "\"a\uFFFD\\\"b\""},
		{jsonb, `{"a": 1}`, `{"a": 1}`, `{"a": 1}`, `"{\"a\": 1}"`},
		{kind(outbox.Bytes), "\x00\xff\x10", "AP8Q", "AP8Q", `"AP8Q"`},
		{kind(outbox.Bytes), "\x01\x02\x00\x00", "AQIAAA==", "AQIAAA==", `"AQIAAA=="`},
		{kind(outbox.Bytes), "", "", "", `""`},
		{kind(outbox.UUID), "10711fa5-0000-4000-8000-000000000000", "10711fa5-0000-4000-8000-000000000000", "10711fa5-0000-4000-8000-000000000000", `"10711fa5-0000-4000-8000-000000000000"`},
		{kind(outbox.Bool), "true", "true", "true", "true"},
		{kind(outbox.Int16), "-7", "-7", "-7", "-7"},
		{kind(outbox.Int32), "42", "42", "42", "42"},
		{kind(outbox.Int64), "9223372036854775807", "9223372036854775807", "9223372036854775807", "9223372036854775807"},
		{kind(outbox.Uint64), "18446744073709551615", "18446744073709551615", "18446744073709551615", "18446744073709551615"},
		{kind(outbox.Float32), "1.1", "1.1", "1.1", "1.1"},
		{kind(outbox.Float64), "5", "5.0", "5.0", "5.0"},
		{kind(outbox.Float64), "12345678.9", "1.23456789E7", "1.23456789E7", "1.23456789E7"},
		{kind(outbox.Float64), "0.0001", "1.0E-4", "1.0E-4", "1.0E-4"},
		{kind(outbox.Float64), "NaN", "NaN", "NaN", `"NaN"`},
		{kind(outbox.Float32), "-Infinity", "-Infinity", "-Infinity", `"-Infinity"`},
		{numeric(2), "123.40", "123.40", "123.40", `"MDQ="`},
		{numeric(2), "123.4", "123.40", "123.40", `"MDQ="`},
		{numeric(2), "-1.00", "-1.00", "-1.00", `"nA=="`},
		{numeric(2), "0", "0.00", "0.00", `"AA=="`},
		{numeric(0), "-128", "-128", "-128", `"gA=="`},
		{numeric(0), "128", "128", "128", `"AIA="`},
		{numeric(0), "18446744073709551616", "18446744073709551616", "18446744073709551616", `"AQAAAAAAAAAA"`},
		{numeric(-1), "-11.00", "-11.00", `{"scale":0,"value":"9Q=="}`, `{"scale":0,"value":"9Q=="}`},
		{numeric(-1), "100.50", "100.50", `{"scale":1,"value":"A+0="}`, `{"scale":1,"value":"A+0="}`},
		{numeric(-1), "0.00", "0.00", `{"scale":0,"value":"AA=="}`, `{"scale":0,"value":"AA=="}`},
		{numeric(-1), "100", "100", `{"scale":0,"value":"ZA=="}`, `{"scale":0,"value":"ZA=="}`},
		{numeric(0), "-18446744073709551616", "-18446744073709551616", "-18446744073709551616", `"/wAAAAAAAAAA"`},
		{numeric(0), "-9223372036854775808", "-9223372036854775808", "-9223372036854775808", `"gAAAAAAAAAA="`},
		{numeric(10), "0.0000000100", "1.00E-8", "1.00E-8", `"ZA=="`},
		{numeric(10), "0", "0E-10", "0E-10", `"AA=="`},
		{numeric(7), "0.0000012", "0.0000012", "0.0000012", `"DA=="`},
		{numeric(-1), "1.5", "1.5", `{"scale":1,"value":"Dw=="}`, `{"scale":1,"value":"Dw=="}`},
		{numeric(-1), "NaN", "NaN", "NaN", "null"},
		{kind(outbox.Date), "2024-02-29", "19782", "19782", "19782"},
		{kind(outbox.Date), "1969-12-31", "-1", "-1", "-1"},
		{kind(outbox.Date), "0001-01-01", "-719162", "-719162", "-719162"},
		{kind(outbox.Date), "0001-12-31 BC", "-719163", "-719163", "-719163"},
		{kind(outbox.Date), "10000-01-01", "2932897", "2932897", "2932897"},
		{kind(outbox.Date), "infinity", "infinity", "infinity", `"infinity"`},
		{temporal(outbox.Time, 6), "10:11:12.123456", "36672123456", "36672123456", "36672123456"},
		{temporal(outbox.Time, 3), "10:11:12.123", "36672123", "36672123", "36672123"},
		{temporal(outbox.Time, 6), "-838:59:59", "-3020399000000", "-3020399000000", "-3020399000000"},
		{temporal(outbox.Time, 6), "24:00:00", "86400000000", "86400000000", "86400000000"},
		{temporal(outbox.TimeTZ, 6), "08:11:12.123456+00", "08:11:12.123456Z", "08:11:12.123456Z", `"08:11:12.123456Z"`},
		{temporal(outbox.TimeTZ, 6), "08:11:12.000000+00", "08:11:12Z", "08:11:12Z", `"08:11:12Z"`},
		{temporal(outbox.TimeTZ, 6), "08:11:12.120000+00", "08:11:12.12Z", "08:11:12.12Z", `"08:11:12.12Z"`},
		{temporal(outbox.Timestamp, 6), "2024-02-29 08:11:12.123456", "1709194272123456", "1709194272123456", "1709194272123456"},
		{temporal(outbox.Timestamp, 3), "2024-02-29 08:11:12.123", "1709194272123", "1709194272123", "1709194272123"},
		{temporal(outbox.Timestamp, 0), "2024-02-29 08:11:12", "1709194272000", "1709194272000", "1709194272000"},
		{temporal(outbox.Timestamp, 6), "infinity", "9223372036825200000", "9223372036825200000", "9223372036825200000"},
		{temporal(outbox.Timestamp, 6), "-infinity", "-9223372036832400000", "-9223372036832400000", "-9223372036832400000"},
		{temporal(outbox.TimestampTZ, 6), "2024-02-29 08:11:12+00", "2024-02-29T08:11:12.000000Z", "2024-02-29T08:11:12.000000Z", `"2024-02-29T08:11:12.000000Z"`},
		{temporal(outbox.TimestampTZ, 3), "2024-02-29 08:11:12.12+00", "2024-02-29T08:11:12.120Z", "2024-02-29T08:11:12.120Z", `"2024-02-29T08:11:12.120Z"`},
		{temporal(outbox.TimestampTZ, 0), "2024-02-29 08:11:12+00", "2024-02-29T08:11:12Z", "2024-02-29T08:11:12Z", `"2024-02-29T08:11:12Z"`},
		{temporal(outbox.TimestampTZ, 0), "0044-03-15 10:00:00+00 BC", "-0043-03-15T10:00:00Z", "-0043-03-15T10:00:00Z", `"-0043-03-15T10:00:00Z"`},
		{temporal(outbox.TimestampTZ, 0), "0001-03-15 10:00:00+00 BC", "0000-03-15T10:00:00Z", "0000-03-15T10:00:00Z", `"0000-03-15T10:00:00Z"`},
		{temporal(outbox.TimestampTZ, 0), "10000-01-01 00:00:00+00", "+10000-01-01T00:00:00Z", "+10000-01-01T00:00:00Z", `"+10000-01-01T00:00:00Z"`},
		{temporal(outbox.TimestampTZ, 6), "infinity", "infinity", "infinity", `"infinity"`},
		{kind(outbox.Interval), "P1Y2M3DT4H5M6.7S", "37091106700000", "37091106700000", "37091106700000"},
		{kind(outbox.Interval), "P-1Y2M-3DT-4H5M-6.7S", "-26571306700000", "-26571306700000", "-26571306700000"},
		{kind(outbox.Interval), "PT0S", "0", "0", "0"},
		{kind(outbox.Enum), "big", "big", "big", `"big"`},
		{kind(outbox.Set), "a,b", "a,b", "a,b", `"a,b"`},
		{bit(1), "1", "true", "true", "true"},
		{bit(1), "0", "false", "false", "false"},
		{bit(10), "1000000001", "AQI=", "AQI=", `"AQI="`},
		{bit(3), "101", "BQ==", "BQ==", `"BQ=="`},
		{bit(8), "10110110", "tg==", "tg==", `"tg=="`},
		{bit(12), "111111111111", "/w8=", "/w8=", `"/w8="`},
		{array(outbox.Text), `{a,"b\"c",NULL,"NULL",""}`, `[a, b"c, null, NULL, ]`, `["a","b\"c",null,"NULL",""]`, `["a","b\"c",null,"NULL",""]`},
		{array(outbox.Text), `{""}`, `[]`, `[""]`, `[""]`},
		{array(outbox.Text), `{"",NULL,a}`, `[, null, a]`, `["",null,"a"]`, `["",null,"a"]`},
		{array(outbox.Text), `{{"",""},{"",a}}`, `[[, ], [, a]]`, `[["",""],["","a"]]`, `[["",""],["","a"]]`},
		{array(outbox.Int32), `{1,2,NULL}`, "[1, 2, null]", "[1,2,null]", "[1,2,null]"},
		{array(outbox.Int32), `[0:1]={1,2}`, "[1, 2]", "[1,2]", "[1,2]"},
		{array(outbox.Int32), `{{1,2},{3,4}}`, "[[1, 2], [3, 4]]", "[[1,2],[3,4]]", "[[1,2],[3,4]]"},
		{array(outbox.Int32), `{}`, "[]", "[]", "[]"},
		{array(outbox.Bool), `{t,f}`, "[true, false]", "[true,false]", "[true,false]"},
		{array(outbox.Bytes), `{"\\x00ff10","\\x"}`, "[AP8Q, ]", `["AP8Q",""]`, `["AP8Q",""]`},
		{array(outbox.Decimal), `{1.50}`, "[1.50]", "[1.50]", `["AJY="]`},
		{array(outbox.Date), `{2024-02-29}`, "[19782]", "[19782]", "[19782]"},
		{array(outbox.TimestampTZ), `{"2024-02-29 08:11:12+00"}`, "[2024-02-29T08:11:12.000000Z]", `["2024-02-29T08:11:12.000000Z"]`, `["2024-02-29T08:11:12.000000Z"]`},
	} {
		for form, want := range map[Form]string{String: c.text, Header: c.header, JSON: c.asJSON} {
			out, _, err := NewEncoder(form, &c.col).Encode(nil, []byte(c.in))
			if err != nil || string(out) != want {
				t.Errorf("kind %d form %d of %q: got %s, %v, want %s", c.col.Kind, form, c.in, out, err, want)
			}
			if err == nil && out == nil {
				t.Errorf("kind %d form %d of %q became NULL", c.col.Kind, form, c.in)
			}
		}
	}
}

// TestArraysHaveTheDelimiterOfTheirType: boxes hold commas, so that a semicolon stands between them, and nothing is quoted for its comma.
func TestArraysHaveTheDelimiterOfTheirType(t *testing.T) {
	for _, c := range []struct {
		delimiter byte
		in, want  string
	}{
		{';', "{(1,1),(0,0);(3,3),(2,2)}", `["(1,1),(0,0)","(3,3),(2,2)"]`},
		{';', "{{(1,1),(0,0);NULL};{NULL;(3,3),(2,2)}}", `[["(1,1),(0,0)",null],[null,"(3,3),(2,2)"]]`},
		{':', "{0101000000:0102000000}", `["0101000000","0102000000"]`},
		{',', "{a,b;c}", `["a","b;c"]`},
		{0, "{a,b;c}", `["a","b;c"]`},
	} {
		got, err := AppendJSON(nil, &outbox.Column{Kind: outbox.Array, Elem: outbox.Text, Delimiter: c.delimiter}, []byte(c.in))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestBinaryIsRawInAutoAndBytes(t *testing.T) {
	bytes, bits := outbox.Column{Kind: outbox.Bytes}, outbox.Column{Kind: outbox.Bits, Length: 10}
	date := outbox.Column{Kind: outbox.Date}
	for _, form := range []Form{Auto, Bytes} {
		for _, c := range []struct {
			col      *outbox.Column
			in, want string
		}{{&bytes, "\x00\xff", "\x00\xff"}, {&bits, "1000000001", "\x01\x02"}, {&date, "1970-01-02", "1"}} {
			out, _, err := NewEncoder(form, c.col).Encode([]byte("before"), []byte(c.in))
			if err != nil || string(out) != c.want {
				t.Errorf("form %d of %q: got %q, %v, want %q", form, c.in, out, err, c.want)
			}
		}
	}
}

func TestNullIsNullInEveryForm(t *testing.T) {
	col := outbox.Column{Kind: outbox.Text, Nullable: true}
	for form, want := range map[Form]string{JSON: "null", JSONSchema: `{"schema":{"type":"string","optional":true},"payload":null}`} {
		if out, _, err := NewEncoder(form, &col).Encode(nil, nil); err != nil || string(out) != want {
			t.Errorf("form %d: got %s, %v, want %s", form, out, err, want)
		}
	}
	for _, form := range []Form{Auto, String, Header, Bytes} {
		if out, _, err := NewEncoder(form, &col).Encode(nil, nil); err != nil || out != nil {
			t.Errorf("form %d: got %q, %v, want nil", form, out, err)
		}
	}
}

func TestSchemasAreDebeziums(t *testing.T) {
	col := func(k outbox.Kind) outbox.Column { return outbox.Column{Kind: k} }
	for _, c := range []struct {
		col   outbox.Column
		field string
		want  string
	}{
		{col(outbox.Text), "", `{"type":"string","optional":false}`},
		{outbox.Column{Kind: outbox.Text, Nullable: true}, "a\"b", `{"type":"string","optional":true,"field":"a\"b"}`},
		{col(outbox.JSON), "", `{"type":"string","optional":false,"name":"io.debezium.data.Json","version":1}`},
		{col(outbox.UUID), "id", `{"type":"string","optional":false,"name":"io.debezium.data.Uuid","version":1,"field":"id"}`},
		{outbox.Column{Kind: outbox.Text, TypeName: "xml"}, "", `{"type":"string","optional":false,"name":"io.debezium.data.Xml","version":1}`},
		{outbox.Column{Kind: outbox.Enum, Labels: []string{"a", "b"}}, "f", `{"type":"string","optional":false,"name":"io.debezium.data.Enum","version":1,"parameters":{"allowed":"a,b"},"field":"f"}`},
		{outbox.Column{Kind: outbox.Set, Labels: []string{"a", "b"}}, "", `{"type":"string","optional":false,"name":"io.debezium.data.EnumSet","version":1,"parameters":{"allowed":"a,b"}}`},
		{col(outbox.Bytes), "", `{"type":"bytes","optional":false}`},
		{col(outbox.Bool), "", `{"type":"boolean","optional":false}`},
		{col(outbox.Int16), "", `{"type":"int16","optional":false}`},
		{col(outbox.Int32), "", `{"type":"int32","optional":false}`},
		{col(outbox.Int64), "", `{"type":"int64","optional":false}`},
		{col(outbox.Float32), "", `{"type":"float","optional":false}`},
		{col(outbox.Float64), "", `{"type":"double","optional":false}`},
		{numeric(2), "n", `{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"10"},"field":"n"}`},
		{numeric(-1), "", `{"type":"struct","fields":[{"type":"int32","optional":false,"field":"scale"},{"type":"bytes","optional":false,"field":"value"}],"optional":true,"name":"io.debezium.data.VariableScaleDecimal","version":1,"doc":"Variable scaled decimal"}`},
		{col(outbox.Date), "", `{"type":"int32","optional":false,"name":"io.debezium.time.Date","version":1}`},
		{temporal(outbox.Time, 3), "", `{"type":"int32","optional":true,"name":"io.debezium.time.Time","version":1}`},
		{temporal(outbox.Time, 6), "", `{"type":"int64","optional":true,"name":"io.debezium.time.MicroTime","version":1}`},
		{temporal(outbox.TimeTZ, 6), "", `{"type":"string","optional":true,"name":"io.debezium.time.ZonedTime","version":1}`},
		{temporal(outbox.Timestamp, 3), "", `{"type":"int64","optional":true,"name":"io.debezium.time.Timestamp","version":1}`},
		{temporal(outbox.Timestamp, 4), "", `{"type":"int64","optional":true,"name":"io.debezium.time.MicroTimestamp","version":1}`},
		{temporal(outbox.TimestampTZ, 6), "", `{"type":"string","optional":true,"name":"io.debezium.time.ZonedTimestamp","version":1}`},
		{col(outbox.Interval), "", `{"type":"int64","optional":false,"name":"io.debezium.time.MicroDuration","version":1}`},
		{outbox.Column{Kind: outbox.Bits, Length: 1}, "", `{"type":"boolean","optional":false}`},
		{outbox.Column{Kind: outbox.Bits, Length: 10}, "", `{"type":"bytes","optional":false,"name":"io.debezium.data.Bits","version":1,"parameters":{"length":"10"}}`},
		{outbox.Column{Kind: outbox.Array, Elem: outbox.Decimal, Scale: 2, TypeName: "numeric(10,2)[]"}, "", `{"type":"array","items":{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2","connect.decimal.precision":"10"}},"optional":false}`},
		{array(outbox.UUID), "u", `{"type":"array","items":{"type":"string","optional":true,"name":"io.debezium.data.Uuid","version":1},"optional":true,"field":"u"}`},
	} {
		if got := string(AppendSchema(nil, &c.col, c.field)); got != c.want {
			t.Errorf("kind %d:\n got %s\nwant %s", c.col.Kind, got, c.want)
		}
	}
}

func TestBadValuesAreErrors(t *testing.T) {
	col := func(k outbox.Kind) outbox.Column { return outbox.Column{Kind: k, Scale: 2, Elem: outbox.Int32} }
	for _, c := range []struct {
		kind outbox.Kind
		in   string
	}{
		{outbox.Float64, ""}, {outbox.Float64, "x"}, {outbox.Decimal, ""}, {outbox.Decimal, "-"}, {outbox.Decimal, "1.2.3"},
		{outbox.Decimal, "1e5"}, {outbox.Decimal, "1.234"}, {outbox.Date, ""}, {outbox.Date, "2024"}, {outbox.Date, "2024-13-01"},
		{outbox.Date, "2024-01-01x"}, {outbox.Date, "2024-02-30x"},
		{outbox.Date, "2024-02-30"}, {outbox.Date, "2023-02-29"}, {outbox.Date, "1900-02-29"}, {outbox.Date, "0002-02-29 BC"}, {outbox.Date, "2024-04-31"}, {outbox.Timestamp, "2024-06-31 00:00:00"},
		{outbox.TimestampTZ, "2024-11-31 00:00:00+00"}, {outbox.Timestamp, "2024-09-31 00:00:00"}, {outbox.Time, "1"}, {outbox.Time, "10:11"}, {outbox.Time, "10:61:00"},
		{outbox.Time, "10:11:12."}, {outbox.TimeTZ, "10:11:12+02"}, {outbox.Timestamp, "2024-02-29"}, {outbox.Timestamp, "294276-12-31 23:59:59.999999"}, {outbox.Timestamp, "2024-02-29 10:11:12+02"},
		{outbox.TimestampTZ, "2024-02-29 10:11:12+02"}, {outbox.TimestampTZ, ""}, {outbox.Interval, ""}, {outbox.Interval, "P"}, {outbox.Interval, "1 day"},
		{outbox.Interval, "P1.5D"}, {outbox.Interval, "PT1Y"}, {outbox.Bits, "102"}, {outbox.Array, ""}, {outbox.Array, "{"}, {outbox.Array, "{1"},
		{outbox.Array, "{1,}"}, {outbox.Array, "{1}x"}, {outbox.Array, `{"1`}, {outbox.Array, strings.Repeat("{", 100000)},
	} {
		column := col(c.kind)
		for _, form := range []Form{String, Header, JSON, JSONSchema} {
			if out, _, err := NewEncoder(form, &column).Encode(nil, []byte(c.in)); err == nil {
				t.Errorf("kind %d form %d of %q: got %q, want an error", c.kind, form, c.in, out)
			}
		}
	}
}

func TestASchemaNeverStandsBesideAValueItCantHold(t *testing.T) {
	for _, c := range []struct {
		col outbox.Column
		in  string
	}{
		{outbox.Column{Kind: outbox.Uint64}, "18446744073709551615"},
		{outbox.Column{Kind: outbox.Date}, "infinity"},
		{outbox.Column{Kind: outbox.Interval}, "P178000000Y"},
		{outbox.Column{Kind: outbox.Interval}, "P290000YT99999999999H"},
		{array(outbox.Int32), "{{1,2},{3,4}}"},
	} {
		if out, _, err := NewEncoder(JSONSchema, &c.col).Encode(nil, []byte(c.in)); !errors.Is(err, ErrUnrepresentable) {
			t.Errorf("%q: got %s, %v", c.in, out, err)
		}
	}
}

func TestEventTimes(t *testing.T) {
	for _, c := range []struct {
		kind outbox.Kind
		in   string
		want int64
	}{
		{outbox.Timestamp, "2024-02-29 08:11:12.123999", 1709194272123},
		{outbox.TimestampTZ, "2024-02-29 08:11:12.123999+00", 1709194272123},
		{outbox.Timestamp, "infinity", 9223372036825200},
		{outbox.Date, "1970-01-02", 86400000},
		{outbox.Int64, "1709194272123", 1709194272123},
	} {
		got, err := Millis(&outbox.Column{Kind: c.kind, Precision: 6}, []byte(c.in))
		if err != nil || got != c.want || !TakesTime(c.kind) {
			t.Errorf("%q: got %d, %v, want %d", c.in, got, err, c.want)
		}
	}
}

func TestFloatsAreJavas(t *testing.T) {
	for _, c := range []struct {
		in   float64
		bits int
		want string
	}{
		{0, 64, "0.0"}, {math.Copysign(0, -1), 64, "-0.0"}, {1, 64, "1.0"}, {100, 64, "100.0"}, {0.001, 64, "0.001"}, {0.00123, 64, "0.00123"},
		{0.01, 64, "0.01"}, {0.5, 64, "0.5"}, {9999999, 64, "9999999.0"}, {1e7, 64, "1.0E7"}, {123456.75, 64, "123456.75"}, {-12345678.9, 64, "-1.23456789E7"},
		{2e23, 64, "2.0E23"}, {math.SmallestNonzeroFloat64, 64, "4.9E-324"}, {math.MaxFloat64, 64, "1.7976931348623157E308"},
		{math.SmallestNonzeroFloat32, 32, "1.4E-45"}, {math.MaxFloat32, 32, "3.4028235E38"}, {float64(float32(3.14)), 32, "3.14"},
		{9.999e-4, 64, "9.999E-4"}, {1e-5, 32, "1.0E-5"}, {1000, 64, "1000.0"},
	} {
		if got := string(AppendJavaFloat(nil, c.in, c.bits)); got != c.want {
			t.Errorf("%g: got %s, want %s", c.in, got, c.want)
		}
	}
}

func FuzzFloatsReadBack(f *testing.F) {
	for _, seed := range []float64{0, 1, 0.001, 1e7, 5e-324, 2e23, -1.5} {
		f.Add(math.Float64bits(seed))
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return
		}
		text := string(AppendJavaFloat(nil, v, 64))
		back, err := strconv.ParseFloat(text, 64)
		if err != nil || back != v || math.Signbit(back) != math.Signbit(v) {
			t.Fatalf("%v became %s and reads back as %v, %v", v, text, back, err)
		}
		if !strings.Contains(text, ".") {
			t.Fatalf("%s has no fraction", text)
		}
	})
}

func FuzzNoValuePanics(f *testing.F) {
	f.Add(uint8(outbox.Array), uint8(outbox.Text), `{a,"b\"c",NULL}`)
	f.Add(uint8(outbox.TimestampTZ), uint8(0), "0044-03-15 10:00:00+00 BC")
	f.Add(uint8(outbox.Interval), uint8(0), "P1Y2M3DT4H5M6.7S")
	f.Add(uint8(outbox.Decimal), uint8(0), "-123.40")
	f.Fuzz(func(t *testing.T, kind, elem uint8, in string) {
		col := outbox.Column{Kind: outbox.Kind(kind % 22), Elem: outbox.Kind(elem % 21), Scale: int(elem%5) - 1, Precision: int(elem % 7), Length: int(elem % 9)}
		for form := Auto; form <= Bytes; form++ {
			_, _, _ = NewEncoder(form, &col).Encode(nil, []byte(in))
		}
		_, _ = Millis(&col, []byte(in))
	})
}
