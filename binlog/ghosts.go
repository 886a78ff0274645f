package binlog

import (
	"errors"
	"slices"
	"time"

	"outferry/outbox"
)

// ghosts are transactions that were published and that a promoted server never had, by failover. Where the old source joins
// again as it was, they come again; where it was rebuilt as a copy of its successor, it gives their numbers to new
// transactions, which are younger.
type ghosts struct {
	GTID  string `json:"gtid"`
	Until int64  `json:"until"` // microseconds since 1970: none of them was committed later
}

// ghostSet is the same to work with. Its sets don't overlap.
type ghostSet []lostSet

type lostSet struct {
	set   *mysqlSet
	until int64
}

func parseGhosts(stored []ghosts) (ghostSet, error) {
	var out ghostSet
	for _, g := range stored {
		set, err := parseMySQLSet(g.GTID)
		if err != nil {
			return nil, err
		}
		out = append(out, lostSet{set, g.Until})
	}
	return out, nil
}

func (l ghostSet) stored() (out []ghosts) {
	for _, g := range l {
		out = append(out, ghosts{g.set.String(), g.until})
	}
	return out
}

func (l ghostSet) all() *mysqlSet {
	set := &mysqlSet{}
	for _, g := range l {
		addAll(set, g.set)
	}
	return set
}

// another tells a new transaction under the number of a ghost from the ghost.
func (l ghostSet) another(t group) bool {
	for _, g := range l {
		if g.set.contains(t.gtid) {
			return t.commit > g.until
		}
	}
	return false
}

// without drops numbers of which the log has shown what they stand for.
func (l ghostSet) without(set *mysqlSet) (left ghostSet) {
	for _, g := range l {
		if rest := g.set.subtract(set); !rest.isEmpty() {
			left = append(left, lostSet{rest, g.until})
		}
	}
	return left
}

// with adds what a server lacks of a position.
func (l ghostSet) with(set *mysqlSet, pos *position) ghostSet {
	fresh := set.subtract(l.all())
	if fresh.isEmpty() {
		return l
	}
	until := time.Now().UnixMicro()
	if pos.Anchor != nil && pos.Anchor.Commit > 0 {
		until = pos.Anchor.Commit + unsteady
	}
	return append(l, lostSet{fresh, until})
}

// unsteady is by how many microseconds a server's clock may step back between two transactions, and less than it takes to make
// a copy of another server.
const unsteady = 1e6

// givenAgain finds ghosts whose numbers were given again before we came: of the server that wrote our last transaction, and
// committed later.
func (h *session) givenAgain(ours *mysqlSet, a *anchor) (*mysqlSet, error) {
	again := &mysqlSet{}
	if a == nil || a.Commit == 0 {
		return again, nil
	}
	last, err := parseMySQLSet(a.GTID)
	if err != nil || last.isEmpty() {
		return again, err
	}
	file, err := h.fileOf(a.Commit)
	if err != nil {
		return again, err
	}
	var s sight
	err = h.look(place{file, 4}, &s, func(_ header, g group) bool {
		if g.gtid.sid == last.sources[0].sid && g.commit > a.Commit+unsteady && ours.contains(g.gtid) {
			again.add(g.gtid)
		}
		return false
	})
	if errors.Is(err, errNotSeen) { // the end of the log
		err = nil
	}
	return again, err
}

// seenSet is what is processed without the ghosts, whose numbers may stand for others that are not.
func (p *position) seenSet() (gtidSet, error) {
	set, err := parseGTIDSet(p.Kind, p.GTID)
	if err != nil || p.Kind != mysqlKind {
		return set, err
	}
	gone, err := parseGhosts(p.Ghosts)
	return set.(*mysqlSet).subtract(gone.all()), err
}

// takeOver settles which of a position that another server was read to are ghosts on this one, which lacks fresh of it. It
// returns those whose numbers were given again.
func (h *session) takeOver(pos *position, ours, fresh *mysqlSet, known ghostSet) (*mysqlSet, error) {
	again, err := h.givenAgain(ours, pos.Anchor)
	if err == nil {
		pos.GTID = ours.subtract(again).String()
		pos.Ghosts = known.without(again).with(fresh, pos).stored()
	}
	return again, err
}

// standing is what a stored position counts as published on this server, as a start would take it; nil where it counts for
// nothing here.
func (a *Admin) standing(from outbox.Position) (pos *position, ours *mysqlSet, known ghostSet, err error) {
	if from.IsZero() {
		return nil, nil, nil, nil
	}
	p, err := parsePosition(from)
	if err != nil || p.Kind != mysqlKind || !p.ByGTID || a.h.srv.kind != mysqlKind {
		return nil, nil, nil, nil // then it counts as no published transaction
	}
	if ours, err = parseMySQLSet(p.GTID); err != nil {
		return nil, nil, nil, err
	}
	if known, err = parseGhosts(p.Ghosts); err != nil || a.h.sameServer(p) {
		return p, ours, known, err
	}
	executed, _, err := a.h.executed()
	if err != nil {
		return nil, nil, nil, err
	}
	ahead := ours.subtract(executed)
	if ours.subtract(ahead).isEmpty() { // no successor
		return p, ours, known, nil
	}
	if _, err := a.h.takeOver(p, ours, ahead.subtract(known.all()), known); err != nil {
		return nil, nil, nil, err
	}
	if ours, err = parseMySQLSet(p.GTID); err == nil {
		known, err = parseGhosts(p.Ghosts)
	}
	return p, ours, known, err
}

// fileOf is the youngest file that was begun before a time, whatever the clocks of two servers say of an hour.
func (h *session) fileOf(micros int64) (oldest string, err error) {
	files, err := h.logFiles()
	if err != nil {
		return "", err
	}
	for _, f := range slices.Backward(files) {
		created, err := h.fileCreated(f.file)
		if err != nil || int64(created)+3600 < micros/1e6 {
			return f.file, err
		}
		oldest = f.file
	}
	return oldest, nil
}
