// Package sink lands records in Kafka: a batch's records and the offset record that covers them become
// visible together, or not at all. In go rows with the route they take; out comes "committed", or a fault
// that says whether the same client may be used again (it may not: whatever went wrong, the caller makes a
// new Sink, which fences the old one, and believes only the offsets topic).
package sink

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"outferry/configs"
	"outferry/internal/transport"
	"outferry/outbox"
)

// TransactionTimeout is how long the broker lets one of our transactions stay open. A crashed instance's
// transaction hides what follows it from readers that long at the most.
const TransactionTimeout = time.Minute

// ClientOptions returns what every client of a pipeline needs: brokers, TLS and SASL.
func ClientOptions(cfg *configs.Kafka) ([]kgo.Opt, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(cfg.Brokers...), kgo.ClientID(cfg.ClientID), kgo.DialTimeout(10 * time.Second),
		kgo.MetadataMinAge(100 * time.Millisecond)} // a topic just made is found at once
	if cfg.TLS.Mode != "disable" {
		if _, err := transport.TLS(cfg.TLS, ""); err != nil {
			return nil, &outbox.Fault{Code: "kafka.tls", Class: outbox.Config, Err: fmt.Errorf("prepare kafka.tls: %w", err)}
		}
		opts = append(opts, kgo.Dialer(tlsDialer(cfg.TLS)))
	}
	if cfg.SASL.Mechanism == "PLAIN" && cfg.TLS.Mode == "disable" {
		opts = append(opts, kgo.Dialer(dialHere))
	}
	if cfg.SASL.Mechanism != "" {
		opts = append(opts, kgo.SASL(mechanism(cfg.SASL)))
	}
	return opts, nil
}

// dialHere connects to brokers of this machine alone, as the file says where a password goes in clear: an address that a broker
// advertises may be another's, as behind a tunnel.
func dialHere(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if !onThisMachine(conn.RemoteAddr(), conn.LocalAddr()) {
		_ = conn.Close()
		return nil, fmt.Errorf("broker %s, which the others name, is not on this machine, and PLAIN without TLS would send the password in clear: set kafka.tls.mode", addr)
	}
	return conn, nil
}

func onThisMachine(remote, local net.Addr) bool {
	there, isTCP := remote.(*net.TCPAddr)
	here, alsoTCP := local.(*net.TCPAddr)
	return isTCP && alsoTCP && (there.IP.IsLoopback() || there.IP.Equal(here.IP))
}

// tlsDialer verifies each broker by its own name, with certificates read anew for each connection.
func tlsDialer(cfg configs.TLS) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		c, err := transport.TLS(cfg, host)
		if err != nil {
			return nil, err
		}
		return (&tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: c}).DialContext(ctx, network, addr)
	}
}

// mechanism asks for the password at each connection, so that a rotated one needs no restart.
func mechanism(cfg configs.SASL) sasl.Mechanism {
	if cfg.Mechanism == "PLAIN" {
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := cfg.Password.Get()
			return plain.Auth{User: cfg.User, Pass: password}, err
		})
	}
	auth := func(context.Context) (scram.Auth, error) {
		password, err := cfg.Password.Get()
		return scram.Auth{User: cfg.User, Pass: password}, err
	}
	if cfg.Mechanism == "SCRAM-SHA-256" {
		return scram.Sha256(auth)
	}
	return scram.Sha512(auth)
}

// producerOptions are those of the one client that produces.
func producerOptions(cfg *configs.Pipeline) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.RecordPartitioner(partitioner{}),
		kgo.ProducerBatchCompression(codec(cfg.Kafka.Compression)),
		kgo.BrokerMaxWriteBytes(int32(max(100<<20, cfg.Kafka.MaxRecord+1<<20))), // a broker's own limit is socket.request.max.bytes
		kgo.ProducerBatchMaxBytes(int32(min(cfg.Kafka.MaxRecord, math.MaxInt32))),
		kgo.ProducerLinger(5 * time.Millisecond),            // under load only: a commit flushes at once
		kgo.MaxBufferedRecords(math.MaxInt32),               // the source's pool bounds the bytes
		kgo.StopProducerOnDataLossDetected(),                // never go on behind a hole
		kgo.ConcurrentTransactionsBackoff(time.Millisecond), // brokers below transaction.version 2
	}
	if cfg.Kafka.Compression == "lz4" {
		opts = append(opts, kgo.WithCompressor(newLZ4()))
	}
	if cfg.Delivery == "exactly_once" {
		opts = append(opts, kgo.TransactionalID(cfg.Kafka.TransactionalID), kgo.TransactionTimeout(TransactionTimeout))
	}
	return opts
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

// partitioner takes the record's own partition where the router named one; else it places the key's bytes
// as the Java producer does (murmur2), so that order per key survives a migration. A null key sticks to a
// partition for a batch.
type partitioner struct{}

func (partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

type topicPartitioner struct{ keyed kgo.TopicPartitioner }

func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.keyed.RequiresConsistency(r)
}

func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition < 0 {
		return p.keyed.Partition(r, n)
	}
	if int(r.Partition) >= n {
		return -1 // the client fails the record
	}
	return int(r.Partition)
}

func (p topicPartitioner) OnNewBatch() {
	if b, ok := p.keyed.(kgo.TopicPartitionerOnNewBatch); ok {
		b.OnNewBatch()
	}
}
