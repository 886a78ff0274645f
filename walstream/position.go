package walstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pglogrepl"

	"outferry/outbox"
)

// The phases of a pipeline's life on PostgreSQL, in order.
const (
	phaseIntent   = "intent"   // the slot is about to be made by us
	phaseSnapshot = "snapshot" // rows that were in the table at LSN are being published
	phaseStream   = "stream"   // everything before LSN is published
	phaseDone     = "done"     // snapshot: initial_only has ended
)

// position is what outbox.Position holds for PostgreSQL. LSN is always the *end* of a transaction: its
// commit LSN would bring the transaction again.
type position struct {
	Kind     string         `json:"kind"` // postgres
	Phase    string         `json:"phase"`
	SystemID string         `json:"system_id"`
	Timeline int32          `json:"timeline"`
	Database string         `json:"database"`
	Slot     string         `json:"slot"`
	LSN      lsn            `json:"lsn"`
	Part     *part          `json:"part,omitempty"`
	Anchor   *anchor        `json:"anchor,omitempty"`
	Snapshot *snapshotState `json:"snapshot,omitempty"`

	Published published `json:"published,omitempty"` // where the publication's catalog rows stood
	Tables    tables    `json:"tables,omitempty"`    // ours there in the log
}

// tables are the OIDs of those that had a name, schema.name, the newest last: a row of an older one may yet come under another name.
type tables map[string][]uint32

const mostTables = 16 // of a name

// UnmarshalJSON takes the one number of older versions too.
func (t *tables) UnmarshalJSON(text []byte) error {
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(text, &lists); err != nil {
		return err
	}
	*t = tables{}
	for name, list := range lists {
		if !bytes.HasPrefix(list, []byte("[")) {
			list = fmt.Appendf(nil, "[%s]", list)
		}
		var oids []uint32
		if err := json.Unmarshal(list, &oids); err != nil {
			return err
		}
		(*t)[name] = oids
	}
	return nil
}

// take notes that a table has a name.
func (t tables) take(name string, oid uint32) {
	all := slices.DeleteFunc(slices.Clone(t[name]), func(o uint32) bool { return o == oid })
	t[name] = append(all[max(len(all)-mostTables+1, 0):], oid)
}

// WayOn is the flag of outferry offsets set for a position, beyond the open transaction where it is inside one; "" where
// there is none.
func WayOn(pos outbox.Position) string {
	p, err := parsePosition(pos)
	if err != nil || p.Phase != phaseStream {
		return ""
	}
	if p.Part != nil {
		return "--lsn " + p.Part.FinalLSN.behind().String()
	}
	return "--lsn " + p.LSN.String()
}

// behind is a place that passes by the transaction with such a commit record, and no other: where that ends is not known
// before it is read, and the server goes by where it begins.
func (l lsn) behind() lsn { return l + 1 }

// part is the published beginning of the transaction that follows LSN.
type part struct {
	XID      uint32 `json:"xid"`
	FinalLSN lsn    `json:"final_lsn"` // of its commit record, as BEGIN says it
	Rows     int64  `json:"rows"`
}

// anchor is the newest transaction before LSN that brought rows of ours. A log that goes on at LSN has it, and none behind it.
type anchor struct {
	XID      uint32 `json:"xid"`
	FinalLSN lsn    `json:"final_lsn"`
	Commit   int64  `json:"commit"` // microseconds since 1970
}

// snapshotState is how far the snapshot has come.
type snapshotState struct {
	outbox.Begun
	Table int      `json:"table"` // index in Tables
	Order []string `json:"order"` // columns by which the table is read, with their types
	Key   []string `json:"key"`   // of the last published row, in that order
	Rows  int64    `json:"rows"`
}

// lsn is a log sequence number in the server's own text, 0/16B3748.
type lsn uint64

func (l lsn) String() string               { return pglogrepl.LSN(l).String() }
func (l lsn) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

func (l *lsn) UnmarshalText(text []byte) error {
	v, err := pglogrepl.ParseLSN(string(text))
	*l = lsn(v)
	return err
}

func parsePosition(p outbox.Position) (*position, error) {
	var pos position
	if err := p.Decode(&pos); err != nil {
		return nil, err
	}
	if pos.Kind != "postgres" {
		return nil, fmt.Errorf("read position: it is of kind %q, want postgres", pos.Kind)
	}
	switch pos.Phase {
	case phaseIntent, phaseSnapshot, phaseStream, phaseDone:
		return &pos, nil
	}
	return nil, fmt.Errorf("read position: phase %q is unknown", pos.Phase)
}

// appendTo appends the position's JSON to dst.
func (p *position) appendTo(dst outbox.Position) outbox.Position {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return append(dst, text...)
}
