package configs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// A mistyped key gets the right suggestion at least 95 times in 100, for every key and every letter.
func TestSingleTypoIsRecognised(t *testing.T) {
	options := pipelineOptions(&Pipeline{})
	tree := sectionsOf(options)
	tried, right := 0, 0
	var walk func(s *section)
	walk = func(s *section) {
		for _, key := range s.order {
			for _, typo := range typos(key) {
				if slices.Contains(s.order, typo) {
					continue
				}
				tried++
				if s.suggest(typo, options).path == join(s.path, key) {
					right++
				}
			}
		}
		for _, below := range s.sections {
			walk(below)
		}
	}
	walk(tree)
	t.Logf("%d of %d", right, tried)
	if right*100 < tried*95 {
		t.Errorf("only %d of %d typos were recognised", right, tried)
	}
}

// typos leaves a letter out, doubles one, swaps two and mistypes one, at each place.
func typos(word string) []string {
	var all []string
	for i := range len(word) {
		all = append(all, word[:i]+word[i+1:], word[:i+1]+word[i:], word[:i]+"q"+word[i+1:], word[:i]+"e"+word[i:])
		if i+1 < len(word) && word[i] != word[i+1] {
			all = append(all, word[:i]+word[i+1:i+2]+word[i:i+1]+word[i+2:])
		}
	}
	return slices.DeleteFunc(all, func(w string) bool { return w == word || w == "" })
}

// oldPlaces are names of the Outbox Event Router and of the connector, with where they are here; empty
// is nowhere, with the reason.
var oldPlaces = map[string]string{
	"table.op.invalid.behavior":                "router.on_update",
	"table.field.event.id":                     "router.columns.id",
	"table.field.event.key":                    "router.columns.key",
	"table.field.event.type":                   "",
	"table.field.event.timestamp":              "router.columns.timestamp",
	"table.field.event.payload":                "router.columns.payload",
	"table.field.event.schema.version":         "router.columns.schema_version",
	"table.fields.additional.placement":        "router.headers",
	"table.field.additional.missing":           "router.missing_column",
	"table.expand.json.payload":                "router.expand_json",
	"table.json.payload.null.behavior":         "router.json_null",
	"table.json.payload.empty.array.behavior":  "router.json_empty_array",
	"route.by.field":                           "router.columns.route_by",
	"route.topic.regex":                        "router.topic_pattern",
	"route.topic.replacement":                  "router.topic",
	"route.tombstone.on.empty.payload":         "router.tombstone_on_empty_payload",
	"tracing.span.context.field":               "",
	"tracing.operation.name":                   "",
	"tracing.with.context.field.only":          "",
	"field.name.adjustment.mode":               "",
	"table.fields.additional.error.on.missing": "router.missing_column",
	"table.field.event.payload.id":             "router.columns.key",
	"debezium.op.invalid.behavior":             "router.on_update",

	"connector.class":                     "source.url",
	"database.hostname":                   "source.host",
	"database.port":                       "source.port",
	"database.dbname":                     "source.database",
	"database.user":                       "source.user",
	"database.password":                   "source.password",
	"database.sslmode":                    "source.tls.mode",
	"database.sslrootcert":                "source.tls.ca_file",
	"database.sslcert":                    "source.tls.cert_file",
	"database.sslkey":                     "source.tls.key_file",
	"table.include.list":                  "source.tables",
	"slot.name":                           "source.postgres.slot",
	"slot.failover":                       "source.postgres.failover",
	"slot.drop.on.stop":                   "",
	"publication.name":                    "source.postgres.publication",
	"publication.autocreate.mode":         "source.postgres.create",
	"plugin.name":                         "",
	"snapshot.mode":                       "source.snapshot",
	"snapshot.fetch.size":                 "source.snapshot_rows",
	"heartbeat.interval.ms":               "source.heartbeat_interval",
	"heartbeat.action.query":              "",
	"connect.timeout.ms":                  "source.connect_timeout",
	"max.batch.size":                      "commit.rows",
	"max.queue.size.in.bytes":             "kafka.max_buffered",
	"poll.interval.ms":                    "commit.interval",
	"errors.max.retries":                  "source.retry.give_up_after",
	"retriable.restart.connector.wait.ms": "source.retry.initial",
	"errors.tolerance":                    "errors.on_error",
	"exactly.once.support":                "delivery",
	"transaction.boundary.interval.ms":    "commit.interval",
	"offsets.storage.topic":               "offsets.topic",
	"topic.creation.default.partitions":   "kafka.topics.partitions",
	"key.converter":                       "encoding.key",
	"value.converter":                     "encoding.value",
	"value.converter.schemas.enable":      "encoding.value",
	"header.converter":                    "encoding.headers",
	"producer.override.compression.type":  "kafka.compression",
	"producer.override.max.request.size":  "kafka.max_record",
	"producer.override.acks":              "",
	"bootstrap.servers":                   "kafka.brokers",
	"sasl.mechanism":                      "kafka.sasl.mechanism",
	"topic.prefix":                        "",
	"tasks.max":                           "",
	"tombstones.on.delete":                "",
	"include.schema.changes":              "",
	"decimal.handling.mode":               "",
	"time.precision.mode":                 "",
	"lsn.flush.mode":                      "",
	"status.update.interval.ms":           "",
	"schema.history.internal.kafka.topic": "",
	"errors.deadletterqueue.topic.name":   "",
	"predicates.IsOutbox.type":            "",
	"signal.data.collection":              "",
}

func TestDebeziumNamesAreRecognised(t *testing.T) {
	for name, want := range oldPlaces {
		for form, text := range spellings(t, name) {
			_, findings := LoadBytes("old.yaml", []byte(text), isolated(nil))
			if len(findings) != 1 {
				t.Errorf("%s, %s: %d findings\n%s", name, form, len(findings), findings.Error())
				continue
			}
			remedy := findings[0].Remedy
			known := strings.HasSuffix(remedy, "here it is "+want) || (want == "" && strings.Contains(remedy, "name; "))
			if !known {
				t.Errorf("%s, %s: %q", name, form, remedy)
			}
		}
	}
}

// spellings writes the name dotted, nested, under a prefix and in another section.
func spellings(t *testing.T, name string) map[string]string {
	t.Helper()
	all := map[string]string{
		"dotted":       minimal + fmt.Sprintf("%s: x\n", name),
		"with prefix":  minimal + fmt.Sprintf("transforms.outbox.%s: x\n", name),
		"underscores":  minimal + fmt.Sprintf("%s: x\n", strings.ReplaceAll(name, ".", "_")),
		"in a section": strings.Replace(minimal, "source:\n", "source:\n  "+name+": x\n", 1),
	}
	if strings.HasPrefix(name, "schema.history") || strings.HasPrefix(name, "errors.dead") || strings.HasPrefix(name, "predicates") || strings.HasPrefix(name, "producer") {
		delete(all, "underscores") // known by their beginning
	}
	var nested any = "x"
	keys := strings.Split(name, ".")
	for _, key := range slices.Backward(keys) {
		nested = map[string]any{key: nested}
	}
	text, err := yaml.Marshal(nested)
	if err != nil {
		t.Fatal(err)
	}
	all["nested"] = minimal + string(text)
	if strings.HasPrefix(string(text), "source:") || strings.HasPrefix(string(text), "kafka:") {
		delete(all, "nested")
	}
	return all
}
