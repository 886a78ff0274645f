package configs

import (
	"regexp"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

// otherWords say what to write for the words of Debezium and Kafka that are not ours.
var otherWords = map[string]map[string]string{
	"source.snapshot": {
		"never": "write no_data", "schema_only": "write no_data", "always": "write initial: a snapshot is made at the first start",
		"when_needed": "this build has no such mode: write initial, which stops where the position is lost",
	},
	"source.postgres.create": {
		"filtered": "write true", "disabled": "write false", "all_tables": "write true: the publication holds the outbox tables only",
	},
	"source.type": {
		"postgresql": "write postgres", "percona": "write mysql", "aurora": "write mysql or postgres",
	},
	"source.tls.mode":      {"allow": "write prefer", "verify_ca": "write verify-ca", "verify_full": "write verify-full", "verify_identity": "write verify-full", "required": "write require", "preferred": "write prefer", "disabled": "write disable"},
	"kafka.tls.mode":       {"prefer": "Kafka has no fallback to plain text: write require or disable", "verify_ca": "write verify-ca", "verify_full": "write verify-full", "ssl": "write verify-full", "sasl_ssl": "write verify-full, and kafka.sasl for the login", "plaintext": "write disable", "sasl_plaintext": "write disable, and kafka.sasl for the login"},
	"router.on_update":     {"skip": "write ignore or warn", "error": "write warn", "fatal": "write stop"},
	"kafka.sasl.mechanism": {"gssapi": "Kerberos is not in this build", "oauthbearer": "OAuth is not in this build", "scram": "write SCRAM-SHA-256 or SCRAM-SHA-512"},
	"encoding.key":         laterEncodings,
	"encoding.value":       laterEncodings,
	"errors.on_error":      {"none": "write stop", "fail": "write stop", "all": "no row is ever skipped: write stop", "skip": "no row is ever skipped: write stop", "dead_letter": "this build has only stop", "park": "this build has only stop"},
	"delivery":             {"required": "write exactly_once", "requested": "write exactly_once", "exactly-once": "write exactly_once", "at-least-once": "write at_least_once", "at_most_once": "no row is ever lost: write exactly_once or at_least_once"},
}

var laterEncodings = map[string]string{
	"avro": "avro is not in this build", "json_schema": "a schema registry is not in this build; json_with_schema puts the schema into each value",
	"protobuf": "protobuf is not in this build", "cloudevents": "cloudevents is not in this build",
	"org.apache.kafka.connect.storage.stringconverter":          "write string",
	"org.apache.kafka.connect.json.jsonconverter":               "write json_with_schema, or json where schemas.enable was false",
	"org.apache.kafka.connect.converters.bytearrayconverter":    "write bytes",
	"io.debezium.converters.binarydataconverter":                "write bytes",
	"io.debezium.converters.bytebufferconverter":                "write bytes",
	"io.confluent.connect.avro.avroconverter":                   "avro is not in this build",
	"io.confluent.connect.json.jsonschemaconverter":             "a schema registry is not in this build",
	"io.confluent.connect.protobuf.protobufconverter":           "protobuf is not in this build",
	"io.apicurio.registry.utils.converter.avroconverter":        "avro is not in this build",
	"io.apicurio.registry.utils.converter.extjsonconverter":     "a schema registry is not in this build",
	"org.apache.kafka.connect.storage.simpleheaderconverter":    "write string",
	"org.apache.kafka.connect.converters.simpleheaderconverter": "write string",
}

// alternatives writes a, b or c.
func alternatives(words []string) string {
	var named []string
	for _, w := range words {
		if w != "" {
			named = append(named, w)
		}
	}
	if len(named) < 2 {
		return strings.Join(named, "")
	}
	last := len(named) - 1
	return strings.Join(named[:last], ", ") + " or " + named[last]
}

// article puts a or an before the name of a type.
func article(typ string) string {
	switch typ {
	case "integer":
		return "an integer"
	case "boolean":
		return "true or false"
	case "secret":
		return "a text"
	}
	return "a " + typ
}

// splitList splits at commas, without the blanks around.
func splitList(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// asList shows a scalar as the list that it was meant to be.
func asList(n *yaml.Node, o *Option) string {
	if n.Kind == yaml.ScalarNode && plainScalar.MatchString(n.Value) {
		items := splitList(n.Value)
		if _, port, ok := strings.Cut(strings.Trim(o.Example, "[]"), ":"); ok {
			for i, item := range items {
				if !strings.Contains(item, ":") {
					items[i] += ":" + port
				}
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return o.Example
}

var plainScalar = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9_.:, -]*$`)

var patterns sync.Map

// compiled keeps our own patterns, so that 50 pipelines compile each once.
func compiled(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re := regexp.MustCompile(pattern)
	patterns.Store(pattern, re)
	return re
}
