package walstream

import (
	"context"
	"fmt"
	"regexp"

	"github.com/hashicorp/go-hclog"
	"github.com/jackc/pglogrepl"

	"outferry/configs"
	"outferry/outbox"
)

// LSN is a place in the WAL. It prints, and is marshalled, as the server writes it: 0/16B3748.
type LSN = lsn

var lsnForm = regexp.MustCompile(`^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$`)

// ParseLSN reads an LSN that a person typed, and nothing that only begins like one.
func ParseLSN(text string) (LSN, error) {
	var at LSN
	if !lsnForm.MatchString(text) {
		return 0, fmt.Errorf("read LSN %q: want two hexadecimal numbers, as in 0/16B3748", text)
	}
	return at, at.UnmarshalText([]byte(text))
}

// Place is what a position says, for those who show or compare it.
type Place struct {
	Phase    string // intent, snapshot, stream, done
	SystemID string
	Timeline int32
	Database string
	Slot     string
	LSN      LSN    // zero in phase intent
	XID      uint32 // of a transaction that is published in part; 0: none is
	Rows     int64  // published of that transaction, or of the snapshot
}

// ParsePlace reads a position.
func ParsePlace(pos outbox.Position) (Place, error) {
	p, err := parsePosition(pos)
	if err != nil {
		return Place{}, err
	}
	at := Place{Phase: p.Phase, SystemID: p.SystemID, Timeline: p.Timeline, Database: p.Database, Slot: p.Slot, LSN: p.LSN}
	if p.Part != nil {
		at.XID, at.Rows = p.Part.XID, p.Part.Rows
	}
	if p.Snapshot != nil {
		at.Rows = p.Snapshot.Rows
	}
	return at, nil
}

// Streaming reports whether the place compares with a place in the log: everything before it is published.
func (p Place) Streaming() bool { return p.Phase == phaseStream }

// Snapshotting reports whether rows that were in the tables are still being published.
func (p Place) Snapshotting() bool { return p.Phase == phaseIntent || p.Phase == phaseSnapshot }

// Admin is a pipeline's side of the database as commands see it: they look, and while nobody streams they
// make and drop what a pipeline has there. Nothing is read from the slot for good.
type Admin struct{ h *session }

// OpenAdmin connects to the database of a pipeline.
func OpenAdmin(ctx context.Context, cfg *configs.Pipeline, log hclog.Logger) (*Admin, error) {
	as := *cfg
	as.Name += " (command)" // of the connections only: Holders looks for those of the pipeline itself
	h := &session{Source: New(&as, log, Options{}), watching: true}
	if err := h.open(ctx); err != nil {
		h.close()
		return nil, err
	}
	return &Admin{h: h}, nil
}

// Close drops the connections.
func (a *Admin) Close() { a.h.close() }

// SystemID is the server's.
func (a *Admin) SystemID() string { return a.h.sys.SystemID }

// At is the position of a pipeline that has published everything committed before at.
func (a *Admin) At(at LSN) outbox.Position {
	p := a.h.identity(phaseStream)
	p.LSN = at
	return p.appendTo(nil)
}

// Stand is a position from elsewhere at which a start would go on. It knows the publication as it is now, so that a later change
// of it is noticed, and the tables that the former position knows, whose rows may yet come under other names.
func (a *Admin) Stand(ctx context.Context, former, pos outbox.Position) (outbox.Position, error) {
	if _, err := a.Continue(ctx, pos); err != nil {
		return nil, err
	}
	p, err := parsePosition(pos)
	if err != nil || p.Published != nil {
		return pos, err
	}
	p.Published = a.h.published
	if was, err := parsePosition(former); err == nil && was.Phase == phaseStream && was.SystemID == p.SystemID && was.Database == p.Database {
		p.Tables = was.Tables
	}
	return p.appendTo(nil), nil
}

// End returns where the server's durable WAL ends now.
func (a *Admin) End(ctx context.Context) (LSN, error) {
	sys, err := pglogrepl.IdentifySystem(ctx, a.h.rep)
	if err != nil {
		return 0, transient("pg.connection", "ask for the end of the WAL: %w", plain(err))
	}
	a.h.sys = sys
	return LSN(sys.XLogPos), nil
}

// Continue proves that a pipeline would go on at pos, as a start would, and returns where; or it returns the
// fault that the start would stop with. It changes nothing.
func (a *Admin) Continue(ctx context.Context, pos outbox.Position) (LSN, error) {
	if _, err := a.End(ctx); err != nil {
		return 0, err
	}
	if pos.IsZero() {
		return 0, a.firstStart(ctx)
	}
	p, err := parsePosition(pos)
	if err != nil {
		return 0, lost("kafka.offset_invalid", "set it with outferry offsets set", err)
	}
	if p.Phase == phaseIntent {
		return 0, a.continueIntent(ctx, p)
	}
	if p, err = a.h.prove(ctx, p); err != nil {
		return 0, err
	}
	return p.LSN, nil
}

// firstStart is the proof for no position at all.
func (a *Admin) firstStart(ctx context.Context) error {
	slot, err := a.h.slotState(ctx, a.h.ask, a.h.version)
	if err != nil || slot == nil {
		return err
	}
	_, err = a.h.adopt(slot)
	return err
}

// continueIntent is the proof for a first start that was cut off.
func (a *Admin) continueIntent(ctx context.Context, p *position) error {
	if err := a.h.proveIdentity(p); err != nil {
		return err
	}
	slot, err := a.h.slotState(ctx, a.h.ask, a.h.version)
	if err != nil || slot == nil {
		return err
	}
	return a.h.proveIntent(ctx, p, slot)
}

// Holders returns who reads the slot or is connected as the pipeline, a snapshot included, during which nobody
// reads the slot.
func (a *Admin) Holders(ctx context.Context) ([]string, error) {
	rows, err := a.h.ask(ctx, fmt.Sprintf(`SELECT pid, coalesce(nullif(application_name, ''), usename, '?'), coalesce(host(client_addr), 'a local socket')
		FROM pg_stat_activity WHERE pid NOT IN (%d, %d) AND (datname = current_database() AND application_name = %s
		OR pid = (SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s)) ORDER BY pid`,
		a.h.rep.PID(), a.h.cat.PID(), quoteLiteral("outferry-"+a.pipeline()), quoteLiteral(a.h.cfg.Source.Postgres.Slot)))
	if err != nil {
		return nil, transient("pg.connection", "look who is connected: %w", plain(err))
	}
	who := []string{}
	for _, r := range rows {
		who = append(who, fmt.Sprintf("%s from %s (pid %s on the server)", r[1], r[2], r[0]))
	}
	return who, nil
}

func (a *Admin) pipeline() string { return a.h.cfg.Name[:len(a.h.cfg.Name)-len(" (command)")] }
