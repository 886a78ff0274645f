package sink

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestNullKeyStaysUntilItsBatchIsFull: the partition changes with the batch and not with the record.
func TestNullKeyStaysUntilItsBatchIsFull(t *testing.T) {
	p := partitioner{}.ForTopic("events")
	r := &kgo.Record{Partition: -1}
	first, moved := p.Partition(r, 6), false
	for range 50 {
		if got := p.Partition(r, 6); got != first {
			t.Fatalf("partition %d, then %d within one batch", first, got)
		}
	}
	for range 50 {
		p.(kgo.TopicPartitionerOnNewBatch).OnNewBatch()
		moved = moved || p.Partition(r, 6) != first
	}
	if !moved {
		t.Error("fifty batches all went to one partition")
	}
}
