package walstream

import (
	"context"
	"fmt"

	"outferry/outbox"
)

// Slot is what the server says about a pipeline's slot.
type Slot struct {
	Name        string `json:"name"`
	Exists      bool   `json:"exists"`
	ActivePID   int64  `json:"active_pid"` // 0: nobody reads it
	Confirmed   LSN    `json:"confirmed_flush_lsn"`
	Restart     LSN    `json:"restart_lsn"`
	WALStatus   string `json:"wal_status"`
	Invalidated string `json:"invalidation_reason,omitempty"`
	Retained    int64  `json:"retained_bytes"` // WAL that the server keeps for it
	Safe        int64  `json:"safe_wal_bytes"` // that may still be written before it is lost; -1: no limit
	Fault       error  `json:"-"`              // what makes it useless
}

// Slot looks at the pipeline's slot.
func (a *Admin) Slot(ctx context.Context) (Slot, error) {
	out := Slot{Name: a.h.cfg.Source.Postgres.Slot}
	s, err := a.h.slotState(ctx, a.h.ask, a.h.version)
	if err != nil || s == nil {
		return out, err
	}
	out.Exists, out.ActivePID, out.Confirmed, out.Restart = true, s.activePID, s.confirmed, s.restart
	out.WALStatus, out.Invalidated, out.Retained, out.Safe = s.walStatus, s.invalidated, s.retained, s.safe
	out.Fault = a.h.usable(s)
	return out, nil
}

// HasPublication reports whether the publication exists.
func (a *Admin) HasPublication(ctx context.Context) (bool, error) {
	state, err := a.h.publicationState(ctx, a.h.ask, a.h.version)
	return state != nil, err
}

// EnsurePublication makes the publication where it is missing and the file allows it, and checks that it covers
// the tables. A slot can't read what was written before its publication came into being.
func (a *Admin) EnsurePublication(ctx context.Context) error {
	a.h.watching = false
	defer func() { a.h.watching = true }()
	return a.h.ensurePublication(ctx)
}

// MayCreate is nil where the file lets us make slots and publications.
func (a *Admin) MayCreate() error {
	pg := &a.h.cfg.Source.Postgres
	if pg.Create {
		return nil
	}
	return environment("pg.slot_missing", fmt.Sprintf("run as a role with REPLICATION: SELECT pg_create_logical_replication_slot(%s, 'pgoutput'), after dropping one that is lost; then try again", quoteLiteral(pg.Slot)),
		"slot %s can't be made anew: source.postgres.create is false", pg.Slot)
}

// CreateSlot makes the publication, if it is missing, and the slot, and returns the place where that begins.
func (a *Admin) CreateSlot(ctx context.Context) (LSN, error) {
	if err := a.MayCreate(); err != nil {
		return 0, err
	}
	if err := a.EnsurePublication(ctx); err != nil {
		return 0, err
	}
	pos, err := a.h.createSlot(ctx)
	if err != nil {
		return 0, err
	}
	return pos.LSN, nil
}

// DropSlot takes the slot away and reports whether there was one.
func (a *Admin) DropSlot(ctx context.Context) (bool, error) {
	name := a.h.cfg.Source.Postgres.Slot
	err := exec(ctx, a.h.cat, "SELECT pg_drop_replication_slot("+quoteLiteral(name)+")")
	switch code := sqlState(err); {
	case err == nil:
		return true, nil
	case passes(err):
		return false, transient("pg.connection", "drop slot %s: %w", name, plain(err))
	case code == "42704":
		return false, nil
	case code == "55006":
		return false, &outbox.Fault{Code: "pg.slot_busy", Class: outbox.Busy, Err: fmt.Errorf("drop slot %s: %w", name, plain(err))}
	}
	return false, environment("pg.permission", "run as a role with REPLICATION: SELECT pg_drop_replication_slot("+quoteLiteral(name)+")",
		"drop slot %s: %w", name, plain(err))
}

// DropPublication takes the publication away and reports whether there was one.
func (a *Admin) DropPublication(ctx context.Context) (bool, error) {
	name := a.h.cfg.Source.Postgres.Publication
	sql := "DROP PUBLICATION " + quoteIdent(name)
	err := exec(ctx, a.h.cat, sql)
	switch code := sqlState(err); {
	case err == nil:
		return true, nil
	case passes(err):
		return false, transient("pg.connection", "drop publication %s: %w", name, plain(err))
	case code == "42704":
		return false, nil
	}
	return false, environment("pg.permission", "run as its owner: "+sql, "drop publication %s: %w", name, plain(err))
}
