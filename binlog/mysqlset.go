package binlog

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxSeq is the largest transaction number that MySQL gives.
const maxSeq = 1<<63 - 2

// mysqlSet is a MySQL GTID set: for each server and tag, the numbers of its transactions.
type mysqlSet struct {
	sources []*mysqlSource // ordered by sid, then tag
	last    *mysqlSource   // of the last add: nearly always that of the next
}

type mysqlSource struct {
	sid  [16]byte
	tag  string
	runs []run // ordered, apart from each other by one number at least
}

// run is a range of numbers, both ends included.
type run struct{ from, to uint64 }

func (s *mysqlSource) compare(sid [16]byte, tag string) int {
	if c := bytes.Compare(s.sid[:], sid[:]); c != 0 {
		return c
	}
	return cmp.Compare(s.tag, tag)
}

func (s *mysqlSet) find(sid [16]byte, tag string) (int, bool) {
	return slices.BinarySearchFunc(s.sources, 0, func(e *mysqlSource, _ int) int { return e.compare(sid, tag) })
}

func (s *mysqlSet) source(sid [16]byte, tag string) *mysqlSource {
	if s.last != nil && s.last.sid == sid && s.last.tag == tag {
		return s.last
	}
	i, ok := s.find(sid, tag)
	if !ok {
		s.sources = slices.Insert(s.sources, i, &mysqlSource{sid: sid, tag: tag})
	}
	s.last = s.sources[i]
	return s.last
}

func (s *mysqlSet) add(g gtid) { s.source(g.sid, g.tag).add(run{g.seq, g.seq}) }

// add puts a run in its place and joins it with those that it touches.
func (s *mysqlSource) add(r run) {
	if n := len(s.runs); n > 0 && s.runs[n-1].to+1 == r.from {
		s.runs[n-1].to = r.to
		return
	}
	i, _ := slices.BinarySearchFunc(s.runs, r.from, func(e run, from uint64) int { return cmp.Compare(e.to+1, from) })
	j := i
	for j < len(s.runs) && s.runs[j].from <= r.to+1 {
		r.from, r.to = min(r.from, s.runs[j].from), max(r.to, s.runs[j].to)
		j++
	}
	s.runs = slices.Replace(s.runs, i, j, r)
}

func (s *mysqlSource) covers(r run) bool {
	i, _ := slices.BinarySearchFunc(s.runs, r.from, func(e run, from uint64) int { return cmp.Compare(e.to, from) })
	return i < len(s.runs) && s.runs[i].from <= r.from && r.to <= s.runs[i].to
}

func (s *mysqlSet) contains(g gtid) bool {
	i, ok := s.find(g.sid, g.tag)
	return ok && s.sources[i].covers(run{g.seq, g.seq})
}

func (s *mysqlSet) isEmpty() bool { return len(s.sources) == 0 }

// subtract returns what is in s and not in other.
func (s *mysqlSet) subtract(other *mysqlSet) *mysqlSet {
	left := &mysqlSet{}
	for _, src := range s.sources {
		var holes []run
		if i, ok := other.find(src.sid, src.tag); ok {
			holes = other.sources[i].runs
		}
		if runs := cut(src.runs, holes); len(runs) > 0 {
			left.sources = append(left.sources, &mysqlSource{sid: src.sid, tag: src.tag, runs: runs})
		}
	}
	return left
}

func cut(runs, holes []run) []run {
	var left []run
	for _, r := range runs {
		for _, h := range holes {
			if h.to < r.from {
				continue
			}
			if h.from > r.to {
				break
			}
			if h.from > r.from {
				left = append(left, run{r.from, h.from - 1})
			}
			r.from = h.to + 1
		}
		if r.from <= r.to {
			left = append(left, r)
		}
	}
	return left
}

// of returns the part of the set that one server wrote, under any tag.
func (s *mysqlSet) of(sid [16]byte) *mysqlSet {
	part := &mysqlSet{}
	for _, src := range s.sources {
		if src.sid == sid {
			part.sources = append(part.sources, src)
		}
	}
	return part
}

func (s *mysqlSet) clone() gtidSet { return s.subtract(&mysqlSet{}) }

func (s *mysqlSet) String() string {
	var b strings.Builder
	for i, src := range s.sources {
		switch {
		case i > 0 && s.sources[i-1].sid == src.sid: // a tag of the same server
		case i > 0:
			b.WriteByte(',')
			fallthrough
		default:
			b.WriteString(formatSID(src.sid))
		}
		if src.tag != "" {
			b.WriteString(":" + src.tag)
		}
		for _, r := range src.runs {
			b.WriteByte(':')
			b.WriteString(strconv.FormatUint(r.from, 10))
			if r.to != r.from {
				b.WriteByte('-')
				b.WriteString(strconv.FormatUint(r.to, 10))
			}
		}
	}
	return b.String()
}

// parseMySQLSet reads the text that the server prints: uuid[:tag]:1-5:7[:tag:1-3],...
func parseMySQLSet(text string) (*mysqlSet, error) {
	set := &mysqlSet{}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if err := set.parseServer(part); err != nil {
			return nil, fmt.Errorf("GTID set: %w", err)
		}
	}
	return set, nil
}

func (s *mysqlSet) parseServer(text string) error {
	fields := strings.Split(text, ":")
	sid, err := parseSID(strings.TrimSpace(fields[0]))
	if err != nil {
		return err
	}
	if len(fields) < 2 {
		return fmt.Errorf("%q has no transaction numbers", text)
	}
	tag := ""
	for _, field := range fields[1:] {
		field = strings.TrimSpace(field)
		if isTag(field) {
			tag = strings.ToLower(field)
			continue
		}
		r, err := parseRun(field)
		if err != nil {
			return err
		}
		s.source(sid, tag).add(r)
	}
	return nil
}

// isTag tells a tag from a range of numbers: a tag starts with a letter or an underscore.
func isTag(field string) bool {
	if field == "" || len(field) > 32 || field[0] >= '0' && field[0] <= '9' {
		return false
	}
	for _, b := range []byte(field) {
		if b != '_' && (b < '0' || b > '9') && (b|0x20 < 'a' || b|0x20 > 'z') {
			return false
		}
	}
	return true
}

func parseRun(text string) (run, error) {
	first, second, isRange := strings.Cut(text, "-")
	from, err := strconv.ParseUint(strings.TrimSpace(first), 10, 64)
	to := from
	if err == nil && isRange {
		to, err = strconv.ParseUint(strings.TrimSpace(second), 10, 64)
	}
	if err != nil || from == 0 || to < from || to > maxSeq {
		return run{}, fmt.Errorf("%q is not a range of transaction numbers", text)
	}
	return run{from, to}, nil
}

// encode writes the set as COM_BINLOG_DUMP_GTID wants it. With a tag anywhere the newer form is
// used, which servers before 8.3 don't know; nor do they have tags.
func (s *mysqlSet) encode() []byte {
	tagged := slices.ContainsFunc(s.sources, func(src *mysqlSource) bool { return src.tag != "" })
	head := uint64(len(s.sources))
	if tagged {
		head = 1<<56 | head<<8 | 1
	}
	out := binary.LittleEndian.AppendUint64(nil, head)
	for _, src := range s.sources {
		out = append(out, src.sid[:]...)
		if tagged {
			out = append(out, byte(len(src.tag)<<1))
			out = append(out, src.tag...)
		}
		out = binary.LittleEndian.AppendUint64(out, uint64(len(src.runs)))
		for _, r := range src.runs {
			out = binary.LittleEndian.AppendUint64(out, r.from)
			out = binary.LittleEndian.AppendUint64(out, r.to+1)
		}
	}
	return out
}
