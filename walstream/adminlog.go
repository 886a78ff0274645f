package walstream

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"outferry/outbox"
)

// Traffic is what a part of the log holds of the pipeline's tables.
type Traffic struct {
	Rows         int64
	Transactions int64
	First, Last  time.Time // commits
}

// Traffic counts what was committed from one place up to another, as the slot would bring it. The position knows the tables that
// have other names there.
func (a *Admin) Traffic(ctx context.Context, pos outbox.Position, from, to LSN) (Traffic, error) {
	var t Traffic
	counted := false
	var known tables
	if p, err := parsePosition(pos); err == nil && p.SystemID == a.SystemID() {
		known = p.Tables
	}
	err := a.walk(ctx, known, to, 0, func(m logMessage) bool {
		if m.tx.final < from || m.tx.final >= to {
			return true
		}
		switch m.kind {
		case msgBegin:
			counted = false
		case msgInsert:
			t.Rows++
			if counted {
				break
			}
			counted = true
			t.Transactions++
			t.Last = time.UnixMicro(m.tx.commit).UTC()
			if t.First.IsZero() {
				t.First = t.Last
			}
		}
		return true
	})
	return t, err
}

// logMessage is one message of the slot's log: of BEGIN, COMMIT, and changes of our tables.
type logMessage struct {
	kind byte
	at   lsn // of the change
	tx   beginMessage
	end  lsn // of the transaction, with COMMIT
}

const (
	headBytes   = 160 // of each message: enough for a relation's names, without any payload
	walkTimeout = 15 * time.Second
)

// walk reads what the slot holds up to a place (zero: to the end) without taking it. Changes bounds the
// reading at the end of a transaction; zero doesn't. It ends early when f returns false.
func (a *Admin) walk(ctx context.Context, known tables, upto lsn, changes int, f func(logMessage) bool) error {
	c, err := a.h.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(context.WithoutCancel(ctx)) }()
	if err := exec(ctx, c, fmt.Sprintf("SET statement_timeout = %d", walkTimeout.Milliseconds())); err != nil {
		return transient("pg.connection", "read the log of slot %s: %w", a.h.cfg.Source.Postgres.Slot, plain(err))
	}
	w := walker{admin: a, visit: f, ours: map[uint32]bool{}}
	for _, oids := range known {
		for _, oid := range oids {
			w.ours[oid] = true
		}
	}
	err = eachRow(ctx, c, a.peekSQL(upto, changes), w.row)
	if err != nil && err != errEnough {
		return fmt.Errorf("read the log of slot %s: %w", a.h.cfg.Source.Postgres.Slot, plain(err))
	}
	return nil
}

func (a *Admin) peekSQL(upto lsn, changes int) string {
	until, limit := "NULL", "NULL"
	if upto > 0 {
		until = quoteLiteral(upto.String())
	}
	if changes > 0 {
		limit = fmt.Sprint(changes)
	}
	pg := &a.h.cfg.Source.Postgres
	return fmt.Sprintf(`SELECT lsn, encode(substr(data, 1, %d), 'hex') FROM
		pg_logical_slot_peek_binary_changes(%s, %s, %s, 'proto_version', '1', 'publication_names', %s)`,
		headBytes, quoteLiteral(pg.Slot), until, limit, quoteLiteral(quoteIdent(pg.Publication)))
}

var errEnough = fmt.Errorf("enough is read")

// walker turns rows of a peek into messages.
type walker struct {
	admin *Admin
	visit func(logMessage) bool
	ours  map[uint32]bool
	tx    beginMessage
}

func (w *walker) row(values [][]byte) error {
	m := logMessage{}
	if err := m.at.UnmarshalText(values[0]); err != nil {
		return err
	}
	data, err := hex.DecodeString(string(values[1]))
	if err != nil || len(data) == 0 {
		return errShort
	}
	d := decoder{data: data[1:]}
	known, err := w.read(&m, data[0], &d)
	if err == nil && known && !w.visit(m) {
		return errEnough
	}
	return err
}

// read fills m; false for a message that says nothing about our tables.
func (w *walker) read(m *logMessage, kind byte, d *decoder) (_ bool, err error) {
	m.kind = kind
	switch kind {
	case msgBegin:
		w.tx, err = decodeBegin(d)
	case msgCommit:
		var c commitMessage
		c, err = decodeCommit(d)
		m.end = c.end
	case msgRelation:
		oid, name := d.uint32(), tableName{d.text(), d.text()}
		w.ours[oid] = w.ours[oid] || w.admin.ours(name)
		return false, d.err()
	case msgInsert, msgUpdate:
		if !w.ours[d.uint32()] {
			return false, d.err()
		}
	default:
		return false, nil
	}
	m.tx = w.tx
	return true, err
}

func (a *Admin) ours(name tableName) bool {
	for _, text := range a.h.cfg.Source.Tables {
		if parseTable(text) == name {
			return true
		}
	}
	return false
}

// Handled is how far somebody else has come who publishes from the same slot: the change at LSN of a
// transaction, and everything before it.
type Handled struct {
	LSN       LSN
	Committed LSN    // transactions that end here or earlier are published; 0: unknown
	XID       uint32 // of the transaction that LSN is in
	Processed int64  // changes published that have this very LSN; -1: unknown
}

// Locate looks the transaction up in the slot's log and returns the position after what was handled: its end,
// or a place inside it. What can't be proven is a fault.
func (a *Admin) Locate(ctx context.Context, done Handled) (outbox.Position, error) {
	for _, changes := range []int{20000, 0} { // nearly always it is the first in the log
		l := locator{Handled: done}
		if err := a.walk(ctx, nil, 0, changes, l.visit); err != nil {
			return nil, lost("connect.position_unproven", unprovenRemedy, err)
		}
		if l.found {
			return a.located(&l)
		}
	}
	return nil, lost("connect.position_unproven", unprovenRemedy,
		fmt.Errorf("find transaction %d, whose change at %s was published last: slot %s does not bring it any more", done.XID, done.LSN, a.h.cfg.Source.Postgres.Slot))
}

const unprovenRemedy = "let the connector see one more commit (heartbeat.interval.ms with heartbeat.action.query), stop it and try again; or set the position with outferry offsets set NAME --from-slot"

// locator counts the rows of one transaction before, at and after the change that was handled last.
type locator struct {
	Handled
	found             bool
	tx                beginMessage
	end               lsn
	before, at, after int64
}

func (l *locator) visit(m logMessage) bool {
	if m.tx.xid != l.XID {
		return true
	}
	switch m.kind {
	case msgCommit:
		l.found, l.tx, l.end = true, m.tx, m.end
		return false
	case msgInsert, msgUpdate:
		switch {
		case m.at < l.LSN:
			l.before++
		case m.at == l.LSN:
			l.at++
		default:
			l.after++
		}
	}
	return true
}

func (a *Admin) located(l *locator) (outbox.Position, error) {
	if l.end <= l.Committed { // it is one of those known to be whole
		return a.At(l.Committed), nil
	}
	if l.at > 1 && l.Processed < l.at {
		return nil, lost("connect.position_unproven", unprovenRemedy,
			fmt.Errorf("continue inside transaction %d at %s: %d rows share this LSN, and how many of them were published is unknown", l.XID, l.LSN, l.at))
	}
	if l.after == 0 {
		return a.At(l.end), nil
	}
	p := a.h.identity(phaseStream)
	p.LSN = l.tx.final // whatever committed before this transaction did so before its commit record
	if rows := l.before + l.at; rows > 0 {
		p.Part = &part{XID: l.XID, FinalLSN: l.tx.final, Rows: rows}
	}
	return p.appendTo(nil), nil
}
