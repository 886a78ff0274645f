package offsets

import (
	"fmt"
	"strings"
	"time"
)

// ConnectLog is where Debezium's connector for MySQL or MariaDB stands in the binlog. Outside of a transaction
// that is the end of the last one. Inside, File and Pos are where the transaction begins, GTIDs are without it,
// and Events and Rows say how much of it was handled.
type ConnectLog struct {
	File   string
	Pos    uint64
	GTIDs  string
	Events int64
	Rows   int64
}

// Inside reports whether the last transaction may not have been handled whole.
func (l *ConnectLog) Inside() bool { return l.Events > 0 || l.Rows > 0 }

// Database names what the offset is of.
func (o *ConnectOffset) Database() string {
	if o.Log != nil {
		return "MySQL or MariaDB"
	}
	return "PostgreSQL"
}

type connectLogValue struct {
	File    *string `json:"file"`
	Pos     int64   `json:"pos"`
	GTIDs   *string `json:"gtids"`
	Event   int64   `json:"event"`
	Row     int64   `json:"row"`
	Seconds int64   `json:"ts_sec"`
}

func (v *connectValue) binlog(server string) (*ConnectOffset, error) {
	if *v.File == "" || v.Pos <= 0 || v.Event < 0 || v.Row < 0 {
		return nil, fmt.Errorf("read Connect offset of server %s: file %q, pos %d, event %d and row %d are no place in a binlog", server, *v.File, v.Pos, v.Event, v.Row)
	}
	o := &ConnectOffset{Server: server, Log: &ConnectLog{File: *v.File, Pos: uint64(v.Pos), Events: v.Event, Rows: v.Row}}
	if v.GTIDs != nil {
		o.Log.GTIDs = strings.Join(strings.Fields(*v.GTIDs), "")
	}
	if v.Seconds > 0 {
		o.At = time.Unix(v.Seconds, 0).UTC()
	}
	o.SnapshotDone = v.Completed || v.LastRecord
	o.Snapshot = v.Incremental != nil || v.unfinished()
	return o, nil
}

// MarshalConnectLog returns the body of PATCH /connectors/NAME/offsets for a connector that shall go on at the end of
// a transaction, at a place in the log. GTIDs include the transaction; "" where the server has none. The connector
// must be stopped while it is written.
func MarshalConnectLog(server, file string, pos uint64, gtids string) ([]byte, error) {
	return marshalConnect(server, struct {
		File  string `json:"file"`
		Pos   uint64 `json:"pos"`
		GTIDs string `json:"gtids,omitempty"`
	}{file, pos, gtids})
}
