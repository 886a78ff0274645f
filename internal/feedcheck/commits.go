package feedcheck

import (
	"encoding/json"
	"fmt"
)

// Commits judges the Kafka transactions: what is in the log, aborted or not, with its producers and
// the markers that end transactions. On a broker with transaction version 2 a producer's epoch grows
// with each transaction, so producer id and epoch name one.
//
// The offsets partition has to be shown first and whole, then the partitions of events.
type Commits struct {
	oracle   *Oracle
	rules    Rules
	report   *Report
	pipeline string

	groups map[txn]*group
	bySeq  map[int64]*group
	open   map[place]map[int64][]*pending // by producer; several if the broker left an end out
	ended  map[place]map[int64]int16      // the epoch of each producer's last transaction there
	shared bool                           // one epoch for several transactions: an older broker
	first  [][]*group                     // by writer and transaction: where its rows were seen first
	torn   []bits

	story []chapter
	next  int64 // in the offsets partition
}

type txn struct {
	producer int64
	epoch    int16
}

// group is one committed Kafka transaction.
type group struct {
	id      txn
	events  int64
	offset  *offsetRecord
	example string
}

type pending struct {
	id      txn
	offsets []chapter
	rows    []Ref
	data    int64
	example string
}

// chapter is one committed offset record.
type chapter struct {
	*offsetRecord
	at        string
	id        txn
	afterHole bool // compaction took what came before it
}

// offsetRecord is what the checker reads of the value of an offset record.
type offsetRecord struct {
	Version  int    `json:"v"`
	Pipeline string `json:"pipeline"`
	Instance string `json:"instance"`
	Seq      int64  `json:"seq"`
	Events   int64  `json:"events"`
	Partial  bool   `json:"partial"`
	Position struct {
		LSN string `json:"lsn"`
	} `json:"position"`
}

func (o *offsetRecord) lsn() (uint64, bool) { return parseLSN(o.Position.LSN) }

func parseLSN(s string) (uint64, bool) {
	var hi, lo uint32
	if n, err := fmt.Sscanf(s, "%X/%X", &hi, &lo); n != 2 || err != nil {
		return 0, false
	}
	return uint64(hi)<<32 | uint64(lo), true
}

// NewCommits returns a judge of Kafka transactions who writes what he finds into report.
func NewCommits(o *Oracle, rules Rules, pipeline string, report *Report) *Commits {
	c := &Commits{oracle: o, rules: rules, report: report, pipeline: pipeline,
		groups: map[txn]*group{}, bySeq: map[int64]*group{}, open: map[place]map[int64][]*pending{},
		ended: map[place]map[int64]int16{}, first: make([][]*group, o.Spec.Writers), torn: make([]bits, o.Spec.Writers)}
	for w := range c.first {
		c.first[w] = make([]*group, len(o.writers[w].base))
	}
	return c
}

// Offset takes a record of the offsets partition.
func (c *Commits) Offset(r *Record) {
	hole := c.step(r.Offset)
	if string(r.Key) != c.pipeline {
		return
	}
	ch := chapter{at: at(r), id: txn{r.ProducerID, r.ProducerEpoch}, afterHole: hole}
	ch.offsetRecord = &offsetRecord{}
	if err := json.Unmarshal(r.Value, ch.offsetRecord); err != nil || ch.Version != 1 || ch.Pipeline != c.pipeline {
		c.report.Add(OffsetFork, "%s: not a readable offset record of this pipeline", at(r))
		return
	}
	if r.Transactional {
		p := c.pend(r)
		p.offsets = append(p.offsets, ch)
		return
	}
	if !c.rules.AtLeastOnce {
		c.report.Add(OffsetFork, "%s: seq %d: outside a Kafka transaction", ch.at, ch.Seq)
	}
	c.story = append(c.story, ch)
}

// OffsetMarker takes a control record of the offsets partition.
func (c *Commits) OffsetMarker(r *Record, commit bool) {
	c.step(r.Offset)
	c.Marker(r, commit)
}

// step reports whether there is a hole before the offset.
func (c *Commits) step(offset int64) bool {
	hole := offset > c.next
	c.next = offset + 1
	return hole
}

// Event takes a record of a partition of events.
func (c *Commits) Event(r *Record) {
	ref, ok := c.oracle.identify(r)
	if !ok || c.oracle.fate(ref) != kept {
		ref.W = -1 // the other judge names it; it counts all the same
	}
	if r.Transactional {
		p := c.pend(r)
		p.rows = append(p.rows, ref)
		return
	}
	if !c.rules.AtLeastOnce && ref.W >= 0 {
		c.report.Add(Torn, "%s: %s: outside a Kafka transaction", at(r), ref)
	}
}

// pend returns the open transaction that the record is of. A younger epoch begins another: the broker lost the
// markers of the one before, whose records then share the end of this one.
func (c *Commits) pend(r *Record) *pending {
	here := place{r.Topic, r.Partition}
	if c.open[here] == nil {
		c.open[here] = map[int64][]*pending{}
	}
	open := c.open[here][r.ProducerID]
	if n := len(open); n == 0 || open[n-1].id.epoch != r.ProducerEpoch {
		open = append(open, &pending{id: txn{r.ProducerID, r.ProducerEpoch}, example: at(r)})
		c.open[here][r.ProducerID] = open
	}
	p := open[len(open)-1]
	p.data++
	return p
}

// Marker takes the control record that ends the producer's transaction in its partition.
func (c *Commits) Marker(r *Record, commit bool) {
	here := place{r.Topic, r.Partition}
	open := c.open[here][r.ProducerID]
	if len(open) == 0 {
		return
	}
	delete(c.open[here], r.ProducerID)
	c.report.Stats.LostMarkers += int64(len(open) - 1)
	for _, p := range open {
		c.end(here, p, commit)
	}
}

func (c *Commits) end(here place, p *pending, commit bool) {
	if c.ended[here] == nil {
		c.ended[here] = map[int64]int16{}
	}
	if e, ok := c.ended[here][p.id.producer]; ok && e == p.id.epoch {
		c.shared = true
	}
	c.ended[here][p.id.producer] = p.id.epoch
	if !commit {
		c.report.Stats.AbortedRecords += p.data
		return
	}
	c.commit(p)
}

func (c *Commits) commit(p *pending) {
	g := c.groups[p.id]
	if g == nil {
		g = &group{id: p.id, example: p.example}
		c.groups[p.id] = g
	}
	if len(p.offsets) > 1 {
		c.report.Add(OffsetFork, "%s: %d offset records in one Kafka transaction", p.offsets[1].at, len(p.offsets))
	}
	for _, ch := range p.offsets {
		g.offset = ch.offsetRecord
		c.bySeq[ch.Seq] = g
		c.story = append(c.story, ch)
	}
	g.events += int64(len(p.rows))
	for _, ref := range p.rows {
		if ref.W >= 0 {
			c.together(ref, g, p.example)
		}
	}
}

// together checks that the rows of a database transaction are in one Kafka transaction, or in a run
// of them whose offset records say that it goes on.
func (c *Commits) together(ref Ref, g *group, where string) {
	first := &c.first[ref.W][ref.Tx]
	if *first == nil || *first == g {
		*first = g
		return
	}
	if c.shared || c.torn[ref.W].has(ref.Tx) {
		return
	}
	if !c.partly(*first, g) {
		c.torn[ref.W].set(ref.Tx)
		c.report.Add(Torn, "%s: w%d/tx%d is in more than one Kafka transaction", where, ref.W, ref.Tx)
	}
	*first = g
}

func (c *Commits) partly(a, b *group) bool {
	if a.offset == nil || b.offset == nil {
		return false
	}
	from, to := min(a.offset.Seq, b.offset.Seq), max(a.offset.Seq, b.offset.Seq)
	for seq := from; seq < to; seq++ {
		if g := c.bySeq[seq]; g == nil || !g.offset.Partial {
			return false
		}
	}
	return true
}
