package binlog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// mariaSet is a MariaDB GTID position: the last transaction of each domain. It can't say "all but
// one", which is why it can leave out nothing.
type mariaSet map[uint32]gtid

func (s mariaSet) add(g gtid) { s[g.domain] = g }

func (s mariaSet) contains(g gtid) bool {
	last, ok := s[g.domain]
	return ok && g.seq <= last.seq
}

func (s mariaSet) isEmpty() bool { return len(s) == 0 }

func (s mariaSet) clone() gtidSet { return maps.Clone(s) }

func (s mariaSet) String() string {
	var b strings.Builder
	for i, domain := range slices.Sorted(maps.Keys(s)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(s[domain].String())
	}
	return b.String()
}

// gtidList is the last transaction of each server in each domain, as gtid_binlog_state has them.
type gtidList []gtid

// listed reports whether a list of the last transactions covers g.
func listed(list []gtid, g gtid) bool {
	return slices.ContainsFunc(list, func(s gtid) bool { return s.domain == g.domain && s.server == g.server && s.seq >= g.seq })
}

func (l *gtidList) add(g gtid) {
	for i, s := range *l {
		if s.domain == g.domain && s.server == g.server {
			(*l)[i] = g
			return
		}
	}
	*l = append(*l, g)
}

// with is both, the later one's where both have a server.
func (l gtidList) with(later gtidList) gtidList {
	all := slices.Clone(l)
	for _, g := range later {
		all.add(g)
	}
	return all
}

func (l gtidList) String() string {
	parts := make([]string, len(l))
	for i, g := range l {
		parts[i] = g.String()
	}
	return strings.Join(parts, ",")
}

func (l gtidList) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

func (l *gtidList) UnmarshalText(text []byte) (err error) {
	*l, err = parseMariaList(string(text))
	return err
}

// parseMariaSet reads domain-server-sequence, separated by commas.
func parseMariaSet(text string) (mariaSet, error) {
	all, err := parseMariaList(text)
	if err != nil {
		return nil, err
	}
	set := mariaSet{}
	for _, g := range all {
		if _, twice := set[g.domain]; twice {
			return nil, fmt.Errorf("GTID position %q names domain %d twice", text, g.domain)
		}
		set[g.domain] = g
	}
	return set, nil
}

// parseMariaList reads the same form where a domain may come once for each server, as gtid_binlog_state does.
func parseMariaList(text string) ([]gtid, error) {
	var all []gtid
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		g, err := parseMariaGTID(part)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

func parseMariaGTID(text string) (gtid, error) {
	var numbers [3]uint64
	fields := strings.Split(text, "-")
	if len(fields) != 3 {
		return gtid{}, fmt.Errorf("%q is not a MariaDB GTID", text)
	}
	for i, bits := range []int{32, 32, 64} {
		n, err := strconv.ParseUint(fields[i], 10, bits)
		if err != nil {
			return gtid{}, fmt.Errorf("%q is not a MariaDB GTID", text)
		}
		numbers[i] = n
	}
	return gtid{maria: true, domain: uint32(numbers[0]), server: uint32(numbers[1]), seq: numbers[2]}, nil
}
