package feedcheck

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fakeTxn is one Kafka transaction of a feed that was never near a broker.
type fakeTxn struct {
	id      txn
	rows    []Record
	offset  map[string]any
	second  map[string]any // a second offset record, for mutants
	outside bool           // the offset record is written without a transaction
	aborted bool
	endless bool // the broker leaves its markers out
}

// fake is a feed built from an oracle, in pieces that a mutant can spoil.
type fake struct {
	oracle *Oracle
	rules  Rules
	txns   []fakeTxn
	lost   []Ref // rows of a transaction that was rolled back
}

const fakePartitions = 4

var fakeTime = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// newFake commits n transactions by the spec's writers in a random order, and feeds them in that order.
func newFake(t *testing.T, spec Spec, n int) *fake {
	t.Helper()
	o, err := NewOracle(spec)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{oracle: o, rules: Rules{TopicPrefix: "outbox.event.", Partitions: map[string]int32{},
		Begin: fakeTime.Add(-time.Minute), End: fakeTime.Add(time.Minute)}}
	for _, kind := range spec.Types {
		f.rules.Partitions["outbox.event."+kind] = fakePartitions
	}
	r := rand.New(rand.NewPCG(spec.Seed, 1))
	versions, next := map[string]int64{}, make([]int64, spec.Writers)
	events := int64(0)
	for range n {
		w := r.IntN(spec.Writers)
		p := spec.Plan(w, next[w])
		next[w]++
		if p.End == Rollback || p.End == PrepareRollback || p.End == CutBefore {
			f.lost = append(f.lost, Ref{w, p.Tx, 0})
			continue
		}
		rows := f.commit(t, &p, versions)
		if len(f.txns) == 0 || r.IntN(3) == 0 {
			seq := int64(len(f.txns) + 1)
			f.txns = append(f.txns, fakeTxn{id: txn{7, int16(seq)}, offset: map[string]any{
				"v": 1, "pipeline": "posts", "instance": "a", "seq": seq, "partial": false, "position": map[string]any{"lsn": fmt.Sprintf("0/%X", 1000*seq)}}})
		}
		last := &f.txns[len(f.txns)-1]
		events += int64(len(rows))
		last.rows = append(last.rows, rows...)
		last.offset["events"] = events
	}
	return f
}

func (f *fake) commit(t *testing.T, p *Tx, versions map[string]int64) []Record {
	vs := make([]int64, len(p.Keys))
	for i, k := range p.Keys {
		versions[k]++
		vs[i] = versions[k]
	}
	if err := f.oracle.Committed(p.W, p.Tx, vs); err != nil {
		t.Fatal(err)
	}
	var rows []Record
	for row := range p.Rows {
		if !p.Rows[row].Undone {
			rows = append(rows, f.record(p, row, vs[p.Rows[row].Key]))
		}
	}
	return rows
}

func (f *fake) record(p *Tx, row int, v int64) Record {
	s := f.oracle.Spec
	e := s.route(f.rules.TopicPrefix, p, row)
	return Record{Topic: e.Topic, Partition: javaPartition([]byte(e.Key), fakePartitions), Key: []byte(e.Key), Value: s.Payload(nil, p, row, v),
		Headers: []Header{{Key: "id", Value: []byte(e.ID)}}, Time: fakeTime, Transactional: true}
}

// log lays the transactions out as a broker would: offsets, producers, markers.
type entry struct {
	Record
	control, commit bool
}

func (f *fake) log() (offsets, events []entry) {
	ends := map[place]int64{}
	put := func(to *[]entry, e entry) {
		here := place{e.Topic, e.Partition}
		e.Offset = ends[here]
		ends[here]++
		*to = append(*to, e)
	}
	for i := range f.txns {
		x := &f.txns[i]
		touched := map[place]bool{}
		for _, r := range x.rows {
			r.ProducerID, r.ProducerEpoch = x.id.producer, x.id.epoch
			put(&events, entry{Record: r})
			touched[place{r.Topic, r.Partition}] = r.Transactional
		}
		for _, value := range []map[string]any{x.offset, x.second} {
			if value != nil {
				text, _ := json.Marshal(value)
				put(&offsets, entry{Record: Record{Topic: "outferry-offsets", Key: []byte("posts"), Value: text,
					ProducerID: x.id.producer, ProducerEpoch: x.id.epoch, Transactional: !x.outside && !f.rules.AtLeastOnce}})
			}
		}
		if x.endless {
			continue
		}
		end := entry{Record: Record{Topic: "outferry-offsets", ProducerID: x.id.producer, ProducerEpoch: x.id.epoch + 1}, control: true, commit: !x.aborted}
		put(&offsets, end)
		for here, transactional := range touched {
			end.Topic, end.Partition = here.topic, here.partition
			if transactional {
				put(&events, end)
			}
		}
	}
	return offsets, events
}

// check shows the feed to both judges.
func (f *fake) check() *Report {
	report := &Report{}
	j := NewJudge(f.oracle, f.rules, report)
	c := NewCommits(f.oracle, f.rules, "posts", report)
	offsets, events := f.log()
	gone := map[txn]bool{}
	for i := range f.txns {
		gone[f.txns[i].id] = f.txns[i].aborted
	}
	for i := range events {
		e := &events[i]
		if !e.control && !gone[txn{e.ProducerID, e.ProducerEpoch}] {
			j.See(&e.Record)
		}
	}
	j.Finish()
	for i := range offsets {
		if offsets[i].control {
			c.OffsetMarker(&offsets[i].Record, offsets[i].commit)
		} else {
			c.Offset(&offsets[i].Record)
		}
	}
	for i := range events {
		if events[i].control {
			c.Marker(&events[i].Record, events[i].commit)
		} else {
			c.Event(&events[i].Record)
		}
	}
	c.Finish()
	return report
}

// kafkaRecord is what a franz-go reader would have got.
func kafkaRecord(r *Record) *kgo.Record {
	return &kgo.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Headers: r.Headers}
}
