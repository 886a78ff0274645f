package configs

import "strings"

// oldNames finds options by the names that Debezium, Kafka Connect and the Kafka client give them,
// however they are written: dotted, nested, with underscores or in camel case.
type oldNames map[string]suggestion

func oldNamesOf(options []Option) oldNames {
	names := oldNames{}
	for name, remark := range withoutCounterpart {
		names[plain(name)] = suggestion{remedy: "that is a Debezium or Kafka name; " + remark}
	}
	for _, name := range notInThisBuild {
		names[plain(name)] = suggestion{remedy: notInBuild}
	}
	for i := range options {
		o := &options[i]
		for _, name := range o.Debezium {
			names[plain(name)] = suggestion{o.Path, "that is the Debezium name; here it is " + o.Path}
		}
		for _, name := range o.Client {
			names[plain(name)] = suggestion{o.Path, "that is the Kafka client's name; here it is " + o.Path}
		}
	}
	return names
}

// find looks for the path and for every tail of it, so that a prefix such as transforms.outbox. or
// producer.override. or one of our own sections does not matter.
func (names oldNames) find(path string) (suggestion, bool) {
	for tail, more := path, true; more; _, tail, more = strings.Cut(tail, ".") {
		if s, ok := names[plain(tail)]; ok {
			return s, true
		}
	}
	return suggestion{}, false
}

// family finds the remark for a whole group of options, such as schema.history.internal.*.
func family(path string) (suggestion, bool) {
	for tail, more := path, true; more; _, tail, more = strings.Cut(tail, ".") {
		for prefix, remark := range families {
			if tail == prefix || strings.HasPrefix(tail, prefix+".") {
				return suggestion{remedy: "that is a Debezium or Kafka Connect name; " + remark}, true
			}
		}
	}
	return suggestion{}, false
}

// plain drops what spellings differ in.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, name)
}

const (
	dropIt      = "nothing here needs it: leave it out"
	onlyRouter  = "the router here has what the outbox needs: use router"
	notInBuild  = "this build has no such option: leave it out"
	fixedBytes  = "values are published in the form of Debezium's default, but for what docs/differences.md lists: leave it out"
	alwaysSafe  = "exactly-once delivery settles it: leave it out"
	javaStore   = "Java key stores are not read: convert it to PEM files for ca_file, cert_file and key_file under tls"
	oneDatabase = "one pipeline reads one database's tables: see source.tables"
)

// withoutCounterpart are old names that have no option here, with the reason.
var withoutCounterpart = map[string]string{
	"table.field.event.type":                      "the router never used it: place the column under router.headers",
	"tracing.span.context.field":                  notInBuild,
	"tracing.operation.name":                      notInBuild,
	"tracing.with.context.field.only":             notInBuild,
	"field.name.adjustment.mode":                  dropIt,
	"schema.name.adjustment.mode":                 dropIt,
	"topic.prefix":                                "the router alone names topics, see router.topic: leave it out",
	"database.server.name":                        "the router alone names topics, see router.topic: leave it out",
	"tasks.max":                                   "a pipeline is one task: leave it out",
	"plugin.name":                                 "pgoutput is always used: leave it out",
	"tombstones.on.delete":                        "deletes of outbox rows are never published: leave it out",
	"skipped.operations":                          "only inserts are published: leave it out",
	"heartbeat.action.query":                      "an idle slot moves without writing to the database: leave it out",
	"heartbeat.topics.prefix":                     "there is no heartbeat topic: leave it out",
	"topic.heartbeat.prefix":                      "there is no heartbeat topic: leave it out",
	"include.schema.changes":                      dropIt,
	"include.query":                               dropIt,
	"provide.transaction.metadata":                dropIt,
	"table.exclude.list":                          oneDatabase,
	"table.blacklist":                             oneDatabase,
	"schema.exclude.list":                         oneDatabase,
	"database.exclude.list":                       oneDatabase,
	"column.include.list":                         onlyRouter,
	"column.exclude.list":                         onlyRouter,
	"message.key.columns":                         "the router sets the key: see router.columns.key",
	"decimal.handling.mode":                       fixedBytes,
	"binary.handling.mode":                        fixedBytes,
	"time.precision.mode":                         fixedBytes,
	"interval.handling.mode":                      fixedBytes,
	"hstore.handling.mode":                        fixedBytes,
	"include.unknown.datatypes":                   fixedBytes,
	"bigint.unsigned.handling.mode":               notInBuild,
	"extended.headers.enabled":                    notInBuild,
	"converters":                                  notInBuild,
	"database.sslpassword":                        "an encrypted key file is not read: decrypt it for source.tls.key_file",
	"database.ssl.keystore.password":              javaStore,
	"database.ssl.truststore.password":            javaStore,
	"ssl.keystore.password":                       javaStore,
	"ssl.truststore.password":                     javaStore,
	"slot.drop.on.stop":                           "the slot stays until `outferry remove`: leave it out",
	"slot.stream.params":                          notInBuild,
	"publish.via.partition.root":                  notInBuild,
	"offset.mismatch.strategy":                    "continuity with the slot is always proven: leave it out",
	"lsn.flush.mode":                              "the slot moves only behind committed events: leave it out",
	"flush.lsn.source":                            "the slot moves only behind committed events: leave it out",
	"status.update.interval.ms":                   "it follows the server's wal_sender_timeout: leave it out",
	"snapshot.locking.mode":                       "there is no global read lock, and only MySQL without GTIDs locks the outbox tables, for a moment: leave it out",
	"snapshot.isolation.mode":                     dropIt,
	"signal.data.collection":                      notInBuild,
	"read.only":                                   dropIt,
	"acks":                                        alwaysSafe,
	"retries":                                     alwaysSafe,
	"enable.idempotence":                          alwaysSafe,
	"max.in.flight.requests.per.connection":       alwaysSafe,
	"delivery.timeout.ms":                         alwaysSafe,
	"transaction.timeout.ms":                      alwaysSafe,
	"group.id":                                    "kafka.transactional_id names the group too",
	"offset.storage.partitions":                   "the offsets topic has a fixed number of partitions: leave it out",
	"offset.storage.file.filename":                "positions are kept in Kafka: see offsets.topic",
	"config.storage.topic":                        dropIt,
	"status.storage.topic":                        dropIt,
	"errors.log.enable":                           dropIt,
	"errors.log.include.messages":                 "payloads are never logged: leave it out",
	"schema.registry.url":                         notInBuild,
	"key.converter.schema.registry.url":           notInBuild,
	"value.converter.schema.registry.url":         notInBuild,
	"config.providers":                            "references are always expanded: ${NAME}, ${env:name}, ${file:path}",
	"event.deserialization.failure.handling.mode": "a row that can't be read stops the pipeline: leave it out",
	"inconsistent.schema.handling.mode":           "a row that can't be read stops the pipeline: leave it out",
}

// notInThisBuild are options that people may have read about.
var notInThisBuild = []string{
	"compat", "columns.trace", "labels", "cleanup", "dead_letter_topic", "parking_topic",
	"encoding.schema_registry", "token_file", "service.tracing", "watch_config", "http.users", "http.ui",
	"http.tls", "http.read_only", "connect_api", "log.levels",
}

// families are groups of old names that share a beginning.
var families = map[string]string{
	"schema.history.internal": "there is no schema history: leave it out",
	"database.history":        "there is no schema history: leave it out",
	"topic.creation":          "see kafka.topics",
	"transforms":              "other transformations are not run: the router is configured under router",
	"predicates":              "only outbox tables are read, so no predicate is needed: leave it out",
	"errors.deadletterqueue":  "a row that can't be published stops the pipeline: leave it out",
	"gtid":                    notInBuild,
	"signal":                  notInBuild,
	"notification":            notInBuild,
	"incremental.snapshot":    notInBuild,
	"driver":                  dropIt,
	"column.mask":             notInBuild,
	"column.truncate":         notInBuild,
	"consumer.override":       dropIt,
	"admin.override":          dropIt,
}
