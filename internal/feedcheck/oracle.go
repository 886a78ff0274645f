package feedcheck

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Oracle knows which transactions committed and the versions that their keys got. It takes about 12
// bytes a transaction and a bit a row.
type Oracle struct {
	Spec    Spec
	Begun   time.Time // when the workload was first started, by its own clock
	writers []history
	rows    int64 // that must arrive
	txs     int64

	plan [64]Tx // the plans last asked for, by writer: rows of a transaction come together
	have [64]bool
}

// history is what one writer committed.
type history struct {
	base     []uint32 // by transaction: its first row's number among the writer's rows, or none
	vbase    []uint32 // by transaction: where its versions begin
	versions []uint32
	rows     uint32
	acked    bits // transactions whose commit the database acknowledged, when the driver told
}

const none = ^uint32(0)

// restartGap is what a workload that is started again leaves out after the last transaction in the
// ledger: the numbers between may have been used by transactions that were rolled back.
const restartGap = 1 << 16

// NewOracle returns an oracle that knows of no transaction yet.
func NewOracle(s Spec) (*Oracle, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return &Oracle{Spec: s, writers: make([]history, s.Writers)}, nil
}

// Committed enters a transaction with the versions of its keys. Those of one writer come in order.
func (o *Oracle) Committed(w int, tx int64, versions []int64) error {
	if w < 0 || w >= len(o.writers) || tx < 0 || tx >= 1<<31 {
		return fmt.Errorf("ledger: writer %d, transaction %d: out of range", w, tx)
	}
	h, t := &o.writers[w], o.planOf(w, tx)
	if len(versions) != len(t.Keys) || tx < int64(len(h.base)) {
		return fmt.Errorf("ledger: writer %d, transaction %d: does not fit the plan: other seed or options?", w, tx)
	}
	for int64(len(h.base)) < tx {
		h.base, h.vbase = append(h.base, none), append(h.vbase, none)
	}
	h.base, h.vbase = append(h.base, h.rows), append(h.vbase, uint32(len(h.versions)))
	for _, v := range versions {
		h.versions = append(h.versions, uint32(v))
	}
	h.rows += uint32(len(t.Rows))
	o.rows += int64(t.Kept())
	o.txs++
	return nil
}

// Acked tells that the database acknowledged the commit: a transaction that was acknowledged and is
// not in the ledger was lost by the database itself, and its rows are ghosts and no aborted reads.
func (o *Oracle) Acked(w int, tx int64) { o.writers[w].acked.set(tx) }

// planOf returns the plan, good until the next call.
func (o *Oracle) planOf(w int, tx int64) *Tx {
	i := w % len(o.plan)
	if p := &o.plan[i]; !o.have[i] || p.W != w || p.Tx != tx {
		*p, o.have[i] = o.Spec.Plan(w, tx), true
	}
	return &o.plan[i]
}

// number returns the row's number among its writer's rows; false when its transaction did not commit.
func (o *Oracle) number(r Ref) (int64, bool) {
	h := &o.writers[r.W]
	if r.Tx >= int64(len(h.base)) || h.base[r.Tx] == none {
		return 0, false
	}
	return int64(h.base[r.Tx]) + int64(r.Row), true
}

func (o *Oracle) version(r Ref, key int) int64 {
	h := &o.writers[r.W]
	return int64(h.versions[int(h.vbase[r.Tx])+key])
}

// fate is what the database did with a row.
type fate uint8

const (
	kept    fate = iota
	aborted      // its transaction or savepoint was rolled back
	ghost        // committed, then lost by the database
	unknown      // nobody ever wrote it
)

func (o *Oracle) fate(r Ref) fate {
	if r.W >= len(o.writers) || r.Tx >= int64(len(o.writers[r.W].base))+restartGap {
		return unknown
	}
	p := o.planOf(r.W, r.Tx)
	if r.Row >= len(p.Rows) {
		return unknown
	}
	if _, ok := o.number(r); ok && !p.Rows[r.Row].Undone {
		return kept
	} else if !ok && o.writers[r.W].acked.has(r.Tx) {
		return ghost
	}
	return aborted
}

// identify finds the row by the id header, or by the payload when the header is of no use.
func (o *Oracle) identify(r *Record) (Ref, bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == "id" {
			if ref, ok := o.Spec.parseID(r.Headers[i].Value); ok {
				return ref, true
			}
		}
	}
	return o.Spec.parsePayload(r.Value)
}

// missing calls f for every row that must have arrived and is not in seen.
func (o *Oracle) missing(seen []bits, f func(Ref)) {
	for w := range o.writers {
		h := &o.writers[w]
		for tx := range h.base {
			if h.base[tx] == none {
				continue
			}
			p := o.planOf(w, int64(tx))
			for row := range p.Rows {
				if !p.Rows[row].Undone && !seen[w].has(int64(h.base[tx])+int64(row)) {
					f(Ref{w, int64(tx), row})
				}
			}
		}
	}
}

// bits is a set of small numbers.
type bits []uint64

func (b *bits) set(n int64) {
	for int64(len(*b)) <= n>>6 {
		*b = append(*b, 0)
	}
	(*b)[n>>6] |= 1 << (n & 63)
}

func (b bits) has(n int64) bool { return n>>6 < int64(len(b)) && b[n>>6]>>(n&63)&1 == 1 }

func formatVersions(v []int64) string {
	s := make([]string, len(v))
	for i := range v {
		s[i] = strconv.FormatInt(v[i], 10)
	}
	return strings.Join(s, ",")
}

func parseVersions(s string) ([]int64, error) {
	parts := strings.Split(s, ",")
	v := make([]int64, len(parts))
	for i, p := range parts {
		n, err := strconv.ParseInt(p, 10, 64)
		if err != nil || n < 1 || n >= 1<<32 {
			return nil, fmt.Errorf("ledger: bad versions %q", s)
		}
		v[i] = n
	}
	return v, nil
}
