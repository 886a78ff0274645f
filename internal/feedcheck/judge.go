package feedcheck

import (
	"bytes"
	"encoding/json"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Record is one record as a reader got it.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time

	ProducerID    int64
	ProducerEpoch int16
	Transactional bool
}

// Header is one record header.
type Header = kgo.RecordHeader

// Rules say what a right feed looks like. The zero value, with Partitions, is the product's default.
type Rules struct {
	TopicPrefix  string            // outbox.event.
	Partitions   map[string]int32  // by topic
	AtLeastOnce  bool              // replays are allowed
	JSONB        bool              // the database printed the payload its own way: compare by meaning
	Headers      map[string]string // beside id: the header's name and its column
	AnyHeaders   bool              // more headers than id and Headers may be there
	AnyPartition bool              // a key may be in any partition, as long as it stays there
	AnyOrder     bool              // a backlog was taken as a snapshot
	AllowGhosts  bool              // the database was made to lose commits
	AnyTime      bool              // don't look at timestamps
	Begin, End   time.Time         // of the timestamps; Check sets those that are zero, a minute around the run
}

// Judge compares what a read_committed reader saw with the oracle.
type Judge struct {
	oracle *Oracle
	rules  Rules
	report *Report

	seen    []bits // by writer
	keys    map[string]*keyState
	writers map[place][]Ref // last row of each writer in a partition
	replay  *replays
	want    []byte
}

type place struct {
	topic     string
	partition int32
}

// NewJudge returns a judge who writes what he finds into report.
func NewJudge(o *Oracle, rules Rules, report *Report) *Judge {
	j := &Judge{oracle: o, rules: rules, report: report, seen: make([]bits, o.Spec.Writers),
		keys: map[string]*keyState{}, writers: map[place][]Ref{}}
	if rules.AtLeastOnce {
		j.replay = newReplays(o, report)
	}
	report.Seed = o.Spec.Seed
	report.Stats.Transactions, report.Stats.Expected = o.txs, o.rows
	return j
}

// See judges one record. Those of a partition come in the order of their offsets.
func (j *Judge) See(r *Record) {
	j.report.Stats.Records++
	ref, ok := j.oracle.identify(r)
	if !ok {
		j.report.Add(Phantom, "%s: a record of no row of this run", at(r))
		return
	}
	switch j.oracle.fate(ref) {
	case unknown:
		j.report.Add(Phantom, "%s: %s was never written", at(r), ref)
	case aborted:
		j.report.Add(AbortedRead, "%s: %s was rolled back", at(r), ref)
	case ghost:
		if !j.rules.AllowGhosts {
			j.report.Add(Ghost, "%s: %s was committed and lost by the database", at(r), ref)
		}
	case kept:
		j.judge(r, ref)
	}
}

func (j *Judge) judge(r *Record, ref Ref) {
	t := j.oracle.planOf(ref.W, ref.Tx)
	v := j.oracle.version(ref, t.Rows[ref.Row].Key)
	e := j.oracle.Spec.route(j.rules.TopicPrefix, t, ref.Row)
	if what := j.differs(r, e, t, ref.Row, v); what != "" {
		j.report.Add(Corrupt, "%s: %s: %s", at(r), ref, what)
	}
	n, _ := j.oracle.number(ref)
	again := j.seen[ref.W].has(n)
	j.seen[ref.W].set(n)
	if !again {
		j.report.Stats.Distinct++
	}
	switch {
	case j.replay != nil:
		j.replay.see(r, ref, n, again)
	case again:
		j.report.Add(Duplicate, "%s: %s again", at(r), ref)
	}
	j.affinity(r, ref, e.Key)
	if !again && !j.rules.AnyOrder {
		j.order(r, ref, t, v)
	}
}

// differs names the part of the record that is not what the row says, or nothing.
func (j *Judge) differs(r *Record, e Expected, t *Tx, row int, v int64) string {
	j.want = j.oracle.Spec.Payload(j.want[:0], t, row, v)
	switch {
	case r.Topic != e.Topic:
		return "in another topic"
	case r.Key == nil || string(r.Key) != e.Key:
		return "another key"
	case !bytes.Equal(r.Value, j.want) && !(j.rules.JSONB && sameJSON(r.Value, j.want)):
		return "another value"
	case !j.rules.AnyTime && (r.Time.Before(j.rules.Begin) || !j.rules.End.IsZero() && r.Time.After(j.rules.End)):
		return "a timestamp outside the run"
	}
	return j.headersDiffer(r, e)
}

func (j *Judge) headersDiffer(r *Record, e Expected) string {
	found := 0
	for i := range r.Headers {
		h := &r.Headers[i]
		want := e.ID
		if h.Key != "id" {
			column, ok := j.rules.Headers[h.Key]
			if !ok && j.rules.AnyHeaders {
				continue
			}
			if !ok {
				return "a header too many"
			}
			want = e.column(column)
		}
		if string(h.Value) != want {
			return "another value in header " + h.Key
		}
		found++
	}
	if found != 1+len(j.rules.Headers) {
		return "a header is missing or repeated"
	}
	return ""
}

// Finish reports what never came.
func (j *Judge) Finish() {
	j.oracle.missing(j.seen, func(r Ref) { j.report.Add(Lost, "%s", r) })
	for _, k := range j.keys {
		if k.gaps > 0 {
			j.report.Add(Gap, "%s: rows are missing before it", k.afterGap)
		}
	}
}

func at(r *Record) string { return address(r.Topic, r.Partition, r.Offset) }

func sameJSON(a, b []byte) bool {
	var x, y any
	for _, d := range []struct {
		text []byte
		into *any
	}{{a, &x}, {b, &y}} {
		dec := json.NewDecoder(bytes.NewReader(d.text))
		dec.UseNumber()
		if dec.Decode(d.into) != nil || dec.More() {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}
