package servers_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"outferry/internal/servers"
)

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func produce(t *testing.T, client *kgo.Client, topic, value string) {
	t.Helper()
	record := &kgo.Record{Topic: topic, Value: []byte(value)}
	if err := client.ProduceSync(deadline(t), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func consume(t *testing.T, b *servers.Broker, topic string) string {
	t.Helper()
	client := b.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	fetches := client.PollFetches(deadline(t))
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	return string(fetches.Records()[0].Value)
}

func TestSharedKafkaKeepsARecord(t *testing.T) {
	b := servers.Kafka(t)
	topic := b.Prefix(t) + "ferry"
	produce(t, b.Client(t, kgo.AllowAutoTopicCreation()), topic, "one")
	if got := consume(t, b, topic); got != "one" {
		t.Fatalf("got %q, want one", got)
	}
}

func TestSharedKafkaCommitsTransactions(t *testing.T) {
	b := servers.Kafka(t)
	topic := b.Prefix(t) + "ferry"
	client := b.Client(t, kgo.AllowAutoTopicCreation(), kgo.TransactionalID(topic))
	for _, value := range []string{"aborted", "committed"} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, client, topic, value)
		if err := client.EndTransaction(deadline(t), kgo.TransactionEndTry(value == "committed")); err != nil {
			t.Fatal(err)
		}
	}
	if got := consume(t, b, topic); got != "committed" {
		t.Fatalf("got %q, want committed", got)
	}
}

func TestPrivateKafkaSurvivesEveryEnd(t *testing.T) {
	b := servers.StartKafka(t, servers.KafkaOptions{})
	client := b.Client(t, kgo.AllowAutoTopicCreation())
	produce(t, client, "ferry", "one")
	for _, again := range []func(){
		func() { b.Kill(); b.Start() },
		func() { b.Stop(); b.Start() },
		func() { b.Pause(); b.Resume() },
	} {
		began := time.Now()
		again()
		if got := consume(t, b, "ferry"); got != "one" {
			t.Fatalf("got %q, want one", got)
		}
		t.Logf("again after %s", time.Since(began))
	}
}

func TestKafkaChecksWhoConnects(t *testing.T) {
	ca := servers.NewCA(t)
	b := servers.StartKafka(t, servers.KafkaOptions{TLS: ca, RequireClientCert: true, SASL: true, ACL: true})
	user, wrong := scram.Auth{User: "outferry", Pass: "outferry"}, scram.Auth{User: "outferry", Pass: "wrong"}
	encrypted := kgo.DialTLSConfig(clientTLS(t, ca, ""))
	for _, c := range []struct {
		name, addr string
		opts       []kgo.Opt
		refused    bool
	}{
		{"no TLS", b.TLSAddr, nil, true},
		{"no client certificate", b.TLSAddr, []kgo.Opt{encrypted}, true},
		{"client certificate", b.TLSAddr, []kgo.Opt{kgo.DialTLSConfig(clientTLS(t, ca, "outferry"))}, false},
		{"PLAIN", b.SASLAddr, []kgo.Opt{kgo.SASL(plain.Auth{User: "app", Pass: "app"}.AsMechanism())}, false},
		{"SCRAM-SHA-256", b.SASLAddr, []kgo.Opt{kgo.SASL(user.AsSha256Mechanism())}, false},
		{"SCRAM-SHA-512 over TLS", b.SASLTLSAddr, []kgo.Opt{kgo.SASL(user.AsSha512Mechanism()), encrypted}, false},
		{"wrong password", b.SASLAddr, []kgo.Opt{kgo.SASL(wrong.AsSha512Mechanism())}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := b.Client(t, append(c.opts, kgo.SeedBrokers(c.addr))...)
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			err := client.Ping(ctx)
			if refused := err != nil; refused != c.refused {
				t.Fatalf("refused is %t, want %t: %v", refused, c.refused, err)
			}
		})
	}
}

func TestKafkaAllowsWhatACLsSay(t *testing.T) {
	b := servers.StartKafka(t, servers.KafkaOptions{SASL: true, ACL: true})
	admin := kadm.NewClient(b.Client(t))
	if _, err := admin.CreateTopic(deadline(t), 1, 1, nil, "ferry"); err != nil {
		t.Fatal(err)
	}
	client := b.Client(t, kgo.SeedBrokers(b.SASLAddr), kgo.DisableIdempotentWrite(),
		kgo.SASL(scram.Auth{User: "outferry", Pass: "outferry"}.AsSha512Mechanism()))
	record := func() error {
		return client.ProduceSync(deadline(t), &kgo.Record{Topic: "ferry", Value: []byte("one")}).FirstErr()
	}
	if err := record(); err == nil {
		t.Fatal("produced without an ACL")
	}
	acl := kadm.NewACLs().Topics("ferry").ResourcePatternType(kadm.ACLPatternLiteral).Allow("User:outferry").AllowHosts().
		Operations(kadm.OpWrite, kadm.OpDescribe)
	if _, err := admin.CreateACLs(deadline(t), acl); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, time.Minute, "the ACL holds", func() bool { return record() == nil })
}

// clientTLS trusts the authority, and shows a certificate where a name is given.
func clientTLS(t *testing.T, ca *servers.CA, name string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(ca.File)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(pem)
	if name != "" {
		pair, err := tls.LoadX509KeyPair(ca.Client(t, name))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}
