package configs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
func TestExcerptsHideSecrets(t *testing.T) {
	for _, line := range []string{
		"password: " + canary, "  passwort: \"" + canary + "\"", "database.password: " + canary, "{user: x, password: " + canary + "}",
		"url: postgres://u:" + canary + "@h/db", "url: jdbc:postgresql://h/db?user=u&password=" + canary,
		"sasl.jaas.config: user=\"u\" password=\"" + canary + "\";", "DB_PASSWORD=" + canary, "pwd: " + canary, "api_token: " + canary,
		"url: postgres://u:p@" + canary + "@h/db", "password: ${X:-" + canary + "}" + canary,
		"password: ${X:-" + canary + "}",
	} {
		if got := withoutSecrets(line); strings.Contains(got, canary) {
			t.Errorf("%s", got)
		}
	}
	for _, line := range []string{"password: ${file:/run/secrets/x}", "  password: \"${DB_PASSWORD}\"  # from the vault"} {
		if got := withoutSecrets(line); got != line {
			t.Errorf("a reference is no secret: %s", got)
		}
	}
	for _, text := range []string{
		minimal + "database.password: " + canary + "\n", minimal + "source.pasword: " + canary + "\n",
		minimal + "psswrod: " + canary + "\n", minimal + "password: " + canary + ": x\n",
		strings.Replace(minimal, "kafka:", "  password: *"+canary+"\nkafka:", 1),
		strings.Replace(minimal, "kafka:", "  password: ["+canary+"]\nkafka:", 1),
		strings.Replace(minimal, "outferry@", "outferry:"+canary+"#@", 1),
		strings.Replace(minimal, "outferry@", "outferry:%zz"+canary+"@", 1),
	} {
		_, findings := LoadBytes("x.yaml", []byte(text), isolated(nil))
		var out strings.Builder
		_ = findings.Print(&out, true)
		asJSON, _ := json.Marshal(findings)
		if !findings.HasErrors() || strings.Contains(out.String()+string(asJSON), canary) {
			t.Errorf("%s", out.String())
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
