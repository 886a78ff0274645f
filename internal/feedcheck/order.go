package feedcheck

import (
	"fmt"
	"strings"
)

// keyState is how far a key has come in the topic.
type keyState struct {
	partition int32
	v         int64
	nth       int
	last      bool   // that row was the key's last of its transaction
	gaps      int    // jumps ahead that no late row has explained yet
	afterGap  string // the row behind the first jump
}

// affinity checks that a key stays in its partition. A key that one transaction took and no other ever
// will is forgotten as soon as its rows are there, so that memory follows the shared keys only.
func (j *Judge) affinity(r *Record, ref Ref, key string) {
	n := j.rules.Partitions[r.Topic]
	if !j.rules.AnyPartition && n > 0 && javaPartition([]byte(key), n) != r.Partition {
		j.report.Add(Affinity, "%s: %s belongs in partition %d", at(r), ref, javaPartition([]byte(key), n))
	}
	k := j.keys[key]
	if k == nil {
		k = &keyState{partition: r.Partition, last: true}
		j.keys[key] = k
	}
	if k.partition != r.Partition && j.rules.AnyPartition {
		j.report.Add(Affinity, "%s: %s: its key was in partition %d before", at(r), ref, k.partition)
	}
}

// order checks the commit order of the row's key, and of its writer in the partition: a writer
// starts no transaction before the last one's fate is known, so that order is commit order too.
func (j *Judge) order(r *Record, ref Ref, t *Tx, v int64) {
	p := &t.Rows[ref.Row]
	key := t.Keys[p.Key]
	k := j.keys[key]
	switch {
	case v < k.v || v == k.v && p.Nth < k.nth:
		k.gaps = max(0, k.gaps-1)
		j.report.Add(Reorder, "%s: %s after a later row of its key", at(r), ref)
		return
	case !k.follows(v, p.Nth):
		if k.gaps++; k.afterGap == "" {
			k.afterGap = fmt.Sprintf("%s: %s", at(r), ref)
		}
	}
	k.v, k.nth, k.last = v, p.Nth, p.Last
	j.writerOrder(r, ref)
	if p.Last && k.gaps == 0 && strings.HasPrefix(key, "once-") && !j.rules.AtLeastOnce && !j.rules.AnyPartition {
		delete(j.keys, key)
	}
}

func (k *keyState) follows(v int64, nth int) bool {
	if k.last {
		return v == k.v+1 && nth == 0
	}
	return v == k.v && nth == k.nth+1
}

func (j *Judge) writerOrder(r *Record, ref Ref) {
	here := place{r.Topic, r.Partition}
	last := j.writers[here]
	if last == nil {
		last = make([]Ref, j.oracle.Spec.Writers)
		for i := range last {
			last[i].Tx = -1
		}
		j.writers[here] = last
	}
	l := &last[ref.W]
	if ref.Tx < l.Tx || ref.Tx == l.Tx && ref.Row < l.Row {
		j.report.Add(Reorder, "%s: %s after %s", at(r), ref, *l)
		return
	}
	*l = ref
}

func address(topic string, partition int32, offset int64) string {
	return fmt.Sprintf("%s/%d@%d", topic, partition, offset)
}
