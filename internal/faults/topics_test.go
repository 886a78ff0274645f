package faults

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"outferry/internal/servers"
)

func setting(name, value string) map[string]*string { return map[string]*string{name: &value} }

// setTopic changes one setting of a topic.
func (s *stage) setTopic(topic, name, value string) {
	s.t.Helper()
	got, err := s.admin().AlterTopicConfigs(s.within(time.Minute), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, topic)
	if err == nil {
		_, err = got.On(topic, nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) deleteTopic(topic string) {
	s.t.Helper()
	if _, err := s.admin().DeleteTopic(s.within(time.Minute), topic); err != nil {
		s.t.Fatal(err)
	}
	servers.Eventually(s.t, 30*time.Second, "topic "+topic+" is gone", func() bool { return !s.exists(topic) })
}

func (s *stage) exists(topic string) bool {
	s.t.Helper()
	got, err := s.admin().ListTopics(s.within(time.Minute), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	return got[topic].Err == nil
}

// A record that can't be published stops the pipeline at it: all that precedes it is delivered, nothing behind it.
func TestARecordTooLargeStopsThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, code, limit, set string }{
		{"refused by the broker", "row.refused_by_broker", "2000", "kafka.max_record=1MiB"},
		{"refused by us", "row.record_too_large", "1000000", "kafka.max_record=2KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, options{noTopics: true})
			s.makeTopic(s.prefix+"order", setting("max.message.bytes", c.limit))
			i := s.run(c.set)
			i.streaming(30 * time.Second)
			i.signalStop() // so that good and bad come in one batch
			s.insert(20)
			id := s.insertSized(9000)
			s.insert(20)
			i.signalGo()
			if code := i.ended(time.Minute); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if i.said(c.code) == 0 || i.said(id) == 0 {
				t.Errorf("the log names %s %d times and the row %d times", c.code, i.said(c.code), i.said(id))
			}
			s.arrived(20)
			i = s.run(c.set)
			if code := i.ended(time.Minute); code != 1 {
				t.Errorf("exit code %d after a restart, want 1", code)
			}
			s.arrived(20)
			s.setTopic(s.prefix+"order", "max.message.bytes", "1000000")
			s.run("kafka.max_record=1MiB").streaming(30 * time.Second)
			s.arrived(41)
		})
	}
}

func TestAMissingTopicIsWaitedForOrMade(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{noTopics: true})
	topic := s.prefix + "order"
	i := s.run("kafka.topics.create=false")
	i.streaming(30 * time.Second)
	s.insert(5)
	servers.Eventually(t, 30*time.Second, "the pipeline waits", func() bool { return i.state() == "waiting" })
	i.says("kafka.topic_missing", time.Second)
	if s.exists(topic) {
		t.Fatal("the topic was made although kafka.topics.create is false")
	}
	s.makeTopic(topic, nil)
	s.arrived(5)
	i.stopsInOrder()
	i = s.run("kafka.topics.partitions=4", "kafka.topics.replication_factor=1")
	s.db.Exec(t, "INSERT INTO outbox SELECT gen_random_uuid(), 'parcel', 'k', 'placed', 'payload'")
	s.arrived(6)
	got, err := s.admin().ListTopics(s.within(time.Minute), s.prefix+"parcel")
	if err != nil || len(got[s.prefix+"parcel"].Partitions) != 4 {
		t.Errorf("%d partitions, want 4 (%v)", len(got[s.prefix+"parcel"].Partitions), err)
	}
}

// Whoever deletes a topic loses what was in it; what comes after that must not be lost with it.
func TestATopicDeletedAndMadeAgainGetsWhatFollows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		make bool
	}{{"by us", false}, {"by somebody else", true}} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, options{})
			i := s.run()
			i.streaming(30 * time.Second)
			s.insert(10)
			s.arrived(10)
			s.deleteTopic(s.prefix + "order")
			if c.make {
				s.makeTopic(s.prefix+"order", nil)
			}
			s.insert(10)
			s.arrived(10)
			s.insert(10)
			s.arrived(20)
			i.stopsInOrder()
		})
	}
}
