package binlog

import (
	"testing"

	"pgregory.net/rapid"
)

// model is a GTID set as a plain set of numbers.
type model map[gtid]bool

func drawGTID(t *rapid.T) gtid {
	g := gtid{seq: rapid.Uint64Range(1, 30).Draw(t, "seq")}
	g.sid[15] = rapid.ByteRange(1, 2).Draw(t, "sid")
	g.tag = rapid.SampledFrom([]string{"", "a", "tag_2"}).Draw(t, "tag")
	return g
}

func drawSet(t *rapid.T, label string) (*mysqlSet, model) {
	set, m := &mysqlSet{}, model{}
	for range rapid.IntRange(0, 60).Draw(t, label) {
		g := drawGTID(t)
		set.add(g)
		m[g] = true
	}
	return set, m
}

func everyGTID(visit func(gtid)) {
	for sid := range byte(2) {
		for _, tag := range []string{"", "a", "tag_2"} {
			for seq := range uint64(31) {
				g := gtid{tag: tag, seq: seq + 1}
				g.sid[15] = sid + 1
				visit(g)
			}
		}
	}
}

func TestMySQLSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, ma := drawSet(t, "a")
		b, mb := drawSet(t, "b")
		again, err := parseMySQLSet(a.String())
		if err != nil {
			t.Fatal(err)
		}
		left := a.subtract(b)
		everyGTID(func(g gtid) {
			if a.contains(g) != ma[g] || again.contains(g) != ma[g] {
				t.Fatalf("%s: contains %s is wrong", a, g)
			}
			if left.contains(g) != (ma[g] && !mb[g]) {
				t.Fatalf("%s minus %s: %s is wrong", a, b, g)
			}
		})
		if again.String() != a.String() || a.isEmpty() != (len(ma) == 0) {
			t.Fatalf("%s is read as %s", a, again)
		}
		for _, src := range a.sources {
			for i := 1; i < len(src.runs); i++ {
				if src.runs[i-1].to+1 >= src.runs[i].from {
					t.Fatalf("%s: runs touch", a)
				}
			}
		}
	})
}

func TestCloneIsItsOwn(t *testing.T) {
	a, _ := parseMySQLSet("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5")
	b := a.clone()
	b.add(gtid{sid: a.sources[0].sid, seq: 6})
	if a.String() != "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5" || b.String() != "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-6" {
		t.Errorf("got %s and %s", a, b)
	}
}

func TestMySQLSetText(t *testing.T) {
	for text, want := range map[string]string{
		"": "",
		"3E11FA47-71CA-11E1-9E33-C80AA9429562:1-3:5,\n3e11fa47-71ca-11e1-9e33-c80aa9429562:4": "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5",
		"3e11fa47-71ca-11e1-9e33-c80aa9429562:1:Big:1-3:7:a:2":                                "3e11fa47-71ca-11e1-9e33-c80aa9429562:1:a:2:big:1-3:7",
	} {
		if got, err := parseMySQLSet(text); err != nil || got.String() != want {
			t.Errorf("%q: got %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"x", "3e11fa47-71ca-11e1-9e33-c80aa9429562", "3e11fa47-71ca-11e1-9e33-c80aa9429562:0", "3e11fa47-71ca-11e1-9e33-c80aa9429562:5-3", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-", "0-1-5"} {
		if got, err := parseMySQLSet(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func TestMariaSetText(t *testing.T) {
	set, err := parseMariaSet("1-2-3,0-5-4294967296")
	if err != nil || set.String() != "0-5-4294967296,1-2-3" {
		t.Fatalf("got %v, %v", set, err)
	}
	set.add(gtid{maria: true, domain: 1, server: 9, seq: 4})
	if set.String() != "0-5-4294967296,1-9-4" || !set.contains(gtid{maria: true, domain: 1, server: 2, seq: 3}) || set.contains(gtid{maria: true, domain: 2, seq: 1}) {
		t.Errorf("got %s", set)
	}
	for _, text := range []string{"1-2", "1-2-x", "1-2-3-4", "1-2-3,1-2-4", "4294967296-1-1"} {
		if got, err := parseMariaSet(text); err == nil {
			t.Errorf("%q is read as %s", text, got)
		}
	}
}

func FuzzGTIDText(f *testing.F) {
	f.Add("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-3:5:tag:1")
	f.Add("0-1-5,1-2-3")
	f.Fuzz(func(t *testing.T, text string) {
		if set, err := parseMySQLSet(text); err == nil {
			again, err := parseMySQLSet(set.String())
			if err != nil || again.String() != set.String() {
				t.Errorf("%q: %v", set, err)
			}
			set.encode()
		}
		_, _ = parseMariaSet(text)
	})
}

func FuzzPosition(f *testing.F) {
	f.Add([]byte(`{"kind":"mysql","phase":"stream","server_uuid":"x","gtid":"3e11fa47-71ca-11e1-9e33-c80aa9429562:1","by_gtid":true,"part":{"rows":3}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parsePosition(text)
		if err != nil {
			return
		}
		if _, err := parsePosition(p.appendTo(nil)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	})
}
