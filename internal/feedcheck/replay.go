package feedcheck

// replays checks at-least-once delivery: in each partition the feed may jump back, and must then play
// again what it played before, record by record, until it is past the place where it left off.
type replays struct {
	report *Report
	index  [][]uint32 // by writer and row: place in its partition's order of first arrivals, from 1
	parts  map[place]*tape
}

type tape struct {
	length uint32 // first arrivals
	at     uint32 // the place of the record before
	run    int64
}

func newReplays(o *Oracle, report *Report) *replays {
	p := &replays{report: report, index: make([][]uint32, len(o.writers)), parts: map[place]*tape{}}
	for w := range o.writers {
		p.index[w] = make([]uint32, o.writers[w].rows)
	}
	return p
}

func (p *replays) see(r *Record, ref Ref, n int64, again bool) {
	t := p.parts[place{r.Topic, r.Partition}]
	if t == nil {
		t = &tape{}
		p.parts[place{r.Topic, r.Partition}] = t
	}
	at1 := p.index[ref.W][n]
	if !again {
		t.length++
		at1 = t.length
		p.index[ref.W][n] = at1
	}
	switch {
	case at1 > t.at+1:
		p.report.Add(ReplayBroken, "%s: %s, but the replay had not come so far", at(r), ref)
	case at1 <= t.at:
		p.report.Stats.Replays++
		t.run = 0
	}
	if again {
		t.run++
		p.report.Stats.LongestReplay = max(p.report.Stats.LongestReplay, t.run)
	}
	t.at = at1
}
