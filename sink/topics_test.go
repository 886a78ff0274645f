package sink_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"outferry/outbox"
)

func TestTopicIsMadeAsTheFileSays(t *testing.T) {
	r, _, topic := onKafka(t, "kafka.topics.partitions=3", "kafka.topics.replication_factor=1")
	r.cfg.Kafka.Topics.Config = map[string]string{"retention.ms": "7200000"}
	if err := r.land(deadline(t), to(topic, "one")); err != nil {
		t.Fatal(err)
	}
	adm := kadm.NewClient(r.Client())
	topics, err := adm.ListTopics(deadline(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	if d := topics[topic]; len(d.Partitions) != 3 || len(d.Partitions[0].Replicas) != 1 {
		t.Errorf("%d partitions, want 3", len(d.Partitions))
	}
	configs, err := adm.DescribeTopicConfigs(deadline(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range configs[0].Configs {
		if c.Key == "retention.ms" && c.MaybeValue() != "7200000" {
			t.Errorf("retention.ms is %s", c.MaybeValue())
		}
	}
}

func TestTopicThatKafkaRefusesIsNamed(t *testing.T) {
	r, _, topic := onKafka(t, "kafka.topics.replication_factor=3") // of one broker
	wantFault(t, r.land(deadline(t), to(topic, "one")), "kafka.topic_refused", outbox.Environment, topic, "kafka.topics")
}

func TestTopicThatCollidesWithAnotherIsNamed(t *testing.T) {
	r, _, topic := onKafka(t)
	if err := r.land(deadline(t), to(topic+".a.b", "one")); err != nil {
		t.Fatal(err)
	}
	wantFault(t, r.land(deadline(t), to(topic+".a_b", "two")), "row.topic_invalid", outbox.Internal, topic+".a_b", "dots and underscores")
}

func TestMissingTopicIsWaitedForWhereItMayNotBeMade(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts", "kafka.topics.create=false")).offsetsTopic(t)
	wantFault(t, r.land(deadline(t), to("events", "one")), "kafka.topic_missing", outbox.Transient, "events")
	r.Abort(deadline(t))
	makeTopic(t, r.Client(), "events", 1)
	r = open(t, r.cfg)
	if err := r.land(deadline(t), to("events", "one")); err != nil {
		t.Fatal(err)
	}
}

// Whoever may insert a row may name a topic.
func TestTopicsHaveALimit(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts", "kafka.topics.limit=2")).offsetsTopic(t)
	if err := r.land(deadline(t), append(to("a", "1"), append(to("b", "2"), to("a", "3")...)...)); err != nil {
		t.Fatal(err)
	}
	wantFault(t, r.land(deadline(t), to("c", "4")), "row.topics_limit", outbox.Internal, "topic c", "kafka.topics.limit is 2")
	if c.TopicInfo("c") != nil {
		t.Error("the topic was made")
	}
}

func TestRecordAboveTheLimitIsNeverProduced(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts", "kafka.max_record=10KB")).offsetsTopic(t)
	if err := r.land(deadline(t), to("events", strings.Repeat("x", 4000))); err != nil {
		t.Fatal(err)
	}
	produced := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1})
	err := r.take(deadline(t), to("events", strings.Repeat("x", 11000)))
	wantFault(t, err, "row.record_too_large", outbox.Internal, "events", "kafka.max_record")
	if produced.Hits() != 0 {
		t.Error("it was produced")
	}
	if strings.Contains(err.Error(), "xxx") {
		t.Error("the fault shows the payload")
	}
}

func TestTheLargestRecordThatTheFileTakesSuitsTheClient(t *testing.T) {
	open(t, file(t, fake(t).ListenAddrs()[0], "posts", "kafka.max_record=512MiB", "kafka.max_buffered=1GiB"))
}

func TestPartitionThatTheTopicLacksStops(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	makeTopic(t, r.Client(), "events", 3)
	if err := r.land(deadline(t), []event{{topic: "events", value: "in range", partition: 2}}); err != nil {
		t.Fatal(err)
	}
	beyond := []event{{topic: "events", value: "beyond", partition: 3}}
	wantFault(t, r.take(deadline(t), beyond), "row.partition_out_of_range", outbox.Internal, "partition 3", "topic events has 3")
	r.Abort(deadline(t))
	if _, err := kadm.NewClient(r.Client()).CreatePartitions(deadline(t), 1, "events"); err != nil {
		t.Fatal(err)
	}
	r = open(t, r.cfg)
	if err := r.land(deadline(t), beyond); err != nil {
		t.Fatal(err)
	}
}

// Partitions that are added while we run are known at the latest to the next session.
func TestAddedPartitionIsFound(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	makeTopic(t, r.Client(), "events", 1)
	if err := r.land(deadline(t), to("events", "one")); err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(r.Client()).CreatePartitions(deadline(t), 1, "events"); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		err := r.land(deadline(t), []event{{topic: "events", value: "two", partition: 1}})
		if err == nil {
			break
		}
		wantFault(t, err, "kafka.unreachable", outbox.Transient)
		if n > 0 {
			t.Fatal(err)
		}
		r.Abort(deadline(t))
		r = open(t, r.cfg)
	}
}

func TestDeniedTopicNamesTheGrant(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Err: kerr.TopicAuthorizationFailed, Count: 1})
	wantFault(t, r.take(deadline(t), to("events", "one")), "kafka.permission", outbox.Environment, "grant Create on Topic events")
}
