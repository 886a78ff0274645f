package binlog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// endVariable is the server's variable for what it has executed.
func (a *Admin) endVariable() string {
	if a.h.srv.kind == mariaKind {
		return "gtid_binlog_pos"
	}
	return "gtid_executed"
}

// sets are what the server has executed, and what of it its log no longer holds.
func (a *Admin) sets() (executed, purged gtidSet, err error) {
	if a.h.srv.kind == mysqlKind {
		return a.h.executed()
	}
	r, err := queryOne(a.h.cat, "SELECT @@GLOBAL.gtid_binlog_pos")
	if err != nil {
		return nil, nil, transient("mysql.connection", "ask what the server has logged: %w", err)
	}
	if executed, err = parseMariaSet(r[0]); err != nil {
		return nil, nil, err
	}
	list, err := a.h.purgedList()
	gone := mariaSet{}
	for _, g := range list { // one for each server of a domain: the last is the one with the highest number
		if !gone.contains(g) {
			gone.add(g)
		}
	}
	return executed, gone, err
}

// stretch is a part of a history: how many transactions, and which.
type stretch struct {
	count int64
	text  string
}

func (s stretch) String() string {
	if s.text == "" {
		return ""
	}
	if s.count == 1 {
		return "1 transaction, " + s.text
	}
	return fmt.Sprintf("%d transactions, %s", s.count, s.text)
}

// between is what is in set and not in other. Both are of one kind.
func between(set, other gtidSet) stretch {
	if s, ok := set.(mariaSet); ok {
		return s.beyond(other.(mariaSet))
	}
	left := set.(*mysqlSet).subtract(other.(*mysqlSet))
	return stretch{left.count(), left.String()}
}

// common is what is in both.
func common(set, other gtidSet) gtidSet {
	if s, ok := set.(mariaSet); ok {
		return s.upTo(other.(mariaSet))
	}
	s := set.(*mysqlSet)
	return s.subtract(s.subtract(other.(*mysqlSet)))
}

// addAll makes set contain all of other.
func addAll(set, other gtidSet) {
	if s, ok := set.(mariaSet); ok {
		for _, g := range other.(mariaSet) {
			if !s.contains(g) {
				s.add(g)
			}
		}
		return
	}
	s := set.(*mysqlSet)
	for _, src := range other.(*mysqlSet).sources {
		for _, r := range src.runs {
			s.source(src.sid, src.tag).add(r)
		}
	}
}

func (s *mysqlSet) count() (n int64) {
	for _, src := range s.sources {
		for _, r := range src.runs {
			n += int64(r.to - r.from + 1)
		}
	}
	return n
}

// beyond counts what s has of each domain after other's last. A domain's numbers may have holes, so it is what they
// span.
func (s mariaSet) beyond(other mariaSet) (out stretch) {
	var parts []string
	for _, domain := range slices.Sorted(maps.Keys(s)) {
		last, done := s[domain], other[domain]
		if last.seq <= done.seq {
			continue
		}
		out.count += int64(last.seq - done.seq)
		parts = append(parts, fmt.Sprintf("up to %s after number %d of domain %d", last, done.seq, domain))
	}
	out.text = strings.Join(parts, ", ")
	return out
}

func (s mariaSet) upTo(other mariaSet) mariaSet {
	out := mariaSet{}
	for domain, g := range s {
		if last, known := other[domain]; known {
			if last.seq < g.seq {
				g = last
			}
			out[domain] = g
		}
	}
	return out
}
