package binlog

import (
	"encoding/json"
	"fmt"

	"outferry/outbox"
)

// The phases of a pipeline's life on MySQL and MariaDB, in order. Nothing has to be made on the server,
// so there is no intent.
const (
	phaseSnapshot = "snapshot" // rows that were in the table at the position are being published
	phaseStream   = "stream"   // everything before the position is published
	phaseDone     = "done"     // snapshot: initial_only has ended
)

// position is what outbox.Position holds for MySQL and MariaDB: what has been processed, as a GTID set
// or, where the server numbers nothing, as the place after the last transaction. A GTID set alone is no
// identity, hence the server and the anchor.
type position struct {
	Kind       kind           `json:"kind"`
	Phase      string         `json:"phase"`
	ServerUUID string         `json:"server_uuid"`         // server_uid on MariaDB
	ServerID   string         `json:"server_id,omitempty"` // MariaDB
	GTID       string         `json:"gtid,omitempty"`
	ByGTID     bool           `json:"by_gtid"` // an empty set is a position too
	File       string         `json:"file,omitempty"`
	Pos        uint64         `json:"pos,omitempty"`
	Behind     bool           `json:"behind,omitempty"` // MariaDB: behind the place may lie transactions of the set
	Began      uint32         `json:"began,omitempty"`  // MariaDB: when the server began the file
	Anchor     *anchor        `json:"anchor,omitempty"`
	Part       *part          `json:"part,omitempty"`
	Snapshot   *snapshotState `json:"snapshot,omitempty"`
	Layout     layouts        `json:"layout,omitempty"` // of the tables at the position, where the log doesn't tell all
	Tables     []string       `json:"tables,omitempty"` // of the file, then
	Ghosts     []ghosts       `json:"ghosts,omitempty"` // MySQL: of the set
	Logged     gtidList       `json:"logged,omitempty"` // MariaDB: what the log that was read had up to here
	Since      string         `json:"since,omitempty"`  // MariaDB: the set when that was first asked

	proven bool // that File and Pos are in the log that they were read from
}

// asksByGTID: MariaDB finds a number where it stands last, and numbers may come again there (gtid_strict_mode is off by
// default); MySQL begins with the last file that has nothing new before it, and passes by what has no number in those before.
// On the server that we read, the place is what the numbers mean.
func (p *position) asksByGTID() bool { return p.ByGTID && !p.proven }

// anchor is something that must still be true on the same server: it began File at Created, and the transaction
// GTID, of the time When, begins there at Pos. Without a GTID everything processed is in that file, before
// Pos, or in older ones. Numbers and file names come again after a reset, but not with their times. First is
// the time of its first change, which replicas keep, while their GTID event has another.
type anchor struct {
	GTID    string `json:"gtid,omitempty"`
	File    string `json:"file"`
	Pos     uint64 `json:"pos,omitempty"`
	Created uint32 `json:"created,omitempty"`
	When    uint32 `json:"when,omitempty"`
	First   uint32 `json:"first,omitempty"`
	Commit  int64  `json:"commit,omitempty"` // microseconds since 1970, by the clock of its first server
}

// part is the published beginning of the transaction after the position.
type part struct {
	GTID   string `json:"gtid,omitempty"`
	Rows   int64  `json:"rows"`             // in the log, those that were undone too
	Undone int64  `json:"undone,omitempty"` // of them, by ROLLBACK TO
}

// snapshotState is how far the snapshot has come.
type snapshotState struct {
	outbox.Begun
	Table int      `json:"table"` // index in Tables
	Order []string `json:"order"` // columns by which the table is read, with their types and collations
	Key   []string `json:"key"`   // of the last published row, as hexadecimal text; none before the first
	Rows  int64    `json:"rows"`
}

func parsePosition(p outbox.Position) (*position, error) {
	var pos position
	if err := p.Decode(&pos); err != nil {
		return nil, err
	}
	if pos.Kind != mysqlKind && pos.Kind != mariaKind {
		return nil, fmt.Errorf("read position: it is of kind %q, want mysql or mariadb", pos.Kind)
	}
	if !pos.ByGTID && (pos.File == "" || pos.Pos == 0) {
		return nil, fmt.Errorf("read position: it has neither a GTID set nor a place in a file")
	}
	if _, err := parseGTIDSet(pos.Kind, pos.GTID); err != nil {
		return nil, fmt.Errorf("read position: %w", err)
	}
	switch pos.Phase {
	case phaseSnapshot, phaseStream, phaseDone:
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

// mark differs where a restart would gain by a newer position: behind a new file the old one may be purged.
func (p *position) mark() string { return p.String() + " " + p.File }

// String is the short form for log lines.
func (p *position) String() string {
	if p.ByGTID {
		return p.GTID
	}
	return fmt.Sprintf("%s:%d", p.File, p.Pos)
}
