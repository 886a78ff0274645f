package servers

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"outferry/internal/process"
)

// kafkaPorts are zero where a listener is not wanted.
type kafkaPorts struct {
	controller, plain, tls, sasl, saslTLS, behind int
}

func (o KafkaOptions) ports() (p kafkaPorts, err error) {
	want := []*int{&p.controller, &p.plain}
	if o.TLS != nil {
		want = append(want, &p.tls)
	}
	if o.SASL {
		want = append(want, &p.sasl)
	}
	if o.SASL && o.TLS != nil {
		want = append(want, &p.saslTLS)
	}
	if o.Behind != nil {
		want = append(want, &p.behind)
	}
	for _, port := range want {
		if *port, err = process.FreePort(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// listeners names each listener by its protocol, but the one behind a proxy.
func (p kafkaPorts) listeners() []string {
	var l []string
	for _, one := range []struct {
		protocol string
		port     int
	}{{"PLAINTEXT", p.plain}, {"SSL", p.tls}, {"SASL_PLAINTEXT", p.sasl}, {"SASL_SSL", p.saslTLS}, {"BEHIND", p.behind}} {
		if one.port != 0 {
			l = append(l, fmt.Sprintf("%s://127.0.0.1:%d", one.protocol, one.port))
		}
	}
	return l
}

// A killed broker can't come back before its last session has ended, so sessions are short.
const kafkaDefaults = `process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,BEHIND:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=true
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=8388608
`

func kafkaProperties(p kafkaPorts, storage string, o KafkaOptions) string {
	listeners := strings.Join(p.listeners(), ",")
	advertised := listeners
	if o.Behind != nil {
		advertised = strings.Replace(listeners, "BEHIND://"+address(p.behind), "BEHIND://"+o.Behind(address(p.behind)), 1)
	}
	lines := []string{
		fmt.Sprintf("controller.quorum.voters=1@127.0.0.1:%d", p.controller),
		fmt.Sprintf("listeners=%s,CONTROLLER://127.0.0.1:%d", listeners, p.controller),
		"advertised.listeners=" + advertised,
		"log.dirs=" + storage,
	}
	if o.SASL {
		lines = append(lines, saslProperties("sasl_plaintext"), saslProperties("sasl_ssl"))
	}
	if o.ACL {
		lines = append(lines,
			"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"super.users=User:ANONYMOUS") // whoever comes over the plain listener, the broker itself among them
	}
	return kafkaDefaults + strings.Join(append(lines, o.Properties...), "\n") + "\n"
}

// saslProperties knows the same accounts for PLAIN as are made for SCRAM.
func saslProperties(listener string) string {
	var users strings.Builder
	for _, user := range kafkaAccounts {
		fmt.Fprintf(&users, " user_%s=\"%s\"", user, user)
	}
	prefix := "listener.name." + listener + "."
	return prefix + "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n" +
		prefix + "plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required" + users.String() + ";\n" +
		prefix + "scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n" +
		prefix + "scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
}

// tlsProperties has the broker take its certificate as PEM; Kafka wants key and certificate in one file.
func tlsProperties(dir string, o KafkaOptions) ([]string, error) {
	if o.TLS == nil {
		return nil, nil
	}
	certFile, keyFile, err := o.TLS.serverFiles()
	if err != nil {
		return nil, err
	}
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	store := filepath.Join(dir, "broker.pem")
	clientAuth := "requested"
	if o.RequireClientCert {
		clientAuth = "required"
	}
	return []string{
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + store,
		"ssl.truststore.type=PEM", "ssl.truststore.location=" + o.TLS.File,
		"listener.name.ssl.ssl.client.auth=" + clientAuth,
	}, os.WriteFile(store, append(key, cert...), 0o600)
}

// writeKafkaStorage makes the storage of a new broker out of the formatted one, with ids of its own.
func writeKafkaStorage(installed, storage string) error {
	if err := copyTree(filepath.Join(installed, "formatted"), storage, nil); err != nil {
		return err
	}
	meta := fmt.Sprintf("version=1\nnode.id=1\ncluster.id=%s\ndirectory.id=%s\n", newKafkaID(), newKafkaID())
	return os.WriteFile(filepath.Join(storage, "meta.properties"), []byte(meta), 0o644)
}

// newKafkaID makes a random id in Kafka's form, 16 bytes in base64.
func newKafkaID() string {
	id := make([]byte, 16)
	rand.Read(id)
	id[0] &= 0x7f // an id that starts with a dash reads as an option on a command line
	return base64.RawURLEncoding.EncodeToString(id)
}
