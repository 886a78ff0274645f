package binlog

import (
	"errors"
	"fmt"
	"slices"

	"outferry/outbox"
)

// beyond is how far the log is processed when rows that can't be published are passed by.
type beyond struct {
	set  gtidSet
	last place // where its last transaction begins
}

// passable are the faults of rows that the log has and nobody can publish.
var passable = []string{"mysql.incident", "mysql.names_unknown", "mysql.row_image", "mysql.statement_format", "mysql.xa_unsupported", "mysql.rollback_logged", "row.too_large"}

// readAgain is for a transaction that is not the one that was published in part.
const readAgain = "compare its rows with Kafka; then publish what the log has from there on, as a whole"

// nameWayOn adds the command that passes by what a fault is about, or reads it again.
func (st *stream) nameWayOn(f *outbox.Fault) {
	set := "outferry offsets set " + st.cfg.Name + " "
	switch {
	case f.Code == "mysql.part_mismatch" && (!st.asm.byGTID || st.pos.proven && st.pos.Kind == mariaKind):
		f.Remedy += fmt.Sprintf(": %s--file %s --pos %d", set, st.pos.File, st.pos.Pos)
	case f.Code == "mysql.part_mismatch" && !st.asm.seenSet().isEmpty():
		f.Remedy += ": " + set + "--gtid " + st.asm.seenSet().String()
	case f.Code == "mysql.part_mismatch":
		f.Remedy = "start over with outferry offsets reset " + st.cfg.Name
	case slices.Contains(passable, f.Code):
		if flags := st.wayOn(); flags != "" {
			f.Remedy += "; or pass by, for good, what can't be published: " + set + flags + " --accept-gap"
		}
	}
}

// WayOn is the flags of outferry offsets set for a position, beyond the open transaction where it is inside one; "" where
// that can't be said. On MariaDB a place is better than numbers, which may have been used again.
func WayOn(pos outbox.Position) string {
	p, err := parsePosition(pos)
	switch {
	case err != nil || p.Phase != phaseStream:
		return ""
	case p.Part == nil && (!p.ByGTID || p.Kind == mariaKind && p.hasPlace()):
		return place{p.File, p.Pos}.flags()
	case p.ByGTID:
		return p.gtidFlag()
	}
	return ""
}

func (p place) flags() string { return fmt.Sprintf("--file %s --pos %d", p.file, p.pos) }

func (p *position) gtidFlag() string {
	set, err := p.seenSet()
	if err == nil && p.Part != nil {
		var open gtidSet
		if open, err = parseGTIDSet(p.Kind, p.Part.GTID); err == nil {
			addAll(set, open)
		}
	}
	if err != nil || set.isEmpty() || p.Part != nil && p.Part.GTID == "" {
		return ""
	}
	return "--gtid " + set.String()
}

func (st *stream) wayOn() string {
	b := st.asm.beyond
	if b == nil {
		b = &beyond{st.asm.withOpen(), st.asm.tx.start}
	}
	switch {
	case st.asm.byGTID && st.asm.beyond == nil && !st.asm.tx.open: // between transactions nothing has a number
		return "--now"
	case st.asm.byGTID && st.pos.Kind == mysqlKind:
		return "--gtid " + b.set.String()
	}
	next, err := st.nextGroup(b.last)
	if err != nil {
		st.log.Warn("the next transaction is not found", "position", b.last.String(), "error", err)
		if st.asm.byGTID {
			return "--gtid " + b.set.String()
		}
		return ""
	}
	return next.flags()
}

// seenSet is what has been processed without the ghosts, whose numbers may stand for others that were not.
func (a *assembler) seenSet() gtidSet {
	if s, ok := a.set.(*mysqlSet); ok {
		return s.subtract(a.ghosts.all())
	}
	return a.set.clone()
}

// withOpen is what has been processed, without the ghosts, and the open transaction.
func (a *assembler) withOpen() gtidSet {
	set := a.seenSet()
	if g := a.tx.head.gtid; a.tx.open && !g.isZero() {
		set.add(g)
	}
	return set
}

// nextGroup is where the next transaction after the one at a place begins, or will.
func (h *session) nextGroup(at place) (place, error) {
	end, err := logStatus(h.cat, h.srv)
	if err != nil {
		return place{}, err
	}
	if at.pos>>32 != 0 {
		return place{}, errors.New("a place beyond 4 GiB can't be asked for")
	}
	var s sight
	next := func(e header, _ group) bool { return opens(e.kind) && at.before(s.at) }
	err = h.readOn(at, func(w *wire) error { return lookOn(w, at, &s, next) })
	var se *serverError
	if errors.As(err, &se) && se.code == 0 { // the end of the log
		return end.place, nil
	}
	return s.at, h.lookFault(err)
}

func opens(kind byte) bool {
	return kind == evGTID || kind == evAnonymousGTID || kind == evTaggedGTID || kind == evMariaGTID
}
