package configs

import "time"

// TransactionTimeout is what a pipeline asks of the broker for its transactions. A commit interval
// must stay below it: a transaction open for longer is aborted by the broker.
const TransactionTimeout = 60 * time.Second

const topicPattern = `^[a-zA-Z0-9._-]{1,249}$`

func kafkaOptions(k *Kafka) []Option {
	options := append(clusterOptions(k), tlsOptions("kafka.tls", "disable",
		[]string{"disable", "require", "verify-ca", "verify-full"}, &k.TLS, tlsNames{
			client: []string{"security.protocol"}, ca: []string{"ssl.truststore.location"},
			cert: []string{"ssl.keystore.location"}, key: []string{"ssl.keystore.key"}})...)
	options = append(options, saslOptions(&k.SASL)...)
	return append(options, newTopicOptions(&k.Topics)...)
}

func clusterOptions(k *Kafka) []Option {
	return []Option{
		{Path: "kafka.brokers", Required: true, Example: "[localhost:9092]", into: &k.Brokers,
			Client: []string{"bootstrap.servers"}, Doc: "Some of the brokers, as host:port."},
		{Path: "kafka.client_id", Derived: "outferry-<name>", into: &k.ClientID,
			Client: []string{"client.id"}, Doc: "Name in the brokers' logs and quotas."},
		{Path: "kafka.transactional_id", Derived: "outferry-<name>", into: &k.TransactionalID,
			Client: []string{"transactional.id"}, Doc: "Transactional id and group: of two instances with the same one, only one publishes."},
		{Path: "kafka.compression", Default: "lz4", Words: []string{"none", "gzip", "snappy", "lz4", "zstd"}, into: &k.Compression,
			Client: []string{"compression.type"}, Doc: "Compression of record batches."},
		{Path: "kafka.max_buffered", Default: "10MiB", Min: 1 << 20, Max: 8 << 30, into: &k.MaxBuffered,
			Debezium: []string{"max.queue.size.in.bytes", "max.queue.size"}, Client: []string{"buffer.memory"}, Doc: "Bytes that wait for the brokers at most. 1MiB to 8GiB."},
		{Path: "kafka.max_record", Default: "1MiB", Min: 1 << 10, Max: 512 << 20, into: &k.MaxRecord,
			Client: []string{"max.request.size", "message.max.bytes", "max.message.bytes"}, Doc: "Largest record, as the topic's max.message.bytes; checked before anything is produced. 1KiB to 512MiB."},
	}
}

func saslOptions(s *SASL) []Option {
	return []Option{
		{Path: "kafka.sasl.mechanism", Words: []string{"", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, Example: "SCRAM-SHA-512", into: &s.Mechanism,
			Client: []string{"sasl.mechanism", "sasl.mechanisms"}, Doc: "Empty: no login. PLAIN needs TLS, except to this machine."},
		{Path: "kafka.sasl.user", Example: "outferry", into: &s.User,
			Client: []string{"sasl.jaas.config", "sasl.username"}, Doc: "User name."},
		{Path: "kafka.sasl.password", Example: "${KAFKA_PASSWORD}", into: &s.Password,
			Client: []string{"sasl.password"}, Doc: "Password. `${file:path}` is read anew for each connection, its last newline cut."},
	}
}

func newTopicOptions(t *Topics) []Option {
	return []Option{
		{Path: "kafka.topics.create", Default: "true", into: &t.Create,
			Debezium: []string{"topic.creation.enable"}, Doc: "Create a missing topic; false: stop at it."},
		{Path: "kafka.topics.partitions", Default: "-1", Min: -1, Max: 100_000, into: &t.Partitions,
			Debezium: []string{"topic.creation.default.partitions"}, Doc: "Partitions of a created topic; -1: the broker's default."},
		{Path: "kafka.topics.replication_factor", Default: "-1", Min: -1, Max: 1000, into: &t.ReplicationFactor,
			Debezium: []string{"topic.creation.default.replication.factor"}, Doc: "Replicas of a created topic; -1: the broker's default."},
		{Path: "kafka.topics.config", Example: "{cleanup.policy: compact}", into: &t.Config,
			Debezium: []string{"topic.creation.groups"}, Doc: "Topic configuration of a created topic, by Kafka's names."},
		{Path: "kafka.topics.limit", Default: "1000", Min: 1, Max: 100_000, into: &t.Limit,
			Doc: "The most topics that the pipeline creates, since its first start, so that a wrong routing column cannot flood the cluster."},
	}
}

func progressOptions(p *Pipeline) []Option {
	return []Option{
		{Path: "commit.interval", Default: "250ms", Min: int64(time.Millisecond), Max: int64(time.Hour), into: &p.Commit.Interval,
			Debezium: []string{"transaction.boundary.interval.ms", "transaction.boundary", "offset.flush.interval.ms", "poll.interval.ms"},
			Client:   []string{"linger.ms"}, Doc: "Time between commits under load; longer only inside a database transaction of more rows than that. At least 1ms; below 60s, the transaction timeout, with exactly_once."},
		{Path: "commit.rows", Default: "500000", Min: 1, Max: 10_000_000, into: &p.Commit.Rows,
			Debezium: []string{"max.batch.size"}, Doc: "Rows after which to commit."},
		{Path: "commit.bytes", Default: "128MiB", Min: 1 << 10, Max: 8 << 30, into: &p.Commit.Bytes,
			Client: []string{"batch.size"}, Doc: "Bytes after which to commit. At least 1KiB."},
		{Path: "offsets.topic", Default: "outferry-offsets", Pattern: topicPattern, PatternDoc: "a topic name: letters, digits, dots, underscores and hyphens, 249 at most", into: &p.Offsets.Topic,
			Debezium: []string{"offsets.storage.topic", "offset.storage.topic", "offset.storage"}, Doc: "Compacted topic of positions, created at the first start, shared by all pipelines."},
		{Path: "offsets.replication_factor", Default: "-1", Min: -1, Max: 1000, into: &p.Offsets.ReplicationFactor,
			Debezium: []string{"offset.storage.replication.factor"}, Doc: "Replicas of that topic when it is created; -1: 3, or as many as there are brokers."},
		{Path: "errors.on_error", Default: "stop", Words: []string{"stop"}, into: &p.Errors.OnError,
			Debezium: []string{"errors.tolerance", "event.processing.failure.handling.mode", "event.converting.failure.handling.mode"}, Doc: "A row that cannot be published stops the pipeline at it; nothing is skipped."},
	}
}

// serviceOptions declares every option of the service document, bound to the fields of s.
func serviceOptions(s *Service) []Option {
	return []Option{
		{Path: "service.http.listen", Default: "127.0.0.1:8087", into: &s.HTTP.Listen,
			Doc: "Address for health, readiness and metrics, as host:port; empty: none. Where the file names it, a busy address is an error."},
		{Path: "service.http.pprof", Default: "false", into: &s.HTTP.Pprof, Doc: "Serve Go profiles under /debug/pprof."},
		{Path: "service.log.level", Default: "info", Words: []string{"trace", "debug", "info", "warn", "error"}, into: &s.Log.Level,
			Doc: "The least important lines to write."},
		{Path: "service.log.format", Default: "auto", Words: []string{"auto", "text", "json"}, into: &s.Log.Format,
			Doc: "auto: text on a terminal, else json."},
		{Path: "service.metrics.path", Default: "/metrics", into: &s.Metrics.Path, Doc: "Path of the metrics."},
		{Path: "service.metrics.go_runtime", Default: "true", into: &s.Metrics.GoRuntime, Doc: "Metrics of the Go runtime and the process too."},
		{Path: "service.shutdown_timeout", Default: "30s", Min: 0, Max: int64(time.Hour), into: &s.ShutdownTimeout,
			Doc: "How long an orderly stop may take. 1h at most."},
	}
}
