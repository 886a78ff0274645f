package offsets

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Find looks for the topic and reports whether it is there. Unlike Open it leaves no trace.
func (s *Store) Find(ctx context.Context) (bool, error) {
	topics, err := kadm.NewClient(s.Client).ListTopics(ctx, s.Topic)
	if err != nil {
		return false, unreachable("look for topic "+s.Topic, err)
	}
	t := topics[s.Topic]
	if errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
		s.partition = Partition(s.Pipeline, partitions) // as it will be when it is made
		return false, nil
	}
	if t.Err != nil || len(t.Partitions) == 0 {
		return false, unreachable("look for topic "+s.Topic, t.Err)
	}
	s.partition = Partition(s.Pipeline, len(t.Partitions))
	return true, nil
}

// Peek returns the newest committed record, or nil when there is none, as Load does, and leaves no trace. Where
// the pipeline runs, the record may be out of date at once.
func (s *Store) Peek(ctx context.Context) (*Record, error) {
	exists, err := s.Find(ctx)
	if err != nil {
		return nil, err
	}
	if !exists {
		return nil, s.witness(ctx, false)
	}
	return s.Load(ctx)
}

// HasGroup reports whether the group that testifies exists.
func (s *Store) HasGroup(ctx context.Context) (bool, error) {
	groups, err := kadm.NewClient(s.Client).DescribeGroups(ctx, s.Group)
	if err != nil {
		return false, unreachable("look for group "+s.Group, err)
	}
	g := groups[s.Group]
	if errors.Is(g.Err, kerr.GroupIDNotFound) || g.State == "Dead" {
		return false, nil
	}
	if g.Err != nil {
		return false, unreachable("look for group "+s.Group, g.Err)
	}
	return true, nil
}
