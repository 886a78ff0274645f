package sink_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"outferry/configs"
	"outferry/outbox"
	"outferry/sink"
)

// leaderless takes the leader of a topic's partition away until then. Afterwards a transaction hangs there.
func leaderless(c *kfake.Cluster, topic string, hangs func() (int64, int16), until time.Time) {
	c.ControlKey(int16(kmsg.DescribeProducers), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.DescribeProducersRequest)
		resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewDescribeProducersResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewDescribeProducersResponseTopicPartition()
				rp.Partition = p
				switch {
				case t.Topic != topic:
				case time.Now().Before(until):
					rp.ErrorCode = kerr.LeaderNotAvailable.Code
				default:
					a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
					id, epoch := hangs()
					a.ProducerID, a.ProducerEpoch, a.CurrentTxnStartOffset = id, int32(epoch), 7
					rp.ActiveProducers = append(rp.ActiveProducers, a)
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

// TestAPartitionWithoutALeaderIsAskedAgain, where its topic may be ours; one that stays so is said to be unseen.
func TestAPartitionWithoutALeaderIsAskedAgain(t *testing.T) {
	for _, c := range []struct {
		name, file string
		away       time.Duration
		within     time.Duration // what the caller has
	}{
		{"back soon", "router.topic=${routedByValue}", 6 * time.Second, time.Minute},
		{"away for longer than a command waits", "router.topic=${routedByValue}", time.Hour, 3 * time.Second},
		{"of another pattern, back soon", "router.topic_pattern=x(?<routedByValue>.*)", 2 * time.Second, time.Minute},
		{"of another pattern, away", "router.topic_pattern=x(?<routedByValue>.*)", time.Hour, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cluster := fake(t, kfake.SeedTopics(1, "beside"))
			cfg := file(t, cluster.ListenAddrs()[0], "posts", c.file)
			s, said := openSaying(t, cfg)
			id, epoch, err := s.Client().ProducerID(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			leaderless(cluster, "beside", func() (int64, int16) { return id, epoch }, time.Now().Add(c.away))
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			err = s.MendEvents(ctx, id, epoch)
			const unseen = "what hangs there can't be seen"
			if c.away == time.Hour {
				if err != nil || strings.Count(said(), unseen) != 1 || !strings.Contains(said(), "topic=beside partition=0 partitions=1") {
					t.Errorf("%v, and it said %s", err, said())
				}
				return
			}
			wantFault(t, err, "kafka.markers_lost", outbox.Transient, "topic beside partition 0 offset 7", "commit=true")
			if strings.Contains(said(), unseen) || !strings.Contains(said(), "nobody knows whether it was") || !strings.Contains(said(), "topic=beside partition=0 offset=7") {
				t.Errorf("it said %s", said())
			}
		})
	}
}

// openSaying keeps what the sink says.
func openSaying(t *testing.T, cfg *configs.Pipeline) (s *sink.Sink, said func() string) {
	t.Helper()
	var mu sync.Mutex
	var log bytes.Buffer
	s, err := sink.Open(deadline(t), cfg, hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: &log, Mutex: &mu}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Fence(deadline(t), cfg.Offsets.Topic, 0); err != nil {
		t.Fatal(err)
	}
	return s, func() string {
		mu.Lock()
		defer mu.Unlock()
		return log.String()
	}
}
