package offsets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

// ConnectOffset is where a Debezium connector stands, as Kafka Connect keeps it. LSN and what follows is of
// PostgreSQL, but for the two about a snapshot.
type ConnectOffset struct {
	Server       string      // the connector's topic.prefix
	Log          *ConnectLog // of MySQL or MariaDB; nil: it is of PostgreSQL
	LSN          uint64      // of the last message that was handled
	Processed    uint64      // lsn_proc; 0: none, a snapshot has just ended
	Committed    uint64      // lsn_commit, where the last whole transaction ends; 0: none seen
	MessageType  string      // INSERT, COMMIT, …; "" before Debezium 2.2
	XID          uint32      // of the transaction of LSN; 0: not said
	Changes      int64       // lsn_events_processed: changes handled at LSN; -1: not said
	Snapshot     bool        // a snapshot is unfinished
	SnapshotDone bool        // a snapshot has ended and nothing was streamed since
	At           time.Time
}

// connectList is the answer of GET /connectors/NAME/offsets, and the body of PATCH.
type connectList struct {
	Offsets []connectEntry `json:"offsets"`
}

type connectEntry struct {
	Partition struct {
		Server string `json:"server"`
	} `json:"partition"`
	Offset json.RawMessage `json:"offset"`
}

// connectValue has the fields of the offset that matter here.
type connectValue struct {
	LSN         *int64          `json:"lsn"`
	Proc        *int64          `json:"lsn_proc"`
	Commit      *int64          `json:"lsn_commit"`
	MessageType string          `json:"messageType"`
	TxID        *int64          `json:"txId"`
	Changes     *int64          `json:"lsn_events_processed"`
	Micros      int64           `json:"ts_usec"`
	Snapshot    json.RawMessage `json:"snapshot"`
	Completed   bool            `json:"snapshot_completed"`
	LastRecord  bool            `json:"last_snapshot_record"`
	connectLogValue
	Incremental *string `json:"incremental_snapshot_collections"`
}

// ParseConnect reads what GET /connectors/NAME/offsets answers. Server picks one of several partitions; "" is
// enough where there is one.
func ParseConnect(text []byte, server string) (*ConnectOffset, error) {
	var list connectList
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("read Connect offsets: %w", err)
	}
	var found []*ConnectOffset
	for _, e := range list.Offsets {
		if server != "" && e.Partition.Server != server || len(e.Offset) == 0 || string(e.Offset) == "null" {
			continue
		}
		o, err := parseConnectValue(e.Partition.Server, e.Offset)
		if err != nil {
			return nil, err
		}
		found = append(found, o)
	}
	return theOne(found)
}

// theOne refuses to guess.
func theOne(found []*ConnectOffset) (*ConnectOffset, error) {
	switch len(found) {
	case 0:
		return nil, errors.New(`read Connect offsets: there is none; want {"offsets":[{"partition":{"server":…},"offset":{"lsn":…}}]}`)
	case 1:
		return found[0], nil
	}
	var names []string
	for _, o := range found {
		names = append(names, o.Server)
	}
	return nil, fmt.Errorf("read Connect offsets: there are several, choose one with --server: %s", strings.Join(names, ", "))
}

func parseConnectValue(server string, text []byte) (*ConnectOffset, error) {
	var v connectValue
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("read Connect offset of server %s: %w", server, err)
	}
	switch {
	case v.File != nil:
		return v.binlog(server)
	case v.LSN == nil:
		return nil, fmt.Errorf("read Connect offset of server %s: it has no lsn", server)
	case v.TxID != nil && (*v.TxID < 0 || *v.TxID > math.MaxUint32):
		return nil, fmt.Errorf("read Connect offset of server %s: txId %d is out of range", server, *v.TxID)
	}
	o := &ConnectOffset{Server: server, LSN: unsigned(v.LSN), Processed: unsigned(v.Proc), Committed: unsigned(v.Commit), MessageType: v.MessageType, Changes: -1}
	if v.TxID != nil {
		o.XID = uint32(*v.TxID)
	}
	if v.Changes != nil {
		o.Changes = *v.Changes
	}
	if v.Micros > 0 {
		o.At = time.UnixMicro(v.Micros).UTC()
	}
	o.SnapshotDone = v.Completed || v.LastRecord
	o.Snapshot = v.Incremental != nil || v.unfinished()
	return o, nil
}

// unfinished: until version 3.0 the flag is true and only the last record's mark says that it is over.
func (v *connectValue) unfinished() bool {
	flagged := len(v.Snapshot) > 0 && string(v.Snapshot) != "null" && string(v.Snapshot) != "false"
	return flagged && !v.Completed && !v.LastRecord
}

// unsigned turns Java's signed 64 bits into an LSN.
func unsigned(n *int64) uint64 {
	if n == nil {
		return 0
	}
	return uint64(*n)
}

// MarshalConnect returns the body of PATCH /connectors/NAME/offsets for a connector that shall go on behind the
// transaction that ends at lsn. The connector must be stopped while it is written.
func MarshalConnect(server string, lsn uint64) ([]byte, error) {
	return marshalConnect(server, struct {
		LSN         int64  `json:"lsn"`
		Proc        int64  `json:"lsn_proc"`
		Commit      int64  `json:"lsn_commit"`
		MessageType string `json:"messageType"`
	}{int64(lsn), int64(lsn), int64(lsn), "COMMIT"})
}

func marshalConnect(server string, offset any) ([]byte, error) {
	if server == "" {
		return nil, errors.New("write Connect offset: the connector's topic.prefix is missing")
	}
	value, err := json.Marshal(offset)
	if err != nil {
		return nil, err
	}
	list := connectList{Offsets: make([]connectEntry, 1)}
	list.Offsets[0].Partition.Server = server
	list.Offsets[0].Offset = value
	return json.Marshal(list)
}

// connectKey takes the key of an offset record apart: ["connector",{"server":"prefix"}].
func connectKey(key []byte) (connector, server string, ok bool) {
	var pair []json.RawMessage
	if json.Unmarshal(key, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &connector) != nil {
		return "", "", false
	}
	var partition struct {
		Server string `json:"server"`
	}
	d := json.NewDecoder(bytes.NewReader(pair[1]))
	if d.Decode(&partition) != nil {
		return "", "", false
	}
	return connector, partition.Server, true
}
