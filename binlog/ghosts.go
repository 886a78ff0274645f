package binlog

import "time"

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
		until = pos.Anchor.Commit
	}
	return append(l, lostSet{fresh, until})
}
