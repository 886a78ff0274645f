package faults

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/feedcheck"
	"outferry/internal/servers"
)

const partitions = 3 // of an event topic

// stage is where instances play: a database with an outbox, a prefix of topics on a broker, a pipeline file.
type stage struct {
	t      *testing.T
	db     *servers.Database      // one of the two
	my     *servers.MySQLDatabase // MySQL or MariaDB
	broker *servers.Broker
	spec   feedcheck.Spec
	opts   options

	name      string // of the pipeline
	prefix    string // of the event topics
	offsets   string // topic
	dir       string
	file      string
	instances int // that were run
	inserted  int // rows, by insert
}

// options say where a stage is; what is empty is shared with other tests.
type options struct {
	postgres  *servers.PostgresServer
	mysql     *servers.MySQLServer
	version   string // of a shared MySQL or MariaDB
	broker    *servers.Broker
	kafka     string // how instances find the broker
	source    string // host:port of the database, for the instances
	payload   string // type of the column
	failover  bool   // the writers come by source too
	noTopics  bool   // the event topics are left to the pipeline
	noOffsets bool   // so is the offsets topic
}

func newStage(t *testing.T, o options) *stage {
	t.Helper()
	s := &stage{t: t, opts: o, broker: o.broker, spec: feedcheck.DefaultSpec(uint64(time.Now().UnixNano())), dir: t.TempDir()}
	if s.broker == nil {
		s.broker = servers.Kafka(t)
	}
	s.makeDatabase()
	s.name = strings.TrimSuffix(s.broker.Prefix(t), "-")
	s.prefix, s.offsets = s.name+".event.", s.name+".offsets"
	s.makeTables()
	s.makeTopics()
	s.write()
	return s
}

// streamingToItsKafka is a stage on a broker of its own, and an instance on it that streams.
func streamingToItsKafka(t *testing.T, set ...string) (*stage, *instance) {
	t.Helper()
	s := newStage(t, options{broker: servers.StartKafka(t, servers.KafkaOptions{})})
	i := s.run(set...)
	i.streaming(time.Minute)
	return s, i
}

func (s *stage) tables() feedcheck.Tables {
	t := feedcheck.Tables{Payload: s.opts.payload}
	if t.Payload == "" && s.my != nil {
		t.Payload = "longtext"
	}
	return t
}

func (s *stage) makeTopics() {
	s.t.Helper()
	client := s.broker.Client(s.t)
	if !s.opts.noTopics {
		for _, kind := range s.spec.Types {
			s.makeTopic(s.prefix+kind, nil)
		}
	}
	if s.opts.noOffsets {
		return
	}
	if err := feedcheck.MakeOffsetsTopic(s.within(time.Minute), client, s.offsets, 3); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) makeTopic(name string, config map[string]*string) {
	s.t.Helper()
	if _, err := s.admin().CreateTopic(s.within(time.Minute), partitions, 1, config, name); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) admin() *kadm.Client { return kadm.NewClient(s.broker.Client(s.t)) }

// write makes the pipeline file.
func (s *stage) write() {
	s.t.Helper()
	source := s.opts.source
	if source == "" {
		source = s.source()
	}
	kafka := s.opts.kafka
	if kafka == "" {
		kafka = s.broker.Addr
	}
	url, password := s.url(source)
	text := fmt.Sprintf(`service:
  log: {format: text}
---
name: %s
source:
  url: %s
  password: %s
  tables: [outbox]
  retry: {max: 1s}
router:
  topic: %s${routedByValue}
kafka:
  brokers: [%s]
offsets:
  topic: %s
`, s.name, url, password, s.prefix, kafka, s.offsets)
	s.file = filepath.Join(s.dir, "pipeline.yaml")
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	s.t.Cleanup(cancel)
	return ctx
}

// kafkaOptions is how the judges find the broker.
func (s *stage) kafkaOptions() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(s.broker.Addr)} }

// again is the same stage for another part of the test.
func (s *stage) again(t *testing.T) *stage {
	c := *s
	c.t = t
	return &c
}
