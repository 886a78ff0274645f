package servers

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// KafkaOptions describe a private broker. The zero value is one plain listener.
type KafkaOptions struct {
	Properties        []string // more lines of server.properties
	JVM               []string // more options of Java, as in -Xmx1g; 384 MiB is the default
	TLS               *CA      // opens TLSAddr with a certificate of this authority; its client certificates are trusted
	RequireClientCert bool     // on TLSAddr
	SASL              bool     // opens SASLAddr, and with TLS also SASLTLSAddr: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	ACL               bool     // nothing is allowed that no ACL allows, but for the plain listener, whose clients may do everything

	// Behind opens one more plain listener, and says at which address its clients are to find it: that of a proxy.
	Behind func(addr string) string
}

// kafkaAccounts have their name as password, over every SASL mechanism.
var kafkaAccounts = []string{"outferry", "app"}

// Broker is a single Kafka node. Its methods fail the test.
type Broker struct {
	Addr        string // plain, and all-powerful where ACLs are on
	TLSAddr     string
	SASLAddr    string
	SASLTLSAddr string

	t      testing.TB
	server *kafkaServer // nil on the shared broker
}

// StartKafka starts a broker that ends with the test.
func StartKafka(t testing.TB, o KafkaOptions) *Broker {
	t.Helper()
	ctx, cancel := startContext()
	defer cancel()
	k, err := launchKafka(ctx, private(t), o)
	if err != nil {
		t.Fatalf("kafka: %v", err)
	}
	return &Broker{
		Addr: address(k.ports.plain), TLSAddr: address(k.ports.tls),
		SASLAddr: address(k.ports.sasl), SASLTLSAddr: address(k.ports.saslTLS),
		t: t, server: k,
	}
}

func address(port int) string {
	if port == 0 {
		return ""
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

var sharedKafka memo[struct{}, string]

// Kafka returns the shared broker.
func Kafka(t testing.TB) *Broker {
	t.Helper()
	shared, err := given()
	if err != nil {
		t.Fatal(err)
	}
	addr := shared.Kafka
	if addr == "" {
		if addr, err = sharedKafka.get(struct{}{}, shareKafka); err != nil {
			t.Fatalf("kafka: %v", err)
		}
	}
	return &Broker{Addr: addr, t: t}
}

// shareKafka starts a broker that lives until EndAll, and returns its address.
func shareKafka() (addr string, err error) {
	ctx, cancel := startContext()
	defer cancel()
	dir, err := newDir()
	if err != nil {
		return "", err
	}
	k, err := launchKafka(ctx, dir, KafkaOptions{})
	if err != nil {
		return "", errors.Join(err, end(dir))
	}
	return address(k.ports.plain), nil
}

// Client returns a client of the plain listener that is closed at the test's end.
func (b *Broker) Client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr), kgo.MetadataMinAge(100 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Prefix returns a beginning for names of topics, groups and pipelines that no other test has.
func (b *Broker) Prefix(t testing.TB) string {
	t.Helper()
	return newName() + "-"
}

// Stop shuts the broker down orderly.
func (b *Broker) Stop() { b.t.Helper(); b.check((*kafkaServer).stop) }

// Kill sends SIGKILL.
func (b *Broker) Kill() { b.t.Helper(); b.check((*kafkaServer).Kill) }

// Pause stops the process in its tracks: connections stay open and nothing answers.
func (b *Broker) Pause() { b.t.Helper(); b.check(signalKafka(syscall.SIGSTOP)) }

// Resume ends a Pause.
func (b *Broker) Resume() { b.t.Helper(); b.check(signalKafka(syscall.SIGCONT)) }

// Start starts the ended broker again, on the same ports.
func (b *Broker) Start() {
	b.t.Helper()
	ctx, cancel := startContext()
	defer cancel()
	b.check(func(k *kafkaServer) error { return k.start(ctx) })
}

func (b *Broker) check(do func(*kafkaServer) error) {
	b.t.Helper()
	if b.server == nil {
		b.t.Fatal("kafka: the shared broker belongs to all tests: use StartKafka")
	}
	if err := do(b.server); err != nil {
		b.t.Fatalf("kafka: %v", err)
	}
}
