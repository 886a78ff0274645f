package offsets

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/outbox"
)

// ReadConnect reads a connector's newest offset from Kafka Connect's own topic. Server picks one of several.
func ReadConnect(ctx context.Context, cl *kgo.Client, topic, connector, server string) (*ConnectOffset, error) {
	topics, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	if err == nil {
		err = topics[topic].Err
	}
	if err != nil {
		return nil, unreachable("look for topic "+topic, err)
	}
	newest := map[string]*kgo.Record{} // by key: the last one read counts, as in Connect
	for _, p := range topics[topic].Partitions.Sorted() {
		s := &Store{Topic: topic, Client: cl, partition: p.Partition}
		from, end, err := s.bounds(ctx)
		if err != nil {
			return nil, err
		}
		if err := s.each(ctx, from, end, func(r *kgo.Record) { newest[string(r.Key)] = r }); err != nil {
			return nil, err
		}
	}
	return pickConnect(newest, topic, connector, server)
}

func pickConnect(newest map[string]*kgo.Record, topic, connector, server string) (*ConnectOffset, error) {
	var found []*ConnectOffset
	var others []string
	for key, r := range newest {
		name, prefix, ok := connectKey([]byte(key))
		if !ok || r.Value == nil {
			continue
		}
		if name != connector || server != "" && prefix != server {
			others = append(others, name+" (server "+prefix+")")
			continue
		}
		o, err := parseConnectValue(prefix, r.Value)
		if err != nil {
			return nil, err
		}
		found = append(found, o)
	}
	if len(found) == 0 {
		slices.Sort(others)
		return nil, &outbox.Fault{Code: "connect.offset_missing", Class: outbox.Environment,
			Err:    fmt.Errorf("read topic %s: it has no offset of connector %s", topic, connector),
			Remedy: "it has offsets of: " + strings.Join(others, ", ")}
	}
	return theOne(found)
}
