package walstream

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"outferry/outbox"
)

// captured reads messages that a real server sent, one in hex on each line.
func captured(t testing.TB, file string) [][]byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out [][]byte
	for lines := bufio.NewScanner(f); lines.Scan(); {
		m, err := hex.DecodeString(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

// builtins describes a table by its announcement alone.
func builtins(m relationMessage) (*outbox.Table, error) {
	t := &outbox.Table{Schema: m.schema, Name: m.name}
	for _, c := range m.columns {
		t.Columns = append(t.Columns, builtin(c.name, c.oid, c.mod))
	}
	return t, nil
}

func TestCapturedMessagesBecomeRows(t *testing.T) {
	want := []string{
		`insert 12: 10711fa5-0000-4000-8000-000000000001|order|a|created|{"a": 1}|` + "\x00\xff\x10" + `|true|123.40|ok|2024-02-29 08:11:12.123+00|{a,"b c",NULL}|1010`,
		`insert 12: 10711fa5-0000-4000-8000-000000000002|order|NULL|NULL|NULL|NULL|false|NULL|NULL|NULL|NULL|NULL`,
		`insert 13: 10711fa5-0000-4000-8000-000000000003|order|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|7`,
		`update 13: 10711fa5-0000-4000-8000-000000000001|order|a|x|{"a": 1}|` + "\x00\xff\x10" + `|true|123.40|ok|2024-02-29 08:11:12.123+00|{a,"b c",NULL}|1010|7`,
		`update 13: 10711fa5-0000-4000-8000-000000000009|order|a|x|{"a": 1}|` + "\x00\xff\x10" + `|true|123.40|ok|2024-02-29 08:11:12.123+00|{a,"b c",NULL}|1010|7`,
	}
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) < 2 {
		t.Fatal("no captured messages", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			asm := newAssembler(&position{}, builtins)
			var b outbox.Batch
			for i, m := range captured(t, file) {
				if err := asm.message(&b, m); err != nil {
					t.Fatalf("message %d: %v", i, err)
				}
			}
			var got []string
			for _, r := range b.Rows {
				got = append(got, describeRow(r))
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
			if b.Transactions != 4 || asm.open || asm.end == 0 {
				t.Errorf("got %d transactions, open %v, end %s", b.Transactions, asm.open, asm.end)
			}
		})
	}
}

func describeRow(r outbox.Row) string {
	values := make([]string, len(r.Values))
	for i, v := range r.Values {
		values[i] = string(v)
		if v == nil {
			values[i] = "NULL"
		}
	}
	op := map[outbox.Op]string{outbox.Insert: "insert", outbox.Update: "update"}[r.Op]
	return fmt.Sprintf("%s %d: %s", op, len(values), strings.Join(values, "|"))
}

func TestColumnsOfBuiltinTypes(t *testing.T) {
	for _, test := range []struct {
		oid  uint32
		mod  int32
		want outbox.Column
	}{
		{25, -1, outbox.Column{Kind: outbox.Text, Scale: -1}},
		{1043, 40, outbox.Column{Kind: outbox.Text, Length: 36, Scale: -1}},
		{1700, 10<<16 | 2 + 4, outbox.Column{Kind: outbox.Decimal, Scale: 2}},
		{1700, 3<<16 | (-2 & 0x7ff) + 4, outbox.Column{Kind: outbox.Decimal, Scale: -2}},
		{1700, -1, outbox.Column{Kind: outbox.Decimal, Scale: -1}},
		{1184, 3, outbox.Column{Kind: outbox.TimestampTZ, Precision: 3, Scale: -1}},
		{1114, -1, outbox.Column{Kind: outbox.Timestamp, Precision: 6, Scale: -1}},
		{1560, 4, outbox.Column{Kind: outbox.Bits, Length: 4, Scale: -1}},
		{99999, -1, outbox.Column{Kind: outbox.Text, Scale: -1}},
	} {
		test.want.Nullable = true
		if d := cmp.Diff(test.want, builtin("", test.oid, test.mod)); d != "" {
			t.Errorf("type %d modifier %d: %s", test.oid, test.mod, d)
		}
	}
}

// TestRefusedMessages: what can't be right is an error and never a row.
func TestRefusedMessages(t *testing.T) {
	good := captured(t, "testdata/pg15.hex")
	begin, relation, insert := good[0], good[1], good[2]
	for len(insert) > 0 && insert[0] != msgInsert {
		good = good[1:]
		relation, insert = good[1], good[2]
	}
	for name, messages := range map[string][][]byte{
		"empty":                     {{}},
		"unknown type":              {{'?'}},
		"begin inside begin":        {begin, begin},
		"row outside a transaction": {relation, insert},
		"row without announcement":  {begin, insert},
		"commit without begin":      {append([]byte{msgCommit}, make([]byte, 25)...)},
		"short begin":               {begin[:10]},
		"short row":                 {begin, relation, insert[:len(insert)-3]},
		"row with too many values":  {begin, relation, append(append([]byte{}, insert[:6]...), 0, 99)},
	} {
		t.Run(name, func(t *testing.T) {
			asm := newAssembler(&position{}, builtins)
			var b outbox.Batch
			var err error
			for _, m := range messages {
				if err = asm.message(&b, append([]byte(nil), m...)); err != nil {
					return
				}
			}
			t.Errorf("it was taken, with %d rows", len(b.Rows))
		})
	}
}

// FuzzMessages: no bytes of a server make the decoder panic.
func FuzzMessages(f *testing.F) {
	for _, m := range captured(f, "testdata/pg15.hex") {
		f.Add(m)
	}
	begin, relation := captured(f, "testdata/pg15.hex")[0], []byte(nil)
	for _, m := range captured(f, "testdata/pg15.hex") {
		if m[0] == msgRelation {
			relation = m
		}
	}
	f.Fuzz(func(t *testing.T, m []byte) {
		asm := newAssembler(&position{}, builtins)
		var b outbox.Batch
		_ = asm.message(&b, append([]byte(nil), begin...))
		_ = asm.message(&b, append([]byte(nil), relation...))
		n := len(b.Rows)
		if err := asm.message(&b, append([]byte(nil), m...)); err == nil && len(b.Rows) > n {
			for i, v := range b.Rows[n].Values {
				if len(v) > len(m) && string(v) != "false" {
					t.Errorf("value %d is longer than its message", i)
				}
			}
		}
	})
}

func TestForkOfATimeline(t *testing.T) {
	history := []byte("1\t0/3000000\tno recovery target specified\n\n2\t0/5000060\tno recovery target specified\n")
	for timeline, want := range map[int32]string{1: "0/3000000", 2: "0/5000060"} {
		got, err := forkOf(history, timeline)
		if err != nil || got.String() != want {
			t.Errorf("timeline %d: got %s, %v, want %s", timeline, got, err, want)
		}
	}
	if _, err := forkOf(history, 3); err == nil {
		t.Error("a timeline that is not in the history has a fork")
	}
}

func TestQuoting(t *testing.T) {
	for in, want := range map[string]string{`plain`: `"plain"`, `a"b`: `"a""b"`, `a;b`: `"a;b"`} {
		if got := quoteIdent(in); got != want {
			t.Errorf("quoteIdent(%q) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{`plain`: `'plain'`, `a'b`: `'a''b'`, `a\b`: ` E'a\\b'`, `\'`: ` E'\\'''`} {
		if got := quoteLiteral(in); got != want {
			t.Errorf("quoteLiteral(%q) = %s, want %s", in, got, want)
		}
	}
}
