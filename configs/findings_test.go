package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// badFiles has one file for each rule, with what is said about it.
var badFiles = map[string][]string{
	"ambiguous_size": {
		`7:17: error: commit.bytes: "16M" can be read in two ways`,
	},
	"avro": {
		`7:19: error: encoding.value: want auto, string, json, json_with_schema or bytes, got "avro"`,
	},
	"bad_duration": {
		`7:20: error: commit.interval: "soon" is not a duration`,
	},
	"bad_size": {
		`7:17: error: commit.bytes: "big" is not a size`,
	},
	"bad_word": {
		`7:11: error: delivery: want exactly_once or at_least_once, got "exactly-once"`,
	},
	"bare_duration": {
		`7:20: error: commit.interval: "100" has no unit`,
	},
	"broker_login": {
		`6:13: error: kafka.brokers[0]: an address has no login`,
	},
	"broker_protocol": {
		`6:13: error: kafka.brokers[0]: an address has no protocol`,
		`6:31: error: kafka.brokers[1]: has no port`,
		`6:38: error: kafka.brokers[2]: not an address`,
	},
	"brokers_empty": {
		`6:12: error: kafka.brokers: names no broker`,
	},
	"brokers_scalar": {
		`6:12: error: kafka.brokers: expected a list`,
	},
	"column_empty": {
		`8:18: error: router.columns.key: names no column`,
	},
	"commit_interval": {
		`7:20: error: commit.interval: 2m is not below the transaction timeout, 1m`,
	},
	"compression": {
		`7:16: error: kafka.compression: want none, gzip, snappy, lz4 or zstd, got "brotli"`,
	},
	"defaults_name": {
		`8:12: error: name: not for all pipelines`,
	},
	"delivery_and_interval": {
		`7:11: error: delivery: want exactly_once or at_least_once, got "exactly-once"`,
		`8:20: error: commit.interval: 1m30s is not below the transaction timeout, 1m`,
	},
	"duplicate_key": {
		`9:3: error: commit.rows: written twice, first in line 8`,
	},
	"duration_too_large": {
		`5:20: error: source.connect_timeout: "7d" is too large: at most 1m`,
	},
	"envelope_payload": {
		`8:23: error: router.envelope.payload: the payload itself has this name`,
	},
	"envelope_string": {
		`8:13: error: router.envelope: an envelope can't be written with encoding.value: string`,
	},
	"expand_bytes": {
		`8:16: error: router.expand_json: bytes are published as they are and can't be expanded`,
	},
	"header_id": {
		"8:17: warning: router.headers.id: every record has a header id already, so it would have two",
	},
	"header_no_column": {
		`8:24: error: router.headers.eventType: names no column`,
	},
	"header_twice": {
		`8:30: error: router.headers.eventType: written twice, first in line 8`,
	},
	"host_login": {
		`4:9: error: source.host: a host has no login`,
	},
	"json_null_alone": {
		"8:14: warning: router.json_null: has no effect without expand_json",
	},
	"kafka_tls_prefer": {
		`7:15: error: kafka.tls.mode: want disable, require, verify-ca or verify-full, got "prefer"`,
	},
	"later_option": {
		`7:1: error: cleanup: unknown field`,
	},
	"list_for_map": {
		`8:12: error: router.headers: expected a mapping`,
	},
	"list_item": {
		`6:29: error: kafka.brokers[1]: expected a text`,
	},
	"map_for_scalar": {
		`5:9: error: source.user: expected a text`,
	},
	"max_record": {
		`7:15: error: kafka.max_record: 64MiB is above kafka.max_buffered, 10MiB`,
	},
	"merge_key": {
		`8:3: error: commit.<<: unknown field`,
	},
	"missing": {
		`1:1: error: kafka.brokers: missing`,
		`1:1: error: name: missing`,
		`2:1: error: source.tables: missing`,
		`2:1: error: source.url: missing`,
	},
	"name": {
		`1:7: error: name: "Posts_1" is not allowed: want lower case letters, digits and hyphens, a letter first, 40 at most`,
	},
	"name_too_long": {
		`1:7: error: name: "poooooooooooooooooooooooooooooooooooooooo" is not allowed: want lower case letters, digits and hyphens, a letter first, 40 at most`,
	},
	"no_value": {
		`7:10: error: delivery: has no value`,
	},
	"not_a_mapping": {
		`7:9: error: commit: expected a mapping`,
	},
	"not_an_integer": {
		`7:16: error: commit.rows: "0x10" is not an integer`,
	},
	"offsets_topic": {
		`7:18: error: offsets.topic: "my offsets" is not allowed: want a topic name: letters, digits, dots, underscores and hyphens, 249 at most`,
	},
	"on_update": {
		`7:21: error: router.on_update: want ignore, warn or stop, got "skip"`,
	},
	"partitions": {
		`7:24: error: kafka.topics.partitions: 0 is not possible`,
	},
	"parts_incomplete": {
		`2:1: error: source.database: missing`,
		`2:1: error: source.type: missing`,
	},
	"password_in_file": {
		"5:13: warning: source.password: the password stands in the file",
	},
	"password_in_url": {
		"3:8: warning: source.url: the password stands in the file",
	},
	"publication": {
		`6:18: error: source.postgres.publication: longer than 63 bytes, which is all that PostgreSQL keeps of a name`,
	},
	"quoted_integer": {
		`7:16: error: commit.rows: expected an integer, got a text`,
	},
	"retry": {
		`5:20: error: source.retry.initial: 1m is above source.retry.max, 30s`,
	},
	"sasl_no_mechanism": {
		`7:16: error: kafka.sasl.user: a user without a mechanism`,
	},
	"sasl_no_password": {
		`7:21: error: kafka.sasl.mechanism: SCRAM-SHA-256 needs kafka.sasl.password`,
	},
	"sasl_plain": {
		`7:21: error: kafka.sasl.mechanism: PLAIN without TLS would send the password in clear`,
	},
	"scalar_for_list": {
		`4:11: error: source.tables: expected a list`,
	},
	"secret_file_missing": {
		`5:13: warning: source.password: file no/such/file does not exist`,
	},
	"secret_file_of_connect": {
		`5:13: warning: source.password: file /etc/db.properties:password does not exist`,
	},
	"service_and_pipeline": {
		`1:1: error: name: unknown field`,
		`2:1: error: source: unknown field`,
		`5:1: error: kafka: unknown field`,
	},
	"service_listen": {
		`8:26: error: service.http.listen: not an address to listen on`,
		`8:51: error: service.metrics.path: must start with a slash`,
	},
	"service_twice": {
		`10:1: error: service: there is one already, in service_twice.bad.yaml line 8`,
	},
	"slot": {
		`6:11: error: source.postgres.slot: "outferry-posts" is not allowed: want lower case letters, digits and underscores, 63 at most`,
	},
	"snapshot_rows_mysql": {
		"5:18: warning: source.snapshot_rows: MySQL and MariaDB send a snapshot in one go: ignored",
	},
	"syntax": {
		`7:1: error: not YAML: did not find expected ',' or '}'`,
	},
	"syntax_anchor": {
		`3:3: error: not YAML: unknown anchor`,
	},
	"syntax_colon": {
		`2:1: error: not YAML: mapping values are not allowed in this context`,
	},
	"syntax_end": {
		`3:3: error: not YAML: did not find expected node content`,
	},
	"syntax_indent": {
		`6:4: error: not YAML: did not find expected key`,
	},
	"syntax_quote": {
		`2:1: error: not YAML: found unexpected end of stream`,
	},
	"syntax_reference": {
		`6:3: error: not YAML: did not find expected ',' or ']'`,
	},
	"syntax_tab": {
		`3:2: error: not YAML: found character that cannot start any token`,
	},
	"tables_empty": {
		`4:11: error: source.tables: names no table`,
	},
	"tables_name": {
		`4:12: error: source.tables[0]: not the name of a table`,
	},
	"tables_pattern": {
		`4:27: error: source.tables[1]: a table name is not a pattern and has no quotes`,
	},
	"tables_twice": {
		`4:20: error: source.tables[1]: public.outbox is named twice`,
	},
	"tag": {
		`7:14: error: description: a YAML tag is not allowed here`,
	},
	"tls_disabled": {
		"7:3: warning: kafka.tls: mode is disable, so the rest has no effect",
	},
	"tls_pair": {
		`5:39: error: source.tls.cert_file: needs source.tls.key_file`,
	},
	"too_large": {
		`5:9: error: source.port: can't stand beside source.url`,
		`6:18: error: source.snapshot_rows: "2000000" is too large: at most 1000000`,
	},
	"too_small": {
		`7:16: error: commit.rows: "0" is too small: at least 1`,
	},
	"top_list": {
		`1:1: error: expected a mapping`,
	},
	"topic_characters": {
		`8:10: error: router.topic: ' ' can't be in a topic name`,
	},
	"topic_dollar": {
		`8:10: error: router.topic: a lone dollar sign`,
	},
	"topic_empty": {
		`8:10: error: router.topic: names no topic`,
	},
	"topic_group": {
		`8:10: error: router.topic: the pattern has no group named "type"`,
	},
	"topic_internal": {
		`8:10: error: router.topic: starts with two underscores, as Kafka's internal topics do`,
	},
	"topic_lookahead": {
		`8:18: error: router.topic_pattern: not a pattern: invalid or unsupported Perl syntax: (?!`,
	},
	"topic_number": {
		`8:10: error: router.topic: the pattern has no group 2`,
	},
	"topic_of_offsets": {
		`8:10: error: router.topic: outferry-offsets holds Outferry's own records`,
	},
	"topic_pattern": {
		`8:18: error: router.topic_pattern: not a pattern: missing closing ): (?<x>a`,
	},
	"topic_quote": {
		`8:18: error: router.topic_pattern: not a pattern: \Q is not closed`,
		`9:19: error: router.topics_allowed: not a pattern: \Q is not closed`,
	},
	"topics_allowed": {
		`8:19: error: router.topics_allowed: not a pattern: missing closing ]: [`,
	},
	"two_of_one_name": {
		`8:7: error: name: pipeline posts has the same name`,
	},
	"two_of_one_slot": {
		`12:20: error: source.postgres.slot: pipeline posts has the same slot`,
		`15:21: error: kafka.transactional_id: pipeline posts has the same transactional id`,
	},
	"underscored_integer": {
		`8:9: error: commit.rows: "1_000" is not an integer`,
		`9:10: error: commit.bytes: "1_000_000" is not a size`,
		`10:13: error: commit.interval: "1_000" is not a duration`,
	},
	"unknown_far_away": {
		`7:1: error: brokers: unknown field`,
	},
	"unknown_field": {
		`7:1: error: comit: unknown field`,
	},
	"unreadable_control": {
		`7:17: error: not YAML: control characters are not allowed`,
	},
	"unreadable_utf8": {
		`7:17: error: not YAML: incomplete UTF-8 octet sequence`,
	},
	"url_and_parts": {
		`5:9: error: source.host: can't stand beside source.url`,
		`6:13: error: source.database: can't stand beside source.url`,
	},
	"url_invalid": {
		`3:8: error: source.url: not a valid URL`,
	},
	"url_mysql_mode": {
		`3:8: error: source.url: its sslMode must be DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY`,
	},
	"url_no_database": {
		`3:8: error: source.url: it names no database`,
	},
	"url_no_scheme": {
		`3:8: error: source.url: not a database URL`,
	},
	"url_no_user": {
		`3:8: error: source.url: no user to log in as`,
	},
	"url_parameters": {
		"3:8: warning: source.url: ignored parameters: ApplicationName, loglevel",
	},
	"url_port": {
		`3:8: error: source.url: its port must be 1 to 65535`,
	},
	"url_scheme": {
		`3:8: error: source.url: "oracle" is no database that can be read: want postgres, mysql or mariadb, or one of them behind jdbc:`,
	},
	"url_sslmode": {
		`3:8: error: source.url: its sslmode must be disable, prefer, require, verify-ca or verify-full`,
	},
	"url_two_hosts": {
		`3:8: error: source.url: it names several hosts`,
	},
	"variable_in_topic": {
		`8:10: error: router.topic: environment variable TYPE is not set`,
	},
	"variable_message": {
		`5:13: error: source.password: environment variable DB_PASSWORD is not set or empty`,
	},
	"variable_nested_default": {
		`7:14: error: description: the default of ${A} holds another reference`,
	},
	"variable_other_form": {
		"7:14: warning: description: ${A...} is not a form that is expanded here, so it stays as it is",
	},
	"variable_unset": {
		`3:8: error: source.url: environment variable DATABASE_URL is not set`,
	},
	"variable_wrong_type": {
		`7:16: error: commit.rows: the value of environment variable ROWS is not an integer`,
	},
	"version": {
		`7:10: error: version: "2" is too large: at most 1`,
	},
	"yaml_boolean": {
		`7:10: error: enabled: want true or false, got "yes"`,
	},
}

func TestEachRuleHasItsPlaceAndMessage(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) != len(badFiles) {
		t.Errorf("%d files, %d in the table, %v", len(files), len(badFiles), err)
	}
	eachBadFile(t, badFiles, func(_ *testing.T, f Finding) string {
		_, text, _ := strings.Cut(f.String(), ".bad.yaml:")
		return text
	})
}

// eachBadFile loads the files that a table names, and compares what is said of each of their findings.
func eachBadFile(t *testing.T, table map[string][]string, said func(t *testing.T, f Finding) string) {
	t.Helper()
	for name, want := range table {
		t.Run(name, func(t *testing.T) {
			file := name + ".bad.yaml"
			_, findings := LoadBytes(file, testFile(t, file), isolated(nil))
			var got []string
			for _, f := range findings {
				got = append(got, said(t, f))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func testFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTwentyMistakesGiveTwentyFindings(t *testing.T) {
	_, findings := LoadBytes("twenty.yaml", testFile(t, "twenty.yaml"), isolated(nil))
	lines := map[int]bool{}
	for _, f := range findings {
		if f.Warning || f.Column == 0 || f.source == "" {
			t.Errorf("not an error with its line and column: %s", f)
		}
		lines[f.Line] = true
	}
	if len(findings) != 20 || len(lines) != 20 {
		t.Errorf("%d findings on %d lines:\n%s", len(findings), len(lines), findings.Error())
	}
}

func TestPrintShowsLineCaretAndRemedy(t *testing.T) {
	_, findings := LoadBytes("bad.yaml", testFile(t, "excerpt.yaml"), isolated(nil))
	var out strings.Builder
	if err := findings.Print(&out, false); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(testFile(t, "excerpt.txt")), out.String()); diff != "" {
		t.Error(diff)
	}
	if err := findings.Print(&out, true); err != nil || !strings.Contains(out.String(), "\x1b[1;31merror\x1b[0m") {
		t.Error("no colour where it was asked for")
	}
}

func TestLongLineIsCutAroundItsPlace(t *testing.T) {
	text := minimal + "description: {" + strings.Repeat("x", 500) + ": 1}\n"
	_, findings := LoadBytes("long.yaml", []byte(text), isolated(nil))
	var out strings.Builder
	_ = findings.Print(&out, false)
	for line := range strings.SplitSeq(out.String(), "\n") {
		if len(line) > widest+50 {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
}

func TestStrictMakesWarningsErrors(t *testing.T) {
	text := []byte(minimal + "router: {json_null: optional_bytes}\n")
	o := isolated(nil)
	if _, f := LoadBytes("x.yaml", text, o); len(f) != 1 || f.HasErrors() || len(f.Warnings()) != 1 {
		t.Errorf("want one warning, got %v", f)
	}
	o.Strict = true
	if _, f := LoadBytes("x.yaml", text, o); !f.HasErrors() || len(f.Errors()) != 1 {
		t.Errorf("want one error, got %v", f)
	}
}
