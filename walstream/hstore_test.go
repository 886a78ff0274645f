package walstream

import (
	"strings"
	"testing"

	"outferry/outbox"
)

// The values are those of Debezium's own tests, and the orders are those of Java.
func TestHStoreIsJSONInTheOrderOfJava(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{``, `{}`},
		{`"key"=>"val"`, `{"key":"val"}`},
		{`"key1"=>"val1", "key2"=>"val2", "key3"=>"val3"`, `{"key1":"val1","key2":"val2","key3":"val3"}`},
		{`"key4"=>"val4", "key5"=>NULL`, `{"key5":null,"key4":"val4"}`},
		{`"key1"=>"val1", "key2"=>NULL`, `{"key1":"val1","key2":null}`},
		{`"key 2"=>" ##123 78", "key_#1"=>"val 1"`, `{"key_#1":"val 1","key 2":" ##123 78"}`},
		{`"a"=>"", "q\"b\\"=>"NULL"`, `{"a":"","q\"b\\":"NULL"}`},
		{"\"n\"=>\"1\n2\x01\v😀\"", `{"n":"1\n2\u0001\u000B😀"}`},
	} {
		got, err := canonical(&outbox.Column{TypeName: "public.hstore"}, []byte(test.text))
		if err != nil || string(got) != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.text, got, err, test.want)
		}
	}
	for _, text := range []string{`a`, `"a"`, `"a"=>`, `"a"=>"b`, `"a"=>"b",`, `"a"=>"b" "c"=>"d"`, `"a"=>"b\`, `"a"=>null`} {
		if got, err := hstoreJSON([]byte(text)); err == nil {
			t.Errorf("%s: got %s", text, got)
		}
	}
}

func FuzzHStore(f *testing.F) {
	f.Add([]byte(`"a"=>"1", "b"=>NULL`))
	f.Fuzz(func(t *testing.T, v []byte) {
		before := string(v)
		out, err := hstoreJSON(v)
		if err == nil && (!strings.HasPrefix(string(out), "{") || string(v) != before) {
			t.Errorf("%q: got %q", before, out)
		}
	})
}
