package sink

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// past is what the coordinator says of a transactional id before it is taken over. The fence changes it.
type past struct {
	producer int64 // -1: none, or it can't be had
	epoch    int16
	state    string         // CompleteCommit; empty where it can't be had
	open     kadm.TopicsSet // partitions of a transaction that the fence aborts
}

// committed reports whether its last transaction was.
func (p *past) committed() bool { return p.state == "CompleteCommit" || p.state == "PrepareCommit" }

// Fence takes the transactional id over: from here on no older instance can commit, and what one left open is
// resolved. The offset record is at topic and partition. Whatever else may fail does so before the fence, and not
// between it and what it makes necessary.
func (s *Sink) Fence(ctx context.Context, topic string, partition int32) error {
	if !s.exact {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	s.Describe(ctx)
	if _, err := s.hanging(ctx, s.before.producer, kadm.TopicsSet{topic: {partition: {}}}); err != nil {
		return err
	}
	if _, err := s.hangingRouted(ctx, s.before.producer); err != nil {
		return err
	}
	id, _, err := s.cl.ProducerID(ctx)
	if err != nil {
		return s.fault("take over transactional id "+s.cfg.Kafka.TransactionalID, err)
	}
	s.producer = id
	return s.mendOffsets(ctx, topic, partition)
}

// Describe asks how the last transaction ended, and fences nobody.
func (s *Sink) Describe(ctx context.Context) {
	s.before = past{producer: -1}
	t, err := s.last(ctx)
	if err != nil {
		return
	}
	s.before = past{producer: t.ProducerID, epoch: t.ProducerEpoch, state: t.State}
	if t.State == "Ongoing" {
		s.before.open = kadm.TopicsSet{}
		for _, topic := range t.Topics {
			s.before.open.Add(topic.Topic, topic.Partitions...)
		}
	}
}

// manyEpochs is more than a pipeline's first start would need: with transaction.version 2 each transaction takes an epoch, with 1
// each start. Where nothing but starts is seen, each in a process of its own, there may be as many as a supervisor makes of them
// in a weekend in which an administrator's slot is waited for.
const manyEpochs, manyStarts = 100, 10_000

// HasCommitted reports whether the transactional id committed before this client took it over. Each commit holds
// an offset record, so it is a witness of one that outlives the offsets topic. A broker that can't say is none. Of its
// epochs the idle ones are those of clients that took it over and committed nothing.
func (s *Sink) HasCommitted(idle int) bool {
	many := manyEpochs
	if s.before.state == "Empty" {
		many = manyStarts
	}
	return s.before.committed() || int(s.before.epoch)-idle >= many
}
