package faults

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
)

// delivered is a stage whose pipeline has delivered some rows and was stopped.
func delivered(t *testing.T, rows int) *stage {
	t.Helper()
	s := newStage(t, options{})
	i := s.run()
	i.streaming(30 * time.Second)
	s.insert(rows)
	s.arrived(rows)
	if code := i.stop(); code != 0 {
		t.Fatalf("exit code %d after SIGTERM", code)
	}
	return s
}

// refuses starts an instance that must not go on.
func (s *stage) refuses(exit int, code string) {
	s.t.Helper()
	i := s.run()
	if got := i.ended(time.Minute); got != exit {
		s.t.Errorf("exit code %d, want %d", got, exit)
	}
	if i.said(code) == 0 {
		s.t.Errorf("the log does not say %s", code)
	}
}

func TestALostOffsetsTopicIsNoFirstStart(t *testing.T) {
	t.Parallel()
	s := delivered(t, 5)
	s.deleteTopic(s.offsets)
	s.insert(5)
	s.refuses(4, "kafka.offsets_lost")
	s.refuses(4, "kafka.offsets_lost") // it isn't believed the second time either
	s.arrived(5)
}

func TestAnOffsetsTopicLostWhileRunningStops(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{})
	i := s.run()
	i.streaming(30 * time.Second)
	s.insert(5)
	s.arrived(5)
	s.deleteTopic(s.offsets)
	s.insert(5)
	if code := i.ended(time.Minute); code != 4 {
		t.Errorf("exit code %d, want 4", code)
	}
}

func TestAnEmptiedOffsetsTopicIsNoFirstStart(t *testing.T) {
	t.Parallel()
	s := delivered(t, 5)
	ends, err := s.admin().ListEndOffsets(s.within(time.Minute), s.offsets)
	if err != nil {
		t.Fatal(err)
	}
	s.setTopic(s.offsets, "cleanup.policy", "delete")
	servers.Eventually(t, time.Minute, "every record is deleted", func() bool { // a broker hears of the policy after the controller's answer
		deleted, err := s.admin().DeleteRecords(s.within(time.Minute), ends.Offsets())
		return err == nil && deleted.Error() == nil
	})
	s.setTopic(s.offsets, "cleanup.policy", "compact")
	s.insert(5)
	s.refuses(4, "kafka.offsets_lost")
	s.arrived(5)
}

func TestAnOffsetsTopicThatForgetsIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{noOffsets: true})
	s.makeTopic(s.offsets, setting("cleanup.policy", "delete"))
	s.refuses(3, "kafka.offsets_not_compacted")
}

func TestAnUnreadableOffsetRecordIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value string }{
		{"garbage", "\x00\x01not a record"},
		{"cut short", `{"v":1,"pipeline":"NAME","instance":"x","seq":7`},
		{"of a newer version", `{"v":2,"pipeline":"NAME","instance":"x","config":"","seq":7,"events":7,"partial":false,"position":{"lsn":"0/1"},"at":"2026-01-01T00:00:00Z"}`},
		{"of another pipeline", `{"v":1,"pipeline":"other","instance":"x","config":"","seq":7,"events":7,"partial":false,"position":{"lsn":"0/1"},"at":"2026-01-01T00:00:00Z"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := delivered(t, 2)
			s.writeOffset(replaceName(c.value, s.name))
			s.insert(2)
			s.refuses(4, "kafka.offset_invalid")
			s.arrived(2)
		})
	}
}

// writeOffset puts a record under our key, where the last one is.
func (s *stage) writeOffset(value string) {
	s.t.Helper()
	client := s.broker.Client(s.t, kgo.ConsumeTopics(s.offsets), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var last *kgo.Record
	servers.Eventually(s.t, 30*time.Second, "an offset record is there", func() bool {
		client.PollFetches(s.within(5 * time.Second)).EachRecord(func(r *kgo.Record) { last = r })
		return last != nil
	})
	r := &kgo.Record{Topic: s.offsets, Partition: last.Partition, Key: last.Key, Value: []byte(value)}
	if err := client.ProduceSync(s.within(time.Minute), r).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

func TestNoRightOnTheTransactionalIDIsNamed(t *testing.T) {
	t.Parallel()
	broker := servers.StartKafka(t, servers.KafkaOptions{SASL: true, ACL: true})
	s := newStage(t, options{broker: broker, kafka: broker.SASLAddr})
	everything := kadm.NewACLs().Allow("User:outferry").AllowHosts().Topics("*").Groups("*").Clusters().Operations(kadm.OpAll).ResourcePatternType(kadm.ACLPatternLiteral)
	if _, err := s.admin().CreateACLs(s.within(time.Minute), everything); err != nil {
		t.Fatal(err)
	}
	i := s.run("kafka.sasl.mechanism=SCRAM-SHA-256", "kafka.sasl.user=outferry", "kafka.sasl.password=outferry")
	if code := i.ended(time.Minute); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	if i.said("TransactionalId outferry-"+s.name) == 0 {
		t.Error("the log does not name the right that is missing")
	}
}
