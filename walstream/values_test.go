package walstream_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"outferry/encode"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/walstream"
)

// odd are values of every kind (G27): column type, SQL, the text that outbox promises, and the kind.
var odd = []struct {
	typ, sql, want string
	kind           outbox.Kind
}{
	{"text", `E'é\U0001F600\u2028\n\t'`, "é\U0001F600\u2028\n\t", outbox.Text},
	{"text", `''`, "", outbox.Text},
	{"char(5)", `'ab'`, "ab   ", outbox.Text},
	{"json", `'{"b":1,  "a":[1.0,1e3],"b":2}'`, `{"b":1,  "a":[1.0,1e3],"b":2}`, outbox.JSON},
	{"jsonb", `'{"bb":1,"a":[1.0,1e3]}'`, `{"a": [1.0, 1000], "bb": 1}`, outbox.JSON},
	{"bytea", `'\x00ff5c'`, "\x00\xff\\", outbox.Bytes},
	{"bytea", `''`, "", outbox.Bytes},
	{"uuid", `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", outbox.UUID},
	{"boolean", `true`, "true", outbox.Bool},
	{"boolean", `false`, "false", outbox.Bool},
	{"smallint", `-32768`, "-32768", outbox.Int16},
	{"bigint", `9223372036854775807`, "9223372036854775807", outbox.Int64},
	{"real", `0.1`, "0.1", outbox.Float32},
	{"double precision", `'-Infinity'`, "-Infinity", outbox.Float64},
	{"double precision", `1e300`, "1e+300", outbox.Float64},
	{"numeric(10,2)", `123.4`, "123.40", outbox.Decimal},
	{"numeric", `'NaN'`, "NaN", outbox.Decimal},
	{"numeric", `1e40`, "1" + fmt.Sprintf("%040d", 0), outbox.Decimal},
	{"date", `'0044-03-15 BC'`, "0044-03-15 BC", outbox.Date},
	{"time(3)", `'10:11:12.5'`, "10:11:12.5", outbox.Time},
	{"timetz", `'10:11:12+02'`, "08:11:12+00", outbox.TimeTZ},
	{"timetz", `'23:30:00.5-03:30:15'`, "03:00:15.5+00", outbox.TimeTZ},
	{"timetz", `'00:30:00+15:59'`, "08:31:00+00", outbox.TimeTZ},
	{"timetz", `'24:00:00+00'`, "24:00:00+00", outbox.TimeTZ},
	{"timetz[]", `'[0:2]={10:11:12.5+02,NULL,08:00+00}'`, "[0:2]={08:11:12.5+00,NULL,08:00:00+00}", outbox.Array},
	{"timetz[]", `'{}'`, "{}", outbox.Array},
	{"timestamp", `'2024-02-29 10:11:12.123456'`, "2024-02-29 10:11:12.123456", outbox.Timestamp},
	{"timestamp", `'infinity'`, "infinity", outbox.Timestamp},
	{"timestamptz", `'2024-02-29 10:11:12+02'`, "2024-02-29 08:11:12+00", outbox.TimestampTZ},
	{"interval", `'1 year 2 mons 3 days 04:05:06.7'`, "P1Y2M3DT4H5M6.7S", outbox.Interval},
	{"bit(4)", `B'1010'`, "1010", outbox.Bits},
	{"text[]", `ARRAY['a,b', NULL, '"']`, `{"a,b",NULL,"\""}`, outbox.Array},
	{"int[]", `'{1,2}'`, "{1,2}", outbox.Array},
	{"mood", `'ok'`, "ok", outbox.Enum},
	{"label", `'short'`, "short", outbox.Text},
	{"amount", `7.5`, "7.50", outbox.Decimal},
	{"price", `7.5`, "7.50", outbox.Decimal},
	{"blob", `'\x616263'`, "abc", outbox.Bytes},
	{"flag", `true`, "true", outbox.Bool},
	{"doc", `'{"a":1}'`, `{"a": 1}`, outbox.JSON},
	{"feeling", `'ok'`, "ok", outbox.Enum},
	{"tag", `'short'`, "short", outbox.Text},
	{"inet", `'10.0.0.1/8'`, "10.0.0.1/8", outbox.Text},
	{"int4range", `'[1,5)'`, "[1,5)", outbox.Text},
	{"text", `NULL`, "NULL", outbox.Text},
}

const domainsOfDomains = `CREATE DOMAIN price AS amount; CREATE DOMAIN tag AS label; CREATE DOMAIN sad AS mood; CREATE DOMAIN feeling AS sad;
	CREATE DOMAIN raw AS bytea; CREATE DOMAIN blob AS raw; CREATE DOMAIN yes AS boolean; CREATE DOMAIN maybe AS yes; CREATE DOMAIN flag AS maybe;
	CREATE DOMAIN tree AS jsonb; CREATE DOMAIN doc AS tree`

// TestValuesComeInTheTextOfTheirKind, the same from the stream and from the snapshot.
func TestValuesComeInTheTextOfTheirKind(t *testing.T) {
	for _, version := range servers.PostgresVersions(t) {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			d := servers.Postgres(t, version)
			d.Exec(t, "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN label AS varchar(10) NOT NULL; CREATE DOMAIN amount AS numeric(10,2)")
			d.Exec(t, domainsOfDomains)
			columns, values := "", ""
			for i, o := range odd {
				columns += fmt.Sprintf(", c%d %s", i, o.typ)
				values += ", " + o.sql
			}
			bothWays(t, d, columns+", twice text GENERATED ALWAYS AS (id || id) STORED", values, checkRow)
		})
	}
}

// othersTaste are defaults of a database for its sessions, as somebody may have set them for other clients than us.
var othersTaste = []string{"DateStyle = 'German, DMY'", "IntervalStyle = postgres", "TimeZone = 'Asia/Kolkata'", "extra_float_digits = -3", "bytea_output = escape", "client_encoding = 'LATIN1'",
	"quote_all_identifiers = on", "array_nulls = off", "search_path = nowhere"}

func setOthersTaste(t *testing.T, d *servers.Database) {
	t.Helper()
	for _, setting := range othersTaste {
		d.Exec(t, "ALTER DATABASE "+d.Name+" SET "+setting)
	}
}

// bothWays makes an outbox with these columns behind its id, and checks a row of these values from the snapshot and one from the
// stream. The sessions of the source begin with the settings of others.
func bothWays(t *testing.T, d *servers.Database, columns, values string, check func(t *testing.T, from string, r outbox.Row)) {
	t.Helper()
	d.Exec(t, "CREATE TABLE outbox (id varchar(64) PRIMARY KEY"+columns+")")
	d.Exec(t, "INSERT INTO outbox VALUES ('snapshot'"+values+")")
	setOthersTaste(t, d)
	cfg := file(t, d.URL("postgres"), "  postgres: {slot: "+d.Name+", publication: "+d.Name+"}", "router: {columns: {key: id, route_by: id, payload: id}}")
	src := walstream.New(cfg, testLog(t), walstream.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), sourcetest.Deadline)
	defer cancel()
	out, ended := make(chan *outbox.Batch, 1), make(chan error, 1)
	go func() { ended <- src.Run(ctx, nil, out) }()
	for rows := 0; rows < 2; {
		select {
		case b := <-out:
			for _, r := range b.Rows {
				rows++
				check(t, string(r.Values[0]), r)
			}
			if src.Confirm(b.Position); rows == 1 && len(b.Rows) == 1 {
				d.Exec(t, "INSERT INTO outbox VALUES ('stream'"+values+")")
			}
			b.Release()
		case err := <-ended:
			t.Fatal(err)
		}
	}
	cancel()
	<-ended
}

// lists are arrays, as SQL and as JsonConverter writes them. Down to the first note Debezium 3.5.0 was seen to write the same.
var lists = []struct{ typ, sql, want string }{
	{"timestamp[]", `'{2024-02-29 10:11:12.123456}'`, `[1709201472123456]`},
	{"timestamp(3)[]", `'{2024-02-29 10:11:12.123456}'`, `[1709201472123]`},
	{"timestamptz[]", `'{2024-02-29 10:11:12.1+00}'`, `["2024-02-29T10:11:12.100000Z"]`},
	{"timestamptz(3)[]", `'{2024-02-29 10:11:12.1+00}'`, `["2024-02-29T10:11:12.100Z"]`},
	{"date[]", `'{2024-02-29}'`, `[19782]`},
	{"time(3)[]", `'{10:11:12.123456}'`, `[36672123]`},
	{"numeric[]", `'{1.5,20}'`, `[{"scale":1,"value":"Dw=="},{"scale":0,"value":"FA=="}]`},
	{"numeric(10,2)[]", `'{1.50,20}'`, `["AJY=","B9A="]`},
	{"oid[]", `'{7}'`, `[7]`},
	{"real[]", `'{0.1}'`, `[0.1]`},
	{"boolean[]", `'{t}'`, `[true]`},
	{"inet[]", `'{10.0.0.1}'`, `["10.0.0.1"]`},
	{"bytea[]", `'{"\\x616263"}'`, `["YWJj"]`},
	{"jsonb[]", `'{"{\"b\": 1}"}'`, `["{\"b\": 1}"]`},
	{"mood[]", `'{ok,sad}'`, `["ok","sad"]`},
	{"tags", `'{a,b}'`, `["a","b"]`},
	{"many", `'{1,2}'`, `[1,2]`},
	{"time[]", `'{10:11:12.123456}'`, `[36672123456]`}, // of these it cut the fraction
	{"timetz[]", `'{10:11:12.5+02}'`, `["08:11:12.5Z"]`},
	{"interval[]", `'{1 day}'`, `[86400000000]`}, // these columns it left out, or wrote null
	{"bit(3)[]", `'{101}'`, `["BQ=="]`},
	{"label[]", `'{short,"with, comma"}'`, `["short","with, comma"]`},
	{"amount[]", `'{7.5}'`, `["Au4="]`},
	{"blob[]", `'{"\\x616263"}'`, `["YWJj"]`},
	{"flag[]", `'{t,f}'`, `[true,false]`},
	{"tags[]", `ARRAY['{a,b}'::tags]`, `["{a,b}"]`},
	{"price[]", `'{7.5,NULL}'`, `["Au4=",null]`}, // these it was not asked for
	{"prices", `'{7.5}'`, `["Au4="]`},
	{"box[]", `'{(1,1),(0,0);(3,3),(2,2)}'`, `["(1,1),(0,0)","(3,3),(2,2)"]`},
	{"feeling[]", `'{ok}'`, `["ok"]`},
	{"moment[]", `'{2024-02-29 10:11:12.123456}'`, `[1709201472123]`},
	{"point", `'(1,-2.5)'`, `{"x":1.0,"y":-2.5,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAATA","srid":null}`}, // no arrays from here on
	{"int2vector", `'1 2'`, `"1 2"`},                                                               // though the server files it under them
}

// TestElementsOfArraysAreAsColumnsOfTheirType, also where that is a domain.
func TestElementsOfArraysAreAsColumnsOfTheirType(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		d.Exec(t, "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN label AS varchar(11); CREATE DOMAIN amount AS numeric(10,2)")
		d.Exec(t, domainsOfDomains+"; CREATE DOMAIN tags AS text[]; CREATE DOMAIN many AS int[]; CREATE DOMAIN moment AS timestamp(3); CREATE DOMAIN prices AS price[]")
		columns, values := "", ""
		for i, l := range lists {
			columns += fmt.Sprintf(", c%d %s", i, l.typ)
			values += ", " + l.sql
		}
		bothWays(t, d, columns, values, func(t *testing.T, from string, r outbox.Row) {
			for i, l := range lists {
				got, err := encode.AppendJSON(nil, &r.Table.Columns[i+1], r.Values[i+1])
				if err != nil || string(got) != l.want {
					t.Errorf("%s: %s %s: got %s, %v, want %s", from, l.typ, l.sql, got, err, l.want)
				}
			}
			if c := r.Table.Columns[1+slices.IndexFunc(lists, func(l struct{ typ, sql, want string }) bool { return l.typ == "feeling[]" })]; c.Elem != outbox.Enum || fmt.Sprint(c.Labels) != "[sad ok]" {
				t.Errorf("%s: the elements of an array of enums are %+v", from, c)
			}
		})
	})
}

func checkRow(t *testing.T, from string, r outbox.Row) {
	t.Helper()
	if len(r.Values) != len(odd)+1 {
		t.Errorf("%s: got %d values, want %d: a generated column is not in the log", from, len(r.Values), len(odd)+1)
	}
	for i, o := range odd {
		c := r.Table.Columns[i+1]
		got := string(r.Values[i+1])
		if r.Values[i+1] == nil {
			got = "NULL"
		}
		if d := cmp.Diff(o.want, got); d != "" || c.Kind != o.kind {
			t.Errorf("%s: %s %s: kind %d want %d: %s", from, o.typ, o.sql, c.Kind, o.kind, d)
		}
		if wantNull := o.typ != "label" && o.typ != "tag"; c.Nullable != wantNull {
			t.Errorf("%s: %s: nullable %v", from, o.typ, c.Nullable)
		}
	}
	if r.Table.Columns[0].Nullable || r.Table.Columns[0].TypeName != "character varying(64)" {
		t.Errorf("%s: id is %+v", from, r.Table.Columns[0])
	}
}

// TestHStoreIsPublishedAsJSON, wherever its extension is. So is ltree as what it is.
func TestHStoreIsPublishedAsJSON(t *testing.T) {
	onEach(t, 13, func(t *testing.T, d *servers.Database) {
		d.Exec(t, "CREATE SCHEMA other; CREATE EXTENSION hstore SCHEMA other; CREATE EXTENSION ltree SCHEMA other")
		bothWays(t, d, ", labels other.hstore, path other.ltree", `, '"key4"=>"v\"4", "key5"=>NULL', 'a.b'`, func(t *testing.T, from string, r outbox.Row) {
			c := &r.Table.Columns[1]
			got, err := encode.AppendJSON(nil, c, r.Values[1])
			if want := `"{\"key5\":null,\"key4\":\"v\\\"4\"}"`; err != nil || string(got) != want {
				t.Errorf("%s: got %s, %v, want %s", from, got, err, want)
			}
			if schema := string(encode.AppendSchema(nil, c, "")); schema != `{"type":"string","optional":true,"name":"io.debezium.data.Json","version":1}` {
				t.Errorf("%s: the schema is %s", from, schema)
			}
			if schema := string(encode.AppendSchema(nil, &r.Table.Columns[2], "")); !strings.Contains(schema, "io.debezium.data.Ltree") {
				t.Errorf("%s: the schema is %s", from, schema)
			}
		})
	})
}
