package feedcheck

import (
	"slices"
	"testing"
)

func testSpec() Spec {
	s := DefaultSpec(42)
	s.Writers, s.PadMax = 4, 60
	return s
}

func TestCleanFeedPasses(t *testing.T) {
	f := newFake(t, testSpec(), 2000)
	if r := f.check(); !r.OK() || r.Stats.Distinct != r.Stats.Expected || r.Stats.Expected == 0 || r.Stats.KafkaCommits != int64(len(f.txns)) {
		t.Fatalf("a clean feed was refused:\n%s", r)
	}
}

func TestAbortedTransactionsAreNotHeldAgainstTheFeed(t *testing.T) {
	f := newFake(t, testSpec(), 500)
	again := f.txns[40]
	again.aborted, again.id = true, txn{7, 1000}
	f.txns = slices.Insert(f.txns, 40, again)
	for i := range f.txns[41:] {
		f.txns[41+i].id.producer = 8
	}
	if r := f.check(); !r.OK() || r.Stats.AbortedRecords == 0 {
		t.Fatalf("an aborted attempt was held against the feed:\n%s", r)
	}
}

// A crashed broker may call a transaction complete whose markers it did not write.
func TestTransactionThatTheNextOneEndsPasses(t *testing.T) {
	f := newFake(t, testSpec(), 500)
	f.txns[40].endless = true
	if r := f.check(); !r.OK() || r.Stats.LostMarkers == 0 || r.Stats.KafkaCommits != int64(len(f.txns)) {
		t.Fatalf("what the broker did was held against the feed:\n%s", r)
	}
}

func TestLargeTransactionInMarkedPartsPasses(t *testing.T) {
	f := newFake(t, testSpec(), 500)
	f.split(t, true)
	if r := f.check(); !r.OK() {
		t.Fatalf("parts that are marked were refused:\n%s", r)
	}
}

// split cuts the Kafka transaction of the first database transaction with several rows in two.
func (f *fake) split(t *testing.T, marked bool) {
	t.Helper()
	for i := range f.txns {
		x := f.txns[i]
		if len(x.rows) < 2 {
			continue
		}
		a, _ := f.oracle.identify(&x.rows[0])
		b, _ := f.oracle.identify(&x.rows[1])
		if a.W != b.W || a.Tx != b.Tx {
			continue
		}
		first := x
		first.id = txn{6, 1}
		first.rows, f.txns[i].rows = x.rows[:1], x.rows[1:]
		first.offset = map[string]any{}
		for k, v := range x.offset {
			first.offset[k] = v
		}
		first.offset["events"] = x.offset["events"].(int64) - int64(len(x.rows)-1)
		first.offset["partial"] = marked
		f.txns = slices.Insert(f.txns, i, first)
		for j := range f.txns {
			f.txns[j].offset["seq"] = int64(j + 1)
		}
		return
	}
	t.Fatal("no transaction to split")
}

// twoOfAKey returns places of two rows of one key that follow each other in one Kafka transaction.
func (f *fake) twoOfAKey(t *testing.T) (x, a, b int) {
	t.Helper()
	for i := range f.txns {
		rows := f.txns[i].rows
		for a := range rows {
			for b := a + 1; b < len(rows); b++ {
				if string(rows[a].Key) == string(rows[b].Key) {
					return i, a, b
				}
			}
		}
	}
	t.Fatal("no key with two rows")
	return 0, 0, 0
}

// Each mutant spoils the feed in one way. want is what it must be called; also is what may follow
// from it by necessity, and nothing else may be said.
func TestMutantsAreCaughtAndNamed(t *testing.T) {
	for _, m := range []struct {
		name  string
		spoil func(t *testing.T, f *fake)
		want  Class
		also  []Class
	}{
		{"dropped row", func(t *testing.T, f *fake) {
			x, _, b := f.twoOfAKey(t)
			f.txns[x].rows = slices.Delete(f.txns[x].rows, b, b+1)
		}, Lost, []Class{Gap, OffsetFork}},
		{"dropped transaction, offset moved past it", func(t *testing.T, f *fake) {
			f.txns[30].rows = nil
		}, Lost, []Class{Gap, OffsetFork}},
		{"repeated row", func(t *testing.T, f *fake) {
			f.txns[31].rows = append(f.txns[31].rows, f.txns[30].rows[0])
		}, Duplicate, []Class{OffsetFork, Torn}},
		{"whole transaction again with an offset record", func(t *testing.T, f *fake) {
			again := f.txns[30]
			again.id = txn{7, 2000}
			f.txns = slices.Insert(f.txns, 31, again)
		}, Duplicate, []Class{OffsetFork, Torn}},
		{"reordered rows of a key", func(t *testing.T, f *fake) {
			x, a, b := f.twoOfAKey(t)
			rows := f.txns[x].rows
			rows[a], rows[b] = rows[b], rows[a]
		}, Reorder, nil},
		{"reordered transactions of a key", func(t *testing.T, f *fake) {
			f.txns[30].rows, f.txns[35].rows = f.txns[35].rows, f.txns[30].rows
		}, Reorder, []Class{OffsetFork}},
		{"phantom", func(t *testing.T, f *fake) {
			p := f.oracle.Spec.Plan(1, 1<<30)
			f.txns[30].rows = append(f.txns[30].rows, f.record(&p, 0, 1))
		}, Phantom, []Class{OffsetFork}},
		{"foreign record", func(t *testing.T, f *fake) {
			r := f.txns[30].rows[0]
			r.Headers, r.Value = nil, []byte("hello")
			f.txns[30].rows = append(f.txns[30].rows, r)
		}, Phantom, []Class{OffsetFork}},
		{"rolled-back row", func(t *testing.T, f *fake) {
			p := f.oracle.Spec.Plan(f.lost[0].W, f.lost[0].Tx)
			f.txns[30].rows = append(f.txns[30].rows, f.record(&p, 0, 1))
		}, AbortedRead, []Class{OffsetFork}},
		{"row of a rolled-back savepoint", func(t *testing.T, f *fake) {
			for tx := int64(0); ; tx++ {
				p := f.oracle.Spec.Plan(0, tx)
				if p.End == Savepoint {
					f.txns[30].rows = append(f.txns[30].rows, f.record(&p, p.Kept(), 1))
					return
				}
			}
		}, AbortedRead, []Class{OffsetFork}},
		{"commit that the database lost", func(t *testing.T, f *fake) {
			f.oracle.Acked(f.lost[0].W, f.lost[0].Tx)
			p := f.oracle.Spec.Plan(f.lost[0].W, f.lost[0].Tx)
			f.txns[30].rows = append(f.txns[30].rows, f.record(&p, 0, 1))
		}, Ghost, []Class{OffsetFork}},
		{"one byte of a payload", func(t *testing.T, f *fake) {
			v := slices.Clone(f.txns[30].rows[0].Value)
			v[len(v)-3] ^= 1
			f.txns[30].rows[0].Value = v
		}, Corrupt, nil},
		{"key as JSON", func(t *testing.T, f *fake) {
			f.txns[30].rows[0].Key = []byte(`"` + string(f.txns[30].rows[0].Key) + `"`)
		}, Corrupt, nil},
		{"id header of nothing", func(t *testing.T, f *fake) {
			f.txns[30].rows[0].Headers = []Header{{Key: "id", Value: []byte("00000000-0000-0000-0000-000000000000")}}
		}, Corrupt, nil},
		{"no header", func(t *testing.T, f *fake) { f.txns[30].rows[0].Headers = nil }, Corrupt, nil},
		{"a header too many", func(t *testing.T, f *fake) {
			f.txns[30].rows[0].Headers = append(f.txns[30].rows[0].Headers[:1:1], Header{Key: "x"})
		}, Corrupt, nil},
		{"timestamp of 1970", func(t *testing.T, f *fake) { f.txns[30].rows[0].Time = fakeTime.AddDate(-56, 0, 0) }, Corrupt, nil},
		{"another topic", func(t *testing.T, f *fake) { f.txns[30].rows[0].Topic = "outbox.event.customer" }, Corrupt, nil},
		{"wrong partition", func(t *testing.T, f *fake) {
			f.txns[30].rows[0].Partition = (f.txns[30].rows[0].Partition + 1) % fakePartitions
		}, Affinity, []Class{Reorder}},
		{"torn transaction", func(t *testing.T, f *fake) { f.split(t, false) }, Torn, nil},
		{"events outside a Kafka transaction", func(t *testing.T, f *fake) {
			for i := range f.txns[30].rows {
				f.txns[30].rows[i].Transactional = false
			}
		}, Torn, []Class{OffsetFork}},
		{"offset outside the Kafka transaction", func(t *testing.T, f *fake) { f.txns[30].outside = true }, OffsetFork, nil},
		{"no offset record", func(t *testing.T, f *fake) { f.txns[30].offset = nil }, OffsetFork, nil},
		{"two offset records", func(t *testing.T, f *fake) { f.txns[30].second = f.txns[30].offset }, OffsetFork, nil},
		{"forked sequence", func(t *testing.T, f *fake) { f.txns[30].offset["seq"] = f.txns[29].offset["seq"] }, OffsetFork, nil},
		{"wrong count of events", func(t *testing.T, f *fake) { f.txns[30].offset["events"] = int64(1) }, OffsetFork, nil},
		{"position goes back", func(t *testing.T, f *fake) {
			f.txns[30].offset["position"] = map[string]any{"lsn": "0/1"}
		}, OffsetFork, nil},
		{"a second writer comes and goes", func(t *testing.T, f *fake) {
			f.txns[30].offset["instance"], f.txns[30].id = "b", txn{9, 0}
		}, OffsetFork, nil},
		{"offset record of rubbish", func(t *testing.T, f *fake) { f.txns[30].offset["v"] = "?" }, OffsetFork, nil},
	} {
		t.Run(m.name, func(t *testing.T) {
			f := newFake(t, testSpec(), 500)
			m.spoil(t, f)
			r := f.check()
			if r.Count(m.want) == 0 {
				t.Errorf("not named %s:\n%s", m.want, r)
			}
			for _, found := range r.Findings {
				if found.Class != m.want && !slices.Contains(m.also, found.Class) {
					t.Errorf("also named %s:\n%s", found.Class, r)
				}
			}
		})
	}
}

// flatten returns the feed of at least once: no transactions, and the tail of each Kafka
// transaction's rows may be played again.
func (f *fake) flatten() {
	f.rules.AtLeastOnce = true
	for i := range f.txns {
		for j := range f.txns[i].rows {
			f.txns[i].rows[j].Transactional = false
		}
	}
}

func TestReplaysPassAtLeastOnce(t *testing.T) {
	f := newFake(t, testSpec(), 500)
	for _, i := range []int{20, 40, 41} {
		f.txns[i].rows = append(slices.Clone(f.txns[i].rows), f.txns[i].rows...)
	}
	f.flatten()
	if r := f.check(); !r.OK() || r.Stats.Replays == 0 {
		t.Fatalf("replays were refused:\n%s", r)
	}
}

func TestBrokenReplaysAreNamed(t *testing.T) {
	f := newFake(t, testSpec(), 500)
	// A row out of the middle again, and then on with new ones: what lies between was left out.
	f.txns[40].rows = slices.Insert(slices.Clone(f.txns[40].rows), 0, f.txns[20].rows[0])
	f.flatten()
	if r := f.check(); r.Count(ReplayBroken) == 0 || r.Count(Duplicate) > 0 {
		t.Fatalf("a broken replay was not named:\n%s", r)
	}
}

func TestRepeatWithOtherBytesIsCorrupt(t *testing.T) {
	f := newFake(t, testSpec(), 500)
	n := len(f.txns[20].rows)
	f.txns[20].rows = append(slices.Clone(f.txns[20].rows), f.txns[20].rows...)
	f.txns[20].rows[n].Value = []byte("{}")
	f.flatten()
	if r := f.check(); r.Count(Corrupt) != 1 {
		t.Fatalf("other bytes in a repeat were not named:\n%s", r)
	}
}

func TestVanishedRecordsAreNamed(t *testing.T) {
	f := newFake(t, testSpec(), 200)
	_, events := f.log()
	online, later := newSightings(), newSightings()
	for i := range events {
		if !events[i].control {
			online.add(kafkaRecord(&events[i].Record))
			if i != 10 {
				later.add(kafkaRecord(&events[i].Record))
			}
		}
	}
	last := events[len(events)-1]
	never := func(place, int64) bool { return false }
	before := newSightings()
	for i := range events {
		if !events[i].control && (events[i].Topic != last.Topic || events[i].Partition != last.Partition) {
			before.add(kafkaRecord(&events[i].Record))
		}
	}
	same, gone, skipped, cut, grown := &Report{}, &Report{}, &Report{}, &Report{}, &Report{}
	online.compare(online, never, same)
	online.compare(later, never, gone)
	later.compare(online, never, skipped)
	online.compare(before, never, cut)
	online.compare(before, func(p place, _ int64) bool { return p == place{last.Topic, last.Partition} }, grown)
	if !same.OK() || gone.Count(Vanished) != 1 || skipped.Count(Vanished) != 1 || cut.OK() || !grown.OK() {
		t.Fatalf("want 0, 1, 1, some and 0 vanished:\n%s%s%s%s%s", same, gone, skipped, cut, grown)
	}
}

func TestNothingHappenedIsVacuous(t *testing.T) {
	r := &Report{}
	r.Require("restarts", 1, 3)
	if r.OK() || r.Count(Vacuous) != 1 {
		t.Fatal("a fault that did not happen was not named")
	}
}

func TestPayloadIsComputedAgainAlike(t *testing.T) {
	s := testSpec()
	s.PadMin, s.PadMax = 1000, 2000
	p, q := s.Plan(3, 77), s.Plan(3, 77)
	a, b := s.Payload(nil, &p, 0, 5), s.Payload(nil, &q, 0, 5)
	if string(a) != string(b) || len(a) < 1000 {
		t.Fatal("the same row has two payloads")
	}
	if !sameJSON(a, b) {
		t.Fatal("a payload is not JSON")
	}
	ref := Ref{3, 1<<33 + 77, 12}
	if got, ok := s.parseID([]byte(s.ID(ref))); !ok || got != ref {
		t.Fatalf("id of %v reads as %v", ref, got)
	}
	if got, ok := s.parsePayload(a); !ok || got != (Ref{3, 77, 0}) {
		t.Fatalf("payload reads as %v", got)
	}
}

// The partitions are those that Kafka's own Java client computes for these keys among 50.
func TestPartitionIsThatOfAJavaProducer(t *testing.T) {
	for key, hash := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536} {
		if got, want := javaPartition([]byte(key), 50), (hash&0x7fffffff)%50; got != want {
			t.Errorf("partition of %s is %d, want %d", key, got, want)
		}
	}
}
