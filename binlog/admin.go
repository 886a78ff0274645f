package binlog

import (
	"context"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"outferry/configs"
	"outferry/outbox"
)

// Place is what a position says, for those who show or compare it.
type Place struct {
	Phase  string // snapshot, stream, done
	Server string // its UUID
	GTID   string
	ByGTID bool // an empty set is a place too
	File   string
	Pos    uint64
	Inside bool   // a transaction is published in part
	Part   string // its GTID, where it has one
	Rows   int64  // published of that transaction, or of the snapshot
}

// ParsePlace reads a position.
func ParsePlace(pos outbox.Position) (Place, error) {
	p, err := parsePosition(pos)
	if err != nil {
		return Place{}, err
	}
	at := Place{Phase: p.Phase, Server: p.ServerUUID, GTID: p.GTID, ByGTID: p.ByGTID, File: p.File, Pos: p.Pos}
	if p.Part != nil {
		at.Inside, at.Part, at.Rows = true, p.Part.GTID, p.Part.Rows
	}
	if p.Snapshot != nil {
		at.Rows = p.Snapshot.Rows
	}
	return at, nil
}

// Streaming reports whether everything before the place is published.
func (p Place) Streaming() bool { return p.Phase == phaseStream }

// Snapshotting reports whether rows that were in the tables are still being published.
func (p Place) Snapshotting() bool { return p.Phase == phaseSnapshot }

func (p Place) String() string {
	switch {
	case !p.ByGTID:
		return fmt.Sprintf("%s:%d", p.File, p.Pos)
	case p.GTID == "":
		return "the empty GTID set"
	}
	return p.GTID
}

// Admin is a pipeline's side of the server as commands see it. It only looks: a pipeline leaves nothing there.
type Admin struct {
	h      *session
	ctx    context.Context
	unhook func() bool
}

// OpenAdmin connects to the server of a pipeline. The connection ends with ctx.
func OpenAdmin(ctx context.Context, cfg *configs.Pipeline, log hclog.Logger) (*Admin, error) {
	h := &session{Source: New(cfg, log, Options{})}
	var err error
	if h.cat, err = h.connect(ctx); err != nil {
		return nil, err
	}
	a := &Admin{h: h, ctx: ctx, unhook: closing(ctx, h.cat)}
	if h.srv, err = askServer(h.cat); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

// Close drops the connection.
func (a *Admin) Close() {
	a.unhook()
	a.h.close()
}

// Continue proves that a pipeline would go on at pos, as a start would, or returns the fault that the start would
// stop with. That a file without GTIDs is still the same file shows only when it is read.
func (a *Admin) Continue(pos outbox.Position) error {
	if err := a.h.preflight(a.ctx, a.h.cat, a.h.srv); err != nil || pos.IsZero() {
		return err
	}
	p, err := parsePosition(pos)
	if err != nil {
		return lost("kafka.offset_invalid", "set it with outferry offsets set", "%w", err)
	}
	return a.h.prove(p)
}

// Holders returns who reads the log under the pipeline's replica number: a connection that holds its lock, or a
// replica that is registered.
func (a *Admin) Holders(context.Context) ([]string, error) {
	who := []string{}
	r, err := queryOne(a.h.cat, "SELECT COALESCE(IS_USED_LOCK("+quoteText(a.h.lockName())+"), 0)")
	if err != nil {
		return nil, transient("mysql.connection", "look for who reads the log: %w", err)
	}
	if id := r.int(0); id != 0 {
		who = append(who, a.connection(id))
	}
	rows, err := query(a.h.cat, replicasSQL(a.h.srv))
	if err != nil {
		return who, nil // the account may not ask: the lock is what counts
	}
	for _, r := range rows {
		if r.int(0) == int64(a.h.set.serverID) {
			who = append(who, fmt.Sprintf("replica %q, registered under server id %d", r[1], a.h.set.serverID))
		}
	}
	return who, nil
}

// connection describes one by what the account may see of it.
func (a *Admin) connection(id int64) string {
	r, err := queryOne(a.h.cat, fmt.Sprintf("SELECT USER, HOST FROM information_schema.PROCESSLIST WHERE ID = %d", id))
	if err != nil {
		return fmt.Sprintf("connection %d of the server", id)
	}
	return fmt.Sprintf("%s from %s (connection %d of the server)", r[0], r[1], id)
}

// Log is where the server's log begins and ends.
type Log struct {
	Version string `json:"version"`
	Server  string `json:"server_uuid"`
	File    string `json:"file"`
	Pos     uint64 `json:"pos"`
	Oldest  string `json:"oldest_file"`
	GTID    string `json:"gtid_executed,omitempty"` // gtid_binlog_pos on MariaDB
	Purged  string `json:"gtid_purged,omitempty"`   // what the files before the oldest held
}

// Log looks at the server's log.
func (a *Admin) Log() (*Log, error) {
	end, err := logStatus(a.h.cat, a.h.srv)
	if err != nil {
		return nil, a.h.denied(err, a.h.srv)
	}
	files, err := a.h.logFiles()
	if err != nil {
		return nil, err
	}
	l := &Log{Version: a.h.srv.version, Server: a.h.srv.uuid, File: end.file, Pos: end.pos, Oldest: files[0].file}
	if !a.h.srv.byGTID() {
		return l, nil
	}
	executed, purged, err := a.sets()
	if err != nil {
		return nil, err
	}
	l.GTID, l.Purged = executed.String(), purged.String()
	return l, nil
}

// Lag is how far a place is behind the end of the log: a GTID set in transactions of the whole server, a place in a
// file in bytes. What can't be told is nil.
func (a *Admin) Lag(at Place) (bytes, transactions *int64, err error) {
	if at.Server != a.h.srv.uuid {
		return nil, nil, nil
	}
	if !at.ByGTID {
		files, err := a.h.logFiles()
		if err != nil || indexOf(files, at.File) < 0 {
			return nil, nil, err
		}
		n := bytesBehind(files, place{at.File, at.Pos})
		return &n, nil, nil
	}
	if !a.h.srv.byGTID() {
		return nil, nil, nil
	}
	ours, err := parseGTIDSet(a.h.srv.kind, at.GTID)
	if err != nil {
		return nil, nil, err
	}
	executed, _, err := a.sets()
	if err != nil {
		return nil, nil, err
	}
	n := between(executed, ours).count
	return nil, &n, nil
}
