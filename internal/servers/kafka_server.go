package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/process"
)

// kafkaServer is the process behind a Broker.
type kafkaServer struct {
	ports   kafkaPorts
	dir     string
	args    []string
	process *process.Process
}

func launchKafka(ctx context.Context, dir string, o KafkaOptions) (*kafkaServer, error) {
	installed, err := installKafka()
	if err != nil {
		return nil, err
	}
	k := &kafkaServer{dir: dir}
	if k.ports, err = o.ports(); err != nil {
		return nil, err
	}
	if err := k.write(installed, o); err != nil {
		return nil, fmt.Errorf("configure in %s: %w", dir, err)
	}
	java, err := javaProgram()
	if err != nil {
		return nil, err
	}
	k.args = append([]string{java, "-Xmx384m"}, javaClassPath(installed)...)
	k.args = append(append(k.args, o.JVM...), "kafka.Kafka", k.propertiesFile())
	register(dir, k)
	if err := k.start(ctx); err != nil {
		return nil, err
	}
	if o.SASL {
		return k, k.makeAccounts(ctx)
	}
	return k, nil
}

func (k *kafkaServer) propertiesFile() string { return filepath.Join(k.dir, "server.properties") }

func (k *kafkaServer) write(installed string, o KafkaOptions) error {
	tls, err := tlsProperties(k.dir, o)
	if err != nil {
		return err
	}
	o.Properties = append(tls, o.Properties...)
	storage := filepath.Join(k.dir, "data")
	if err := writeKafkaStorage(installed, storage); err != nil {
		return err
	}
	return os.WriteFile(k.propertiesFile(), []byte(kafkaProperties(k.ports, storage, o)), 0o600)
}

func (k *kafkaServer) start(ctx context.Context) (err error) {
	if k.process != nil && k.process.Running() {
		return nil
	}
	k.process, err = process.Start(process.Spec{Args: k.args, Dir: k.dir, Log: filepath.Join(k.dir, "server.log")})
	if err != nil {
		return err
	}
	if err := k.waitReady(ctx); err != nil {
		return errors.Join(fmt.Errorf("wait for the broker in %s: %w", k.dir, err), k.Kill())
	}
	return nil
}

// waitReady waits until the broker tells of itself in its metadata: before that it is fenced, and no topic can be made.
func (k *kafkaServer) waitReady(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(address(k.ports.plain)), kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if brokers, err := kadm.NewClient(client).ListBrokers(ctx); err == nil && len(brokers) > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-k.process.Done():
			return k.process.Ended()
		case <-ctx.Done():
			return fmt.Errorf("%w; last lines of its log: %s", ctx.Err(), k.process.LastLines(15))
		}
	}
}

func (k *kafkaServer) makeAccounts(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(address(k.ports.plain)))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} {
		var upserts []kadm.UpsertSCRAM
		for _, user := range kafkaAccounts {
			upserts = append(upserts, kadm.UpsertSCRAM{User: user, Mechanism: mechanism, Iterations: 4096, Password: user})
		}
		// One request may name a user only once.
		altered, err := kadm.NewClient(client).AlterUserSCRAMs(ctx, nil, upserts)
		if err := errors.Join(err, altered.Error()); err != nil {
			return fmt.Errorf("make the accounts for %s: %w", mechanism, err)
		}
	}
	return nil
}

func (k *kafkaServer) stop() error { return k.process.Stop(syscall.SIGTERM, time.Minute) }

// Kill implements anyServer.
func (k *kafkaServer) Kill() error {
	if k.process == nil {
		return nil
	}
	return k.process.Kill()
}

func signalKafka(sig syscall.Signal) func(*kafkaServer) error {
	return func(k *kafkaServer) error { return k.process.Signal(sig) }
}

// LastLines implements anyServer.
func (k *kafkaServer) LastLines(n int) string {
	if k.process == nil {
		return ""
	}
	return k.process.LastLines(n)
}
