package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func expanderOf(env map[string]string) expander {
	return expander{lookup: isolated(env).LookupEnv, readFile: readLimited}
}

func TestExpand(t *testing.T) {
	e := expanderOf(map[string]string{"NAME": "value", "EMPTY": "", "lower": "small", "NESTED": "${NAME}"})
	for text, want := range map[string]string{
		"plain":                         "plain",
		"${NAME}":                       "value",
		"a${NAME}b${NAME}":              "avaluebvalue",
		"${EMPTY}":                      "",
		"${EMPTY:-text}":                "text",
		"${UNSET:-text}":                "text",
		"${UNSET:-}":                    "",
		"${NAME:-text}":                 "value",
		"${NAME:?needed}":               "value",
		"${env:lower}":                  "small",
		"${env:other:-text}":            "text",
		"${NESTED}":                     "${NAME}",
		"$NAME":                         "$NAME",
		"$$":                            "$",
		"$${NAME}":                      "${NAME}",
		"$$$$":                          "$$",
		"$":                             "$",
		"${":                            "${",
		"${NAME":                        "${NAME",
		"outbox.event.${routedByValue}": "outbox.event.${routedByValue}",
		"${1}.$2.${topic}":              "${1}.$2.${topic}",
		"${UNSET:-http://x:80/?a=b}":    "http://x:80/?a=b",
		"${routedByValue}.${NAME}":      "${routedByValue}.value",
	} {
		got, m := e.expand(text, ".")
		if m != nil || got.text != want {
			t.Errorf("%s: got %q, %+v; want %q", text, got.text, m, want)
		}
	}
}

func TestExpandRefuses(t *testing.T) {
	e := expanderOf(map[string]string{"EMPTY": ""})
	for text, want := range map[string]string{
		"${UNSET}":          "environment variable UNSET is not set",
		"${UNSET:?say it}":  "environment variable UNSET is not set or empty",
		"${EMPTY:?say it}":  "environment variable EMPTY is not set or empty",
		"${env:unset}":      "environment variable unset is not set",
		"${file:/dev/zero}": "file /dev/zero is larger than 1MiB",
		"${file:/no/such}":  "file /no/such can't be read: it does not exist",
		"${A:-${B}}":        "the default of ${A} holds another reference",
	} {
		if _, m := e.expand(text, "."); m == nil || m.message != want {
			t.Errorf("%s: got %+v", text, m)
		}
	}
}

// Whatever a variable or file holds arrives as it is and never becomes structure.
func TestAnyBytesArriveUnchanged(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		bytes := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		if err := os.WriteFile(filepath.Join(dir, "secret"), []byte(bytes+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		text := minimal + "description: ${VALUE}\n"
		text = strings.Replace(text, "kafka:", "  user: ${env:VALUE}\n  password: ${file:secret}\nkafka:", 1)
		set, findings := LoadBytes(filepath.Join(dir, "x.yaml"), []byte(text), isolated(map[string]string{"VALUE": bytes, "OUTFERRY__KAFKA__CLIENT_ID": bytes}))
		if findings != nil {
			t.Fatal(findings.Error())
		}
		p := set.Pipelines[0]
		password, err := p.Source.Password.Get()
		if err != nil || p.Description != bytes || password != cutCR(bytes) {
			t.Fatalf("got %q and %q, %v; want %q", p.Description, password, err, bytes)
		}
		if bytes != "" && (p.Source.User != bytes || p.Kafka.ClientID != bytes) {
			t.Fatalf("got %q and %q, want %q", p.Source.User, p.Kafka.ClientID, bytes)
		}
	})
}

// cutCR is for a file that ends in a carriage return, which is part of its last newline.
func cutCR(s string) string { return strings.TrimSuffix(s, "\r") }

// The value is read with the field's type; a message names the variable and never its value.
func TestValuesAreTypedByTheField(t *testing.T) {
	text := minimal + "enabled: ${ON}\ncommit: {rows: \"${ROWS}\", interval: \"${WAIT}\", bytes: \"${BYTES}\"}\ndelivery: ${HOW}\n"
	good := map[string]string{"ON": "false", "ROWS": "7", "WAIT": "2s", "BYTES": "1MiB", "HOW": "at_least_once"}
	set, findings := LoadBytes("x.yaml", []byte(text), isolated(good))
	if findings != nil {
		t.Fatal(findings.Error())
	}
	p := set.Pipelines[0]
	if p.Enabled || p.Commit.Rows != 7 || p.Commit.Interval != 2e9 || p.Commit.Bytes != 1<<20 || p.Delivery != "at_least_once" {
		t.Errorf("got %+v", p.Commit)
	}
	bad := map[string]string{"ON": "canary", "ROWS": "canary", "WAIT": "canary", "BYTES": "canary", "HOW": "canary"}
	_, findings = LoadBytes("x.yaml", []byte(text), isolated(bad))
	if len(findings) != 5 || strings.Contains(findings.Error(), "canary") {
		t.Error(findings.Error())
	}
}

func TestListFromOneReference(t *testing.T) {
	text := strings.Replace(minimal, "[localhost:9092]", "${BROKERS}", 1)
	set, findings := LoadBytes("x.yaml", []byte(text), isolated(map[string]string{"BROKERS": "a:9092, b:9092"}))
	if findings != nil || len(set.Pipelines[0].Kafka.Brokers) != 2 {
		t.Errorf("%v, %v", set.Pipelines[0].Kafka.Brokers, findings)
	}
}
