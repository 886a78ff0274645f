package offsets

import "testing"

func TestConnectOffsetsOfABinlog(t *testing.T) {
	value := func(text string) string {
		return `{"offsets":[{"partition":{"server":"blog"},"offset":` + text + `}]}`
	}
	for _, test := range []struct {
		name, text string
		want       ConnectLog
		snapshot   bool
	}{
		{"at the end of a transaction", `{"ts_sec":1795477451,"file":"mysql-bin.000001","pos":1847,"gtids":"0-223344-8"}`, ConnectLog{File: "mysql-bin.000001", Pos: 1847, GTIDs: "0-223344-8"}, false},
		{"inside", `{"file":"b.1","pos":1847,"gtids":"0-223344-8","row":1,"server_id":223344,"event":6}`, ConnectLog{File: "b.1", Pos: 1847, GTIDs: "0-223344-8", Events: 6, Rows: 1}, false},
		{"a set on several lines", `{"file":"b.1","pos":4,"gtids":"a:1-2,\nb:3"}`, ConnectLog{File: "b.1", Pos: 4, GTIDs: "a:1-2,b:3"}, false},
		{"without GTIDs", `{"file":"b.1","pos":4,"gtids":null}`, ConnectLog{File: "b.1", Pos: 4}, false},
		{"in a snapshot", `{"file":"b.1","pos":4,"snapshot":"INITIAL"}`, ConnectLog{File: "b.1", Pos: 4}, true},
		{"after a snapshot", `{"file":"b.1","pos":4,"snapshot":"INITIAL","snapshot_completed":true}`, ConnectLog{File: "b.1", Pos: 4}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, err := ParseConnect([]byte(value(test.text)), "blog")
			if err != nil || o.Log == nil || *o.Log != test.want || o.Snapshot != test.snapshot {
				t.Fatalf("got %+v, %v", o, err)
			}
			if inside := o.Log.Inside(); inside != (test.name == "inside") {
				t.Errorf("inside: %t", inside)
			}
		})
	}
	text, err := MarshalConnectLog("blog", "b.1", 4, "0-1-2")
	if err != nil {
		t.Fatal(err)
	}
	if o, err := ParseConnect(text, "blog"); err != nil || *o.Log != (ConnectLog{File: "b.1", Pos: 4, GTIDs: "0-1-2"}) {
		t.Errorf("%s comes back as %+v, %v", text, o, err)
	}
}
