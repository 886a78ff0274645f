package configs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const canary = "hunter2canary"

func TestSecretsNeverPrint(t *testing.T) {
	dir := t.TempDir()
	text := strings.Replace(minimal, "outferry@", "outferry:"+canary+"@", 1)
	text += "  sasl: {mechanism: SCRAM-SHA-256, user: u, password: " + canary + "}\n"
	set, findings := LoadBytes(filepath.Join(dir, "x.yaml"), []byte(text), isolated(nil))
	p := set.Pipelines[0]
	hidden := struct{ source SASL }{p.Kafka.SASL}
	asJSON, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	_ = findings.Print(&printed, false)
	outs := []string{string(asJSON), string(asYAML), printed.String(), fmt.Sprint(*set), fmt.Sprintf("%+v", hidden), fmt.Sprintf("%#v", hidden)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		outs = append(outs, fmt.Sprintf(verb, *p), fmt.Sprintf(verb, p.Source.URL), fmt.Sprintf(verb, p.Source.Password))
	}
	for i, out := range outs {
		if strings.Contains(out, canary) || strings.Contains(out, fmt.Sprintf("%x", canary)) {
			t.Errorf("output %d shows it: %s", i, out)
		}
	}
	if got, _ := p.Source.Password.Get(); got != canary || !strings.Contains(string(p.Source.URL), canary) {
		t.Error("the secret itself is lost")
	}
	if len(findings.Warnings()) != 2 || findings.HasErrors() {
		t.Errorf("want a warning for each literal password, got\n%s", findings.Error())
	}
}

// A broken file is quoted in messages, but never its passwords.
// utf16LE is the form of what PowerShell's > writes.
func utf16LE(text string) []byte {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

func TestExcerptsHideSecrets(t *testing.T) {
	for _, line := range []string{
		"password: " + canary, "  passwort: \"" + canary + "\"", "database.password: " + canary, "{user: x, password: " + canary + "}",
		"url: postgres://u:" + canary + "@h/db", "url: jdbc:postgresql://h/db?user=u&password=" + canary,
		"sasl.jaas.config: user=\"u\" password=\"" + canary + "\";", "DB_PASSWORD=" + canary, "pwd: " + canary, "api_token: " + canary,
		"url: postgres://u:p@" + canary + "@h/db", "password: ${X:-" + canary + "}" + canary,
		"password: ${X:-" + canary + "}",
	} {
		if got, _ := withoutSecrets(line, "", 1); strings.Contains(got, canary) {
			t.Errorf("%s", got)
		}
	}
	for _, line := range []string{"password: ${file:/run/secrets/x}", "  password: \"${DB_PASSWORD}\"  # from the vault"} {
		if got, _ := withoutSecrets(line, "", 1); got != line {
			t.Errorf("a reference is no secret: %s", got)
		}
	}
	for _, text := range []string{
		minimal + "database.password: " + canary + "\n", minimal + "source.pasword: " + canary + "\n",
		minimal + "psswrod: " + canary + "\n", minimal + "password: " + canary + ": x\n",
		strings.Replace(minimal, "kafka:", "  password: *"+canary+"\nkafka:", 1),
		strings.Replace(minimal, "kafka:", "  password: ["+canary+"]\nkafka:", 1),
		strings.Replace(minimal, "kafka:", "  password:\n    "+canary+"\n  x: y\nkafka:", 1),
		strings.Replace(minimal, "kafka:", "  password:\n    '"+canary+"'\n  x: y\nkafka:", 1),
		strings.Replace(minimal, "kafka:", "  password:\n    "+canary+": x\nkafka:", 1),
		strings.Replace(minimal, "kafka:", "  password:\n    - "+canary+"\nkafka:", 1),
		strings.Replace(minimal, "kafka:", "  ? password\n  : "+canary+"\n  x: y\nkafka:", 1),
		string(utf16LE(minimal + "password: " + canary)),
		strings.Replace(minimal, "postgres://outferry@localhost:5432/posts", "postgres://u:1/a?x&"+canary+"=1@h/d", 1) + "x: y\n",
		strings.Replace(minimal, "postgres://outferry@localhost:5432/posts", "postgres://u:22/p?"+canary+"%40@h:5432/d", 1) + "x: y\n",
		strings.Replace(minimal, "kafka:", "  password: >-\n    "+canary+"\n  x: y\nkafka:", 1),
		strings.Replace(minimal, "kafka:", "kafka:\n  x: y\n  sasl: {mechanism: PLAIN, user: u, password:\n    "+canary+"}\n ", 1),
		strings.Replace(minimal, "outferry@", "outferry:"+canary+"#@", 1),
		strings.Replace(minimal, "outferry@", "outferry:%zz"+canary+"@", 1),
	} {
		_, findings := LoadBytes("x.yaml", []byte(text), isolated(nil))
		var out strings.Builder
		_ = findings.Print(&out, true)
		asJSON, _ := json.Marshal(findings)
		if shown := strings.ReplaceAll(out.String()+string(asJSON), "?", ""); !findings.HasErrors() || strings.Contains(shown, canary) {
			t.Errorf("%s", out.String())
		}
	}
}

// misplacedSecrets are values in which a password stands where no parser of addresses would look for it.
var misplacedSecrets = map[string][]string{
	"source.url": {
		"postgres//user:" + canary + "@h/t1", "user:" + canary + "@h:5432/db", "postgres:/u:" + canary + "@h/d", "postgresql:u:" + canary + "@h",
		"//u:" + canary + "@h/d", "postgres;//u:" + canary + "@h/d", "jdbc:u:" + canary + "@h", `postgres:\\u:` + canary + "@h", "postgres://u:" + canary,
		"postgres://u:1 " + canary + "@h/d", "postgres://u:1/" + canary + "@h/d", canary, "u " + canary + " h", "u:" + canary + "://h/d",
		"oracle:" + canary + "@x://h/d", "postgres://u%3A" + canary + "@:x/d", "postgres://:" + canary + "@h", "postgres://u:a'" + canary + "@h",
	},
	"kafka.brokers": {"u:" + canary + "@h:9092", canary + "@h:9092", "u:p " + canary + "@h:9092", "a:1,u:" + canary + "@h:9092", "SSL://u:" + canary + "@h:9092"},
	"source.host":   {"u:" + canary + "@h", canary + "@h", "u:p " + canary + "@h"},
}

func TestMisplacedSecretsNeverPrint(t *testing.T) {
	for path, values := range misplacedSecrets {
		section, key, _ := strings.Cut(path, ".")
		for _, value := range values {
			for _, style := range []string{"%s: '%s'", "%s: %q", "%s: %s", "%s: '%s' # of the team@work", "%s:\n    '%s'", "%s:\n    %s", "%s:\n  - %s", "%s: ['%s', 'k:1']",
				"%s: [%s, k:1]", "%s: [k:1, %s]", "%s: &a '%s'", "%s: >-\n    %s", "%s: {'%s'}", "%s: {%s}", "%s: {%s: 1}", "%s: '%s", "%s %s", "%sx: '%s'", "- %s: %s"} {
				if strings.Contains(style, "'%s") && strings.Contains(value, "'") {
					continue
				}
				text := misplaced(section, fmt.Sprintf(style, key, value))
				_, findings := LoadBytes("x.yaml", []byte(text), isolated(nil))
				checkHidden(t, text, findings)
			}
			text := misplaced(section, key+": ${X}")
			_, findings := LoadBytes("x.yaml", []byte(text), isolated(map[string]string{"X": value}))
			checkHidden(t, "the variable of "+text+value, findings)
			o := isolated(nil)
			o.Set = []string{path + "=" + value, path + ":" + value, path + ":" + value + "=", path + " " + value + "=x"}
			_, findings = LoadBytes("x.yaml", []byte(misplaced("", "")), o)
			checkHidden(t, "--set "+path+"="+value, findings)
		}
	}
}

// misplaced is a pipeline with a line in one of its sections in place of the address.
func misplaced(section, line string) string {
	text := "name: posts\nsource:\n  tables: [public.outbox]\n"
	if section == "source" {
		text += "  " + line + "\n"
	}
	if strings.HasPrefix(line, "host") {
		text += "  type: postgres\n  database: posts\n  user: outferry\n"
	}
	text += "kafka:\n"
	if section == "kafka" {
		return text + "  " + line + "\n"
	}
	return text + "  brokers: [localhost:9092]\n"
}

func checkHidden(t *testing.T, what string, findings Findings) {
	t.Helper()
	var out strings.Builder
	_ = findings.Print(&out, false)
	asJSON, _ := json.Marshal(findings)
	if !findings.HasErrors() || strings.Contains(out.String()+string(asJSON)+findings.Error(), canary) {
		t.Errorf("%s\n%s", what, out.String())
	}
}

func TestExcerptsPointAtTheSameWords(t *testing.T) {
	for _, test := range []struct{ line, path, at, want, wantAt string }{
		{"  url: 'postgres//u:pw@h/d'", "source.url", "'", "  url: '<redacted>'", "'"},
		{"  url: postgres://u:pw@h", "source.url", "postgres", "  url: postgres://u:<redacted>@h", "postgres"},
		{"source: {url: 'u:pw@h', port: x}", "source.port", "x", "source: {url: '<redacted>', port: x}", "x}"},
		{"source: {url: postgres://u:pw@h/d, port: x}", "source.port", "x", "source: {url: postgres://u:<redacted>@h/d, port: x}", "x}"},
		{"source: {url: u:pw@h, port: x}", "source.port", "x", "source: {url: <redacted>", "<redacted>"},
		{"  url: postgres://u@h:5432/d # of the team", "source.url", "postgres", "  url: postgres://u@h:5432/d # of the team", "postgres"},
		{"  url: jdbc:postgresql://h:5432/d?user=u", "source.url", "jdbc", "  url: jdbc:postgresql://h:5432/d?user=u", "jdbc"},
		{"  url: ${URL}", "source.url", "$", "  url: ${URL}", "$"},
		{"    postgres:/u:pw", "source.url", "postgres", "    <redacted>", "<"},
		{"source:", "source.url", "source", "source:", "source"},
		{"  brokers: ['ü:pw@h:9092', 'k']", "kafka.brokers[1]", "'k'", "  brokers: ['<redacted>@h:9092', 'k']", "'k'"},
		{"  brokers: [u:pw@h:9092, k]", "kafka.brokers[1]", "k]", "  brokers: [<redacted>@h:9092, k]", "k]"},
		{"  brokers: [k:1, kafka]", "kafka.brokers[1]", "kafka", "  brokers: [k:1, kafka]", "kafka"},
		{"  - u@h:9092", "kafka.brokers[0]", "u", "  - <redacted>@h:9092", "<"},
		{"  host: u@h", "source.host", "u", "  host: <redacted>@h", "<"},
		{"description: ask posts@example.com", "description", "ask", "description: ask posts@example.com", "ask"},
	} {
		column := utf8.RuneCountInString(test.line[:strings.Index(test.line, test.at)]) + 1
		got, caret := withoutSecrets(test.line, test.path, column)
		want := utf8.RuneCountInString(test.want[:strings.Index(test.want, test.wantAt)]) + 1
		if got != test.want || caret != want {
			t.Errorf("%s: got %q at %d, want %q at %d", test.line, got, caret, test.want, want)
		}
	}
}

func TestRotatedPasswordNeedsNoRestart(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	text := strings.Replace(minimal, "kafka:", "  password: ${file:password}\nkafka:", 1)
	set, findings := LoadBytes(filepath.Join(dir, "x.yaml"), []byte(text), isolated(nil))
	if findings != nil {
		t.Fatal(findings.Error())
	}
	password := set.Pipelines[0].Source.Password
	for _, want := range []string{"first", "second\n", "third"} {
		write(want + "\n")
		if got, err := password.Get(); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := password.Get(); err == nil || strings.Contains(err.Error(), "third") {
		t.Errorf("got %v", err)
	}
	set, findings = LoadBytes(filepath.Join(dir, "x.yaml"), []byte(text), isolated(nil))
	if findings.HasErrors() || len(findings) != 1 || set.Pipelines[0].Source.Password != password {
		t.Errorf("a secret that is mounted later is no error: %v", findings)
	}
}
