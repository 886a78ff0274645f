package binlog

import (
	"errors"
	"slices"
	"time"
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

// fileOf is the youngest file that was begun before a time, whatever the clocks of two servers say of an hour.
func (h *session) fileOf(micros int64) (string, error) {
	files, err := h.logFiles()
	if err != nil {
		return "", err
	}
	for _, f := range slices.Backward(files) {
		created, err := h.fileCreated(f.file)
		if err != nil || int64(created)+3600 < micros/1e6 {
			return f.file, err
		}
	}
	return files[0].file, nil
}
