package encode

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

func TestExpansionKeepsEveryValue(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"a":1}`, `{"a":1}`},
		{"{ \"a\" : [ 1 , 2 ] ,\n \"b\" : { } } ", `{"a":[1,2],"b":{}}`},
		{`{"z":1,"a":2,"z":3}`, `{"z":1,"a":2,"z":3}`},
		{`{"n":100.10,"e":1e3,"big":123456789012345678901234567890,"huge":1E400,"neg":-0}`, `{"n":100.10,"e":1e3,"big":123456789012345678901234567890,"huge":1E400,"neg":-0}`},
		{`{"a":null,"b":2}`, `{"b":2}`},
		{`{"b":2,"a":null}`, `{"b":2}`},
		{`{"a":null}`, `{}`},
		{`{"a":{"b":null},"c":null,"d":true}`, `{"a":{},"d":true}`},
		{`{"a":[],"b":[[]],"c":[ ]}`, `{"b":[[]]}`},
		{`[]`, `[]`},
		{`[null,1,"a",{"x":null},[]]`, `[null,1,"a",{},[]]`},
		{`[[1],[2.5]]`, `[[1],[2.5]]`},
		{`{"":1}`, `{"":1}`},
		{`{"s":"\/\u00fc\u0041\u0001\u001f\u2028\b\t\n\f\r\"\\"}`, "{\"s\":\"/üA\\u0001\\u001F\u2028\\b\\t\\n\\f\\r\\\"\\\\\"}"},
		{`{"s":"😀\ud83d\ude00"}`, `{"s":"\uD83D\uDE00\uD83D\uDE00"}`},
		{`{"s":"\ud800x"}`, `{"s":"\uD800x"}`},
		{`{"\u0061😀":false}`, `{"a\uD83D\uDE00":false}`},
	} {
		got, ok := NewExpander(false, false).Append([]byte(`{"payload":`), []byte(c.in))
		if !ok || string(got) != `{"payload":`+c.want {
			t.Errorf("%s: got %s, %t, want %s", c.in, got, ok, c.want)
		}
	}
}

func TestNullsAndEmptyArraysAreKeptWhenAsked(t *testing.T) {
	got, ok := NewExpander(true, false).Append(nil, []byte(`{"a":null,"b":[],"c":[null]}`))
	if want := `{"a":null,"c":[null]}`; !ok || string(got) != want {
		t.Errorf("nulls: got %s, want %s", got, want)
	}
	got, ok = NewExpander(false, true).Append(nil, []byte(`{"a":null,"b":[],"c":[null]}`))
	if want := `{"b":[],"c":[null]}`; !ok || string(got) != want {
		t.Errorf("arrays: got %s, want %s", got, want)
	}
}

func TestTextThatIsNotJSONStaysText(t *testing.T) {
	x := NewExpander(false, false)
	for _, in := range []string{
		"", " ", "{", "[", `{"a":1}x`, `{"a":1} {}`, `{"a":1},`, ` {"a":1}`, "\ufeff{}", "null", "1", `"a"`, "text", `{'a':1}`, `{"a":NaN}`, `[1,]`,
		`{"a":1,}`, `{"a"}`, `{1:2}`, `{"a":"` + "\x01" + `"}`, `{"a":"` + "\xff" + `"}`, `{"a":nul}`, `{"a":[}`, `{[]:1}`, `[1 2]`, `{"a":01}`,
		`{null:1}`, strings.Repeat("[", 100000), strings.Repeat(`{"a":`, 100000), strings.Repeat("[", 100000) + strings.Repeat("]", 100000),
	} {
		dst := []byte("before")
		if got, ok := x.Append(dst, []byte(in)); ok || string(got) != "before" {
			t.Errorf("%.20q: got %.40q, %t", in, got, ok)
		}
		if _, _, ok := x.Typed([]byte(in), "payload"); ok {
			t.Errorf("%.20q was given a schema", in)
		}
	}
	if got, ok := x.Append(nil, []byte(`{"after":"all"}`)); !ok || string(got) != `{"after":"all"}` {
		t.Errorf("afterwards: got %s, %t", got, ok)
	}
}

func TestInferredSchemas(t *testing.T) {
	leaf := func(kind, field string) string {
		return `{"type":"` + kind + `","optional":true,"field":"` + field + `"}`
	}
	structOf := func(name, fields string) string {
		return `{"type":"struct","fields":[` + fields + `],"optional":true,"name":"` + name + `"}`
	}
	for _, c := range []struct{ in, schema, value string }{
		{`{"s":"x","b":true,"i":1,"l":2147483648,"d":100.10,"e":1e3}`,
			structOf("payload", leaf("string", "s")+","+leaf("boolean", "b")+","+leaf("int32", "i")+","+leaf("int64", "l")+","+leaf("double", "d")+","+leaf("double", "e")),
			`{"s":"x","b":true,"i":1,"l":2147483648,"d":100.10,"e":1e3}`},
		{`{"n":null,"e":[],"o":{}}`, structOf("payload", `{"type":"struct","fields":[],"optional":true,"name":"payload.o","field":"o"}`), `{"o":{}}`},
		{`{"a":{"b":{"c":1}}}`,
			structOf("payload", `{"type":"struct","fields":[{"type":"struct","fields":[`+leaf("int32", "c")+`],"optional":true,"name":"payload.a.b","field":"b"}],"optional":true,"name":"payload.a","field":"a"}`),
			`{"a":{"b":{"c":1}}}`},
		{`{"a":[1,null,2]}`, structOf("payload", `{"type":"array","items":{"type":"int32","optional":true},"optional":true,"field":"a"}`), `{"a":[1,null,2]}`},
		{`{"a":[1,3000000000]}`, structOf("payload", `{"type":"array","items":{"type":"int64","optional":true},"optional":true,"field":"a"}`), `{"a":[1,3000000000]}`},
		{`{"a":[1,2.5]}`, structOf("payload", `{"type":"array","items":{"type":"double","optional":true},"optional":true,"field":"a"}`), `{"a":[1,2.5]}`},
		{`{"a":[null]}`, structOf("payload", `{"type":"array","items":{"type":"string","optional":true},"optional":true,"field":"a"}`), `{"a":[null]}`},
		{`{"a":[{"x":1},{"x":2}]}`, structOf("payload", `{"type":"array","items":`+structOf("payload.a", leaf("int32", "x"))+`,"optional":true,"field":"a"}`), `{"a":[{"x":1},{"x":2}]}`},
		{`{"a":[{"x":1},{"y":"b","x":2.5}]}`,
			structOf("payload", `{"type":"array","items":{"type":"struct","fields":[`+leaf("double", "x")+","+leaf("string", "y")+`],"optional":false,"name":"payload.a"},"optional":true,"field":"a"}`),
			`{"a":[{"x":1,"y":null},{"x":2.5,"y":"b"}]}`},
		{`{"a":[{"n":{"p":1}},{"n":{"q":2}}]}`,
			structOf("payload", `{"type":"array","items":{"type":"struct","fields":[{"type":"struct","fields":[`+leaf("int32", "p")+","+leaf("int32", "q")+
				`],"optional":true,"name":"payload.a.n","field":"n"}],"optional":false,"name":"payload.a"},"optional":true,"field":"a"}`),
			`{"a":[{"n":{"p":1,"q":null}},{"n":{"p":null,"q":2}}]}`},
		{`[[{"a":1}],[]]`, `{"type":"array","items":{"type":"array","items":{"type":"struct","fields":[` + leaf("int32", "a") + `],"optional":true},"optional":true},"optional":true}`, `[[{"a":1}],[]]`},
		{`[]`, `{"type":"array","items":{"type":"string","optional":true},"optional":true}`, `[]`},
		{`{"k\u0061\"":"\ud83d\ude00"}`, structOf("payload", leaf("string", `ka\"`)), `{"ka\"":"\uD83D\uDE00"}`},
	} {
		schema, value, ok := NewExpander(false, false).Typed([]byte(c.in), "payload")
		got := string(AppendField(schema, ""))
		if !ok || got != c.schema || string(value) != c.value {
			t.Errorf("%s:\n got %s %s %t\nwant %s %s", c.in, got, value, ok, c.schema, c.value)
		}
	}
}

func TestKeptNullsAndEmptyArraysHaveSchemas(t *testing.T) {
	schema, value, ok := NewExpander(true, true).Typed([]byte(`{"n":null,"e":[],"a":[null]}`), "p")
	want := `{"type":"struct","fields":[{"type":"bytes","optional":true,"field":"n"},{"type":"array","items":{"type":"string","optional":true},"optional":true,"field":"e"},` +
		`{"type":"array","items":{"type":"bytes","optional":true},"optional":true,"field":"a"}],"optional":true,"name":"p"}`
	if got := string(AppendField(schema, "")); !ok || got != want || string(value) != `{"n":null,"e":[],"a":[null]}` {
		t.Errorf("got %s %s %t", got, value, ok)
	}
}

func TestWhatConnectCantRepresentHasNoSchema(t *testing.T) {
	wide := "[" + strings.TrimSuffix(strings.Repeat(`{"@":1},`, 5000), ",") + "]"
	for i := 0; strings.Contains(wide, "@"); i++ {
		wide = strings.Replace(wide, "@", "m"+strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i/26%40), 1)
	}
	for _, in := range []string{
		`{"a":9223372036854775808}`, `{"a":1E400}`, `{"a":[1,"x"]}`, `{"a":[{"x":1},{"x":"s"}]}`, `{"a":[[1],["x"]]}`, `{"a":1,"a":2}`, `{"":1}`,
		`[{"a":1},2]`, `[` + strings.Repeat("9", 100000) + `]`, strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		strings.Repeat(`{"`+strings.Repeat("n", 1000)+`":`, 900) + "1" + strings.Repeat("}", 900), wide,
	} {
		if schema, _, ok := NewExpander(false, false).Typed([]byte(in), "payload"); ok {
			t.Errorf("%.40s: got %.100s", in, schema)
		}
		if _, ok := NewExpander(false, false).Append(nil, []byte(in)); !ok {
			t.Errorf("%.40s is not expanded without schema", in)
		}
	}
}

// What is expanded means the same as the text, and expanding it again changes nothing.
func FuzzExpansion(f *testing.F) {
	f.Add(`{"a":[1,null,{"b":null,"c":[]}],"d":"\u00fc\ud83d\ude00","e":1.50}`)
	f.Add(`[[],[[]],{"":{}}]`)
	f.Add(`{"a":"\ud800","a":2}`)
	f.Fuzz(func(t *testing.T, in string) {
		x := NewExpander(true, true)
		out, ok := x.Append(nil, []byte(in))
		if !ok {
			return
		}
		checkSame(t, []byte(in), out)
		again, ok := x.Append(nil, out)
		if !ok || !bytes.Equal(again, out) {
			t.Fatalf("%q became %q and then %q", in, out, again)
		}
		if schema, value, ok := x.Typed([]byte(in), "p"); ok {
			if whole := AppendField(schema, ""); !json.Valid(whole) || !json.Valid(value) {
				t.Fatalf("%q has the schema %q and the value %q", in, whole, value)
			}
		}
	})
}

func checkSame(t *testing.T, in, out []byte) {
	var before, after any
	if err := decode(in, &before); err != nil {
		t.Fatalf("%q was expanded but isn't valid: %v", in, err)
	}
	if err := decode(out, &after); err != nil {
		t.Fatalf("%q became %q: %v", in, out, err)
	}
	if !reflect.DeepEqual(before, after) {
		t.Fatalf("%q became %q", in, out)
	}
}

func decode(text []byte, into *any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// sampleJSON returns a payload of about size bytes, such as services write.
func sampleJSON(size int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	words := []string{"post", "comment", "author", "title", "größe", "draft", "note"}
	var b strings.Builder
	b.WriteString(`{"id": 1, "tags": [`)
	for b.Len() < size-40 {
		b.WriteString(`{"word": "` + words[rnd.IntN(len(words))] + `", "n": 12.50, "x": null}, `)
	}
	b.WriteString(`{}], "done": true}`)
	return []byte(b.String())
}

func TestExpandingAllocatesNothing(t *testing.T) {
	x, text := NewExpander(false, false), sampleJSON(1000)
	buf := make([]byte, 0, 2000)
	if n := testing.AllocsPerRun(100, func() { buf, _ = x.Append(buf[:0], text) }); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func BenchmarkExpand1KiB(b *testing.B) {
	x, text := NewExpander(false, false), sampleJSON(1024)
	buf := make([]byte, 0, 4000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		buf, _ = x.Append(buf[:0], text)
	}
}
