package offsets

import (
	"strings"
	"testing"
	"time"
)

// The values are those that connectors left: Debezium 3.6.
func TestConnectOffsetsAreRead(t *testing.T) {
	const list = `{"offsets":[{"partition":{"server":"blog"},"offset":%s}]}`
	for _, test := range []struct {
		name, value string
		want        ConnectOffset
	}{
		{"first transaction ever", `{"lsn_proc":26667912,"messageType":"INSERT","lsn":26667912,"txId":740,"ts_usec":1795477448489214}`,
			ConnectOffset{LSN: 26667912, Processed: 26667912, MessageType: "INSERT", XID: 740, Changes: -1, At: time.UnixMicro(1795477448489214).UTC()}},
		{"inside a later one", `{"lsn_proc":26671864,"messageType":"INSERT","lsn_commit":26671704,"lsn":26671864,"txId":746,"lsn_events_processed":2}`,
			ConnectOffset{LSN: 26671864, Processed: 26671864, Committed: 26671704, MessageType: "INSERT", XID: 746, Changes: 2}},
		{"after a commit", `{"lsn_proc":26701856,"messageType":"COMMIT","lsn_commit":26701856,"lsn":26701856,"txId":994}`,
			ConnectOffset{LSN: 26701856, Processed: 26701856, Committed: 26701856, MessageType: "COMMIT", XID: 994, Changes: -1}},
		{"snapshot just finished", `{"last_snapshot_record":true,"lsn":26837256,"txId":2049,"snapshot":"INITIAL","snapshot_completed":true}`,
			ConnectOffset{LSN: 26837256, XID: 2049, Changes: -1, SnapshotDone: true}},
		{"snapshot unfinished", `{"lsn":26837256,"snapshot":"INITIAL","snapshot_completed":false}`, ConnectOffset{LSN: 26837256, Changes: -1, Snapshot: true}},
		{"snapshot unfinished before 3.1", `{"lsn":26837256,"snapshot":true,"last_snapshot_record":false}`, ConnectOffset{LSN: 26837256, Changes: -1, Snapshot: true}},
		{"incremental snapshot open", `{"lsn":1,"lsn_proc":1,"incremental_snapshot_collections":"[]","transaction_id":null}`,
			ConnectOffset{LSN: 1, Processed: 1, Changes: -1, Snapshot: true}},
		{"beyond half of the numbers", `{"lsn":-1}`, ConnectOffset{LSN: 1<<64 - 1, Changes: -1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want.Server = "blog"
			got, err := ParseConnect([]byte(strings.Replace(list, "%s", test.value, 1)), "")
			if err != nil || *got != test.want {
				t.Errorf("got %+v, %v\nwant %+v", got, err, test.want)
			}
		})
	}
}

func TestConnectOffsetsThatAreNotReadSayWhy(t *testing.T) {
	two := `{"offsets":[{"partition":{"server":"a"},"offset":{"lsn":1}},{"partition":{"server":"b"},"offset":{"lsn":2}}]}`
	for _, test := range []struct{ name, text, want string }{
		{"no JSON", `lsn`, "read Connect offsets"},
		{"none", `{"offsets":[{"partition":{"server":"a"},"offset":null}]}`, "there is none"},
		{"several", two, "choose one with --server: a, b"},
		{"no lsn", `{"offsets":[{"partition":{"server":"a"},"offset":{}}]}`, "has no lsn"},
		{"no place in a binlog", `{"offsets":[{"partition":{"server":"a"},"offset":{"file":"x"}}]}`, "no place in a binlog"},
		{"xid out of range", `{"offsets":[{"partition":{"server":"a"},"offset":{"lsn":1,"txId":-1}}]}`, "out of range"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ParseConnect([]byte(test.text), ""); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	if o, err := ParseConnect([]byte(two), "b"); err != nil || o.LSN != 2 {
		t.Errorf("server b: %+v, %v", o, err)
	}
}

func TestConnectOffsetIsWrittenAsItIsRead(t *testing.T) {
	text, err := MarshalConnect("blog", 1<<63+5)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseConnect(text, "blog")
	want := ConnectOffset{Server: "blog", LSN: 1<<63 + 5, Processed: 1<<63 + 5, Committed: 1<<63 + 5, MessageType: "COMMIT", Changes: -1}
	if err != nil || *got != want {
		t.Errorf("%s: got %+v, %v", text, got, err)
	}
}

func FuzzParseConnect(f *testing.F) {
	f.Add([]byte(`{"offsets":[{"partition":{"server":"a"},"offset":{"lsn":1,"lsn_proc":1,"snapshot":true}}]}`))
	f.Add([]byte(`["outbox",{"server":"blog"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if o, err := ParseConnect(text, ""); err == nil && o == nil {
			t.Error("neither an offset nor an error")
		}
		connectKey(text)
	})
}
