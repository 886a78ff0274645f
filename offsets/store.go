package offsets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"outferry/outbox"
)

const (
	partitions   = 50
	segmentBytes = 16 << 20 // a start reads little
	firstLook    = 256      // newest offsets read first
)

// Store finds one pipeline's record in the offsets topic.
type Store struct {
	Topic       string
	Pipeline    string
	Group       string // whose committed offset is the second witness; also the transactional id
	Committed   bool   // the transactional id had committed before it was taken over: the third
	Replication int    // of a topic that we make; -1: three, or as many as there are brokers
	Client      *kgo.Client
	Patience    time.Duration // with a foreign open transaction that hides our record; 0: two minutes

	partition int32
	tombstone int64 // of the last look; 0: none
}

// Open finds the topic, or makes it, and checks that it keeps what it is given.
func (s *Store) Open(ctx context.Context) error {
	adm := kadm.NewClient(s.Client)
	topics, err := adm.ListTopics(ctx, s.Topic)
	if err != nil {
		return unreachable("look for topic "+s.Topic, err)
	}
	t := topics[s.Topic]
	if errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
		if err := s.create(ctx, adm); err != nil {
			return err
		}
		if t, err = s.awaitTopic(ctx, adm); err != nil {
			return err
		}
	}
	if t.Err != nil {
		return unreachable("look for topic "+s.Topic, t.Err)
	}
	s.partition = Partition(s.Pipeline, len(t.Partitions))
	return s.checkCompact(ctx, adm)
}

func (s *Store) create(ctx context.Context, adm *kadm.Client) error {
	rf := int16(s.Replication)
	if rf <= 0 {
		brokers, err := adm.ListBrokers(ctx)
		if err != nil {
			return unreachable("count the brokers", err)
		}
		rf = int16(min(3, len(brokers)))
	}
	policy, size := "compact", fmt.Sprint(segmentBytes)
	_, err := adm.CreateTopic(ctx, partitions, rf, map[string]*string{"cleanup.policy": &policy, "segment.bytes": &size}, s.Topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		if errors.Is(err, kerr.InvalidReplicationFactor) || errors.Is(err, kerr.InvalidConfig) || errors.Is(err, kerr.PolicyViolation) {
			return &outbox.Fault{Code: "kafka.topic_refused", Class: outbox.Environment, Err: fmt.Errorf("create topic %s: %w", s.Topic, err),
				Remedy: "correct offsets.replication_factor, or create it by hand with cleanup.policy=compact"}
		}
		return adminFault("create topic "+s.Topic, "grant Create on Topic "+s.Topic+" to the pipeline's principal, or create it by hand with cleanup.policy=compact", err)
	}
	return nil
}

// awaitTopic waits until every partition of a topic just made has a leader.
func (s *Store) awaitTopic(ctx context.Context, adm *kadm.Client) (kadm.TopicDetail, error) {
	for {
		topics, err := adm.ListTopics(ctx, s.Topic)
		if err != nil {
			return kadm.TopicDetail{}, unreachable("look for topic "+s.Topic, err)
		}
		t, ready := topics[s.Topic], true
		for _, p := range t.Partitions {
			ready = ready && p.Err == nil && p.Leader >= 0
		}
		if t.Err == nil && ready && len(t.Partitions) > 0 {
			return t, nil
		}
		select {
		case <-ctx.Done():
			return t, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// checkCompact refuses a topic that deletes: a quiet week would end in a first start.
func (s *Store) checkCompact(ctx context.Context, adm *kadm.Client) error {
	configs, err := adm.DescribeTopicConfigs(ctx, s.Topic)
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		return nil // DescribeConfigs is a permission that not everybody grants
	}
	if err != nil {
		return unreachable("read the configuration of topic "+s.Topic, err)
	}
	c, err := configs.On(s.Topic, nil)
	if err != nil || c.Err != nil {
		return nil
	}
	for _, entry := range c.Configs {
		if entry.Key == "cleanup.policy" && entry.MaybeValue() != "compact" {
			return &outbox.Fault{Code: "kafka.offsets_not_compacted", Class: outbox.Environment,
				Err:    fmt.Errorf("topic %s has cleanup.policy=%s and would forget positions", s.Topic, entry.MaybeValue()),
				Remedy: fmt.Sprintf("kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config cleanup.policy=compact", s.Topic)}
		}
	}
	return nil
}

// Place returns where the pipeline's record is written.
func (s *Store) Place() (topic string, partition int32) { return s.Topic, s.partition }

// Record is what makes value the pipeline's newest record when it is committed; nil is a tombstone.
func (s *Store) Record(value []byte) *kgo.Record {
	return &kgo.Record{Topic: s.Topic, Partition: s.partition, Key: []byte(s.Pipeline), Value: value}
}

// Load returns the newest committed record, or nil at a first start. The caller has fenced older writers,
// so what is there now is all there will be. The newest offsets are read first; "none" is believed only
// after the whole partition, and not where the group remembers that there was one. Then it looks once more: an
// instance that fenced us may have begun between our two looks.
func (s *Store) Load(ctx context.Context) (*Record, error) {
	r, err := s.load(ctx)
	if isLost(err) {
		return s.load(ctx)
	}
	return r, err
}

func (s *Store) load(ctx context.Context) (*Record, error) {
	s.tombstone = 0
	start, end, err := s.bounds(ctx)
	if err != nil {
		return nil, err
	}
	for look := int64(firstLook); ; look *= 16 {
		from := max(start, end-look)
		last, err := s.scan(ctx, from, end)
		if err != nil {
			return nil, err
		}
		if last != nil && last.Value != nil {
			return s.parse(last)
		}
		if last != nil {
			s.tombstone = last.Offset
		}
		if last != nil || from == start { // a tombstone, or nothing at all
			return nil, s.witness(ctx, last != nil)
		}
	}
}

// Tombstone returns the offset of the tombstone that the last look found instead of a record, 0 where it found none: a
// tombstone comes after a record.
func (s *Store) Tombstone() int64 { return s.tombstone }

func (s *Store) parse(found *kgo.Record) (*Record, error) {
	r, err := Parse(found.Value, s.Pipeline)
	if err != nil {
		return nil, &outbox.Fault{Code: "kafka.offset_invalid", Class: outbox.PositionLost,
			Err:    fmt.Errorf("topic %s, partition %d, offset %d: %w", s.Topic, s.partition, found.Offset, err),
			Remedy: "use the build that wrote it, or set the position with outferry offsets set"}
	}
	r.Producer, r.ProducerEpoch = found.ProducerID, found.ProducerEpoch
	return r, nil
}

// Stable returns the first offset that readers of committed records do not see yet.
func (s *Store) Stable(ctx context.Context) (int64, error) {
	const latest, committed = -1, 1
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp = s.partition, latest
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic, topic.Partitions = s.Topic, []kmsg.ListOffsetsRequestTopicPartition{part}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel, req.Topics = -1, committed, []kmsg.ListOffsetsRequestTopic{topic}
	resp, err := req.RequestWith(ctx, s.Client)
	if err != nil {
		return 0, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return 0, kerr.UnknownTopicOrPartition
	}
	p := resp.Topics[0].Partitions[0]
	return p.Offset, kerr.ErrorForCode(p.ErrorCode)
}

func (s *Store) bounds(ctx context.Context) (start, end int64, err error) {
	adm := kadm.NewClient(s.Client)
	starts, err := adm.ListStartOffsets(ctx, s.Topic)
	if err != nil {
		return 0, 0, unreachable("list offsets of topic "+s.Topic, err)
	}
	ends, err := adm.ListEndOffsets(ctx, s.Topic) // the high watermark, not what is stable
	if err != nil {
		return 0, 0, unreachable("list offsets of topic "+s.Topic, err)
	}
	so, _ := starts.Lookup(s.Topic, s.partition)
	eo, ok := ends.Lookup(s.Topic, s.partition)
	if err := errors.Join(so.Err, eo.Err); err != nil || !ok {
		return 0, 0, unreachable(fmt.Sprintf("list offsets of topic %s partition %d", s.Topic, s.partition), err)
	}
	return so.Offset, eo.Offset, nil
}

// scan returns the last committed record under our key from from to end, nil if there is none; one without a
// value is a tombstone.
func (s *Store) scan(ctx context.Context, from, end int64) (last *kgo.Record, err error) {
	err = s.each(ctx, from, end, func(r *kgo.Record) {
		if string(r.Key) == s.Pipeline {
			last = r
		}
	})
	return last, err
}

// each calls f with the committed records from from to end.
func (s *Store) each(ctx context.Context, from, end int64, f func(*kgo.Record)) error {
	blocked, patience := time.Now(), s.Patience
	if patience == 0 {
		patience = 2 * time.Minute
	}
	for next := from; next < end; {
		p, after, err := s.fetch(ctx, next)
		if err != nil {
			return err
		}
		for _, r := range p.Records {
			if r.Offset < end {
				f(r)
			}
		}
		if after > next {
			next, blocked = after, time.Now()
			continue
		}
		if time.Since(blocked) > patience {
			return &outbox.Fault{Code: "kafka.hanging_transaction", Class: outbox.Environment,
				Err:    fmt.Errorf("read topic %s partition %d: an open transaction hides what follows offset %d", s.Topic, s.partition, next),
				Remedy: "start the pipeline, which ends what hangs of its own; find another's with kafka-transactions.sh find-hanging, and abort it"}
		}
	}
	return nil
}

// fetch reads one chunk by hand: the client's own consumer does not say where it stands when the last
// offsets of a partition hold no record.
func (s *Store) fetch(ctx context.Context, at int64) (kgo.FetchPartition, int64, error) {
	what := fmt.Sprintf("read topic %s partition %d at %d", s.Topic, s.partition, at)
	topics, err := kadm.NewClient(s.Client).ListTopics(ctx, s.Topic)
	if err != nil {
		return kgo.FetchPartition{}, at, unreachable(what, err)
	}
	t := topics[s.Topic]
	leader := t.Partitions[s.partition].Leader
	if leader < 0 {
		return kgo.FetchPartition{}, at, unreachable(what, kerr.LeaderNotAvailable)
	}
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = s.partition, at, 4<<20
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = s.Topic, t.ID, []kmsg.FetchRequestTopicPartition{part}
	req := kmsg.NewFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = 250, 1, 8<<20, 1
	req.Topics = []kmsg.FetchRequestTopic{topic}
	resp, err := s.Client.Broker(int(leader)).RetriableRequest(ctx, &req)
	if err != nil {
		return kgo.FetchPartition{}, at, unreachable(what, err)
	}
	f := resp.(*kmsg.FetchResponse)
	if f.ErrorCode != 0 || len(f.Topics) != 1 || len(f.Topics[0].Partitions) != 1 {
		return kgo.FetchPartition{}, at, unreachable(what, kerr.ErrorForCode(f.ErrorCode))
	}
	opts := kgo.ProcessFetchPartitionOpts{Offset: at, IsolationLevel: kgo.ReadCommitted(), Topic: s.Topic, Partition: s.partition}
	p, next := kgo.ProcessFetchPartition(opts, &f.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
	if p.Err != nil {
		return p, at, unreachable(what, p.Err)
	}
	return p, next, nil
}

// witness is asked when there is no record. That there was one is known from the group's committed offset, which
// outlives an emptied topic, and from the transactional id, which outlives a deleted one: then the topic was
// lost, and to start anew would skip rows.
func (s *Store) witness(ctx context.Context, tombstone bool) error {
	if tombstone {
		return nil // offsets reset wrote it on purpose
	}
	if s.Committed {
		// The fence has changed what the transactional id says: the group repeats it to the next start.
		if err := s.Testify(ctx, 0); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return err
		}
		return s.lost(fmt.Sprintf("transactional id %s has committed before", s.Group))
	}
	got, err := s.groupOffsets(ctx)
	if err != nil {
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil
		}
		return unreachable("read the offsets of group "+s.Group, err)
	}
	for partition, o := range got[s.Topic] { // whichever it was: partitions may have been added
		if o.Err == nil && o.At >= 0 {
			return s.lost(fmt.Sprintf("group %s remembers one in partition %d at offset %d", s.Group, partition, o.At))
		}
	}
	return nil
}

// groupOffsets asks a moment longer where no coordinator answers: a cluster that never had a group makes one now.
func (s *Store) groupOffsets(ctx context.Context) (got kadm.OffsetResponses, err error) {
	for deadline := time.Now().Add(5 * time.Second); ; {
		got, err = kadm.NewClient(s.Client).FetchOffsets(ctx, s.Group)
		if !errors.Is(err, kerr.CoordinatorNotAvailable) || time.Now().After(deadline) {
			return got, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func isLost(err error) bool {
	var f *outbox.Fault
	return errors.As(err, &f) && f.Code == "kafka.offsets_lost"
}

func (s *Store) lost(witness string) error {
	return &outbox.Fault{Code: "kafka.offsets_lost", Class: outbox.PositionLost,
		Err:    fmt.Errorf("topic %s has no record of pipeline %s, but %s", s.Topic, s.Pipeline, witness),
		Remedy: "the topic was deleted or emptied, or got more partitions: set the position with outferry offsets set " + s.Pipeline + ", or start over with outferry offsets reset " + s.Pipeline}
}

// Testify commits the group's offset, so that a lost topic is never mistaken for a first start. The
// coordinator forgets an idle group after offsets.retention.minutes (a week), so it is done again each hour.
func (s *Store) Testify(ctx context.Context, offset int64) error {
	o := kadm.Offsets{}
	o.AddOffset(s.Topic, s.partition, offset, -1)
	if err := kadm.NewClient(s.Client).CommitAllOffsets(ctx, s.Group, o); err != nil {
		return unreachable("commit an offset of group "+s.Group, err)
	}
	return nil
}

// Forget takes the group away, for a pipeline that is removed or reset.
func (s *Store) Forget(ctx context.Context) error {
	r, err := kadm.NewClient(s.Client).DeleteGroup(ctx, s.Group)
	if err == nil {
		err = r.Err
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return unreachable("delete group "+s.Group, err)
	}
	return nil
}

func unreachable(doing string, err error) error {
	if err == nil {
		err = errors.New("the broker's answer is incomplete")
	}
	if remedy := grant(err); remedy != "" {
		return adminFault(doing, remedy, err)
	}
	return &outbox.Fault{Code: "kafka.unreachable", Class: outbox.Transient, Err: fmt.Errorf("%s: %w", doing, err)}
}

// grant says which ACL an error asks for; "" where it is of another kind.
func grant(err error) string {
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return "grant Describe, Read and Write on that Topic to the pipeline's principal"
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return "grant Read on that Group to the pipeline's principal"
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		return "grant the missing operation on the Cluster to the pipeline's principal"
	}
	return ""
}

func adminFault(doing, remedy string, err error) error {
	f := &outbox.Fault{Code: "kafka.permission", Class: outbox.Environment, Err: fmt.Errorf("%s: %w", doing, err), Remedy: remedy}
	var ke *kerr.Error
	if !errors.As(err, &ke) || ke.Retriable {
		f.Code, f.Class = "kafka.unreachable", outbox.Transient
	}
	return f
}
