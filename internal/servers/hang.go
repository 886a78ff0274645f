package servers

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Trusting is a property of a broker that does not ask the coordinator about transactional records, as before
// Kafka 3.6: with it Hang can write.
const Trusting = "transaction.partition.verification.enable=false"

// Hang writes records of a transactional id's producer that no transaction holds, as a crashed broker leaves them
// that did not write a transaction's markers. They are epochs younger than its last transaction.
func (b *Broker) Hang(t testing.TB, transactionalID string, epochs int16, topic string, partition int32, key string, values ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := b.Client(t, kgo.MaxVersions(kversion.V3_0_0()))
	if err := hang(ctx, client, transactionalID, epochs, topic, partition, key, values); err != nil {
		t.Fatalf("leave records hanging in topic %s: %v", topic, err)
	}
}

func hang(ctx context.Context, client *kgo.Client, id string, epochs int16, topic string, partition int32, key string, values []string) error {
	described, err := kadm.NewClient(client).DescribeTransactions(ctx, id)
	if err != nil {
		return err
	}
	producer := described[id]
	if producer.Err != nil || producer.TxnID == "" {
		return fmt.Errorf("transactional id %s: %w", id, producer.Err)
	}
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = partition, transactional(producer.ProducerID, producer.ProducerEpoch+epochs, key, values)
	rt := kmsg.NewProduceRequestTopic()
	rt.Topic, rt.Partitions = topic, []kmsg.ProduceRequestTopicPartition{part}
	req := kmsg.NewPtrProduceRequest()
	req.TransactionID, req.Acks, req.TimeoutMillis, req.Topics = &id, -1, 10_000, []kmsg.ProduceRequestTopic{rt}
	resp, err := client.Broker(1).RetriableRequest(ctx, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode)
}

// transactional returns a batch of the message format 2.
func transactional(producer int64, epoch int16, key string, values []string) []byte {
	const transactionalBit = 0x10
	b := kmsg.RecordBatch{Magic: 2, PartitionLeaderEpoch: -1, Attributes: transactionalBit, LastOffsetDelta: int32(len(values) - 1),
		ProducerID: producer, ProducerEpoch: epoch, NumRecords: int32(len(values))}
	for i, v := range values {
		rec := kmsg.Record{OffsetDelta: int32(i), Key: []byte(key), Value: []byte(v)}
		rec.Length = int32(len(rec.AppendTo(nil)) - 1)
		b.Records = rec.AppendTo(b.Records)
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
