package feedcheck

// Finish reads the offset records as one story: each follows the one before, tells how many events
// its Kafka transaction held, and comes from one instance at a time.
func (c *Commits) Finish() {
	c.report.Stats.OffsetRecords = int64(len(c.story))
	c.report.Stats.Instances = len(c.instances())
	if c.shared {
		c.report.note("TORN and the count of events in a commit: the broker has transaction version 1, where an epoch names no single transaction")
	}
	var before *chapter
	for i := range c.story {
		ch := &c.story[i]
		c.follows(before, ch)
		c.tally(before, ch)
		before = ch
	}
	c.oneWriter()
	c.without()
}

func (c *Commits) instances() map[string]bool {
	m := map[string]bool{}
	for i := range c.story {
		m[c.story[i].Instance] = true
	}
	return m
}

func (c *Commits) follows(before, ch *chapter) {
	if before == nil {
		return
	}
	switch {
	case ch.Seq == before.Seq+1:
	case ch.Seq > before.Seq && ch.afterHole:
		c.report.Stats.CompactedOffset += ch.Seq - before.Seq - 1
		c.report.note("some offset records: the offsets topic was compacted")
	default:
		c.report.Add(OffsetFork, "%s: seq %d after %d", ch.at, ch.Seq, before.Seq)
	}
	was, ok1 := before.lsn()
	is, ok2 := ch.lsn()
	if ok1 && ok2 && is < was && !c.rules.AllowGhosts {
		c.report.Add(OffsetFork, "%s: seq %d: the position went back from %s to %s", ch.at, ch.Seq, before.Position.LSN, ch.Position.LSN)
	}
}

// tally compares the running total with the events that are there. At least once has no such
// boundary, and the total leaves repeats out.
func (c *Commits) tally(before, ch *chapter) {
	if c.rules.AtLeastOnce || c.shared {
		return
	}
	g := c.groups[ch.id]
	if g == nil {
		return // outside a Kafka transaction: already said
	}
	c.report.Stats.KafkaCommits++
	was := int64(0)
	switch {
	case before != nil && ch.Seq == before.Seq+1:
		was = before.Events
	case before == nil && ch.Seq <= 1:
	default:
		return
	}
	if ch.Events-was != g.events {
		c.report.Add(OffsetFork, "%s: seq %d tells %d events, its Kafka transaction holds %d", ch.at, ch.Seq, ch.Events-was, g.events)
	}
}

// oneWriter checks that an instance which was followed by another never writes again, and that the
// other came with a new producer or a higher epoch: that is what fencing gives.
func (c *Commits) oneWriter() {
	over := map[string]bool{}
	for i := 1; i < len(c.story); i++ {
		a, b := &c.story[i-1], &c.story[i]
		if a.Instance == b.Instance {
			continue
		}
		over[a.Instance] = true
		if over[b.Instance] {
			c.report.Add(OffsetFork, "%s: seq %d: instance %s writes again after another took over", b.at, b.Seq, b.Instance)
		}
		if !c.rules.AtLeastOnce && a.id.producer == b.id.producer && b.id.epoch <= a.id.epoch {
			c.report.Add(OffsetFork, "%s: seq %d: a new instance with no higher epoch", b.at, b.Seq)
		}
	}
}

// without reports events that were committed with no offset record beside them.
func (c *Commits) without() {
	if c.rules.AtLeastOnce || c.shared {
		return
	}
	for _, g := range c.groups {
		switch {
		case g.offset != nil:
		case c.report.Stats.CompactedOffset > 0 || c.missesStart():
			c.report.Stats.CompactedOffset++
		default:
			c.report.Add(OffsetFork, "%s: %d events in a Kafka transaction without an offset record", g.example, g.events)
		}
	}
}

func (c *Commits) missesStart() bool {
	return len(c.story) > 0 && c.story[0].afterHole && c.story[0].Seq > 1
}
