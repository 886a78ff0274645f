package sink

import (
	"fmt"
	"testing"

	"outferry/configs"
)

// File is a pipeline of the name on a broker; more are options as kafka.max_record=1MB.
func File(t testing.TB, addr, name string, more ...string) *configs.Pipeline {
	t.Helper()
	text := fmt.Sprintf("name: %s\nsource: {url: postgres://outferry@localhost/app, tables: [public.outbox]}\nkafka: {brokers: [%q]}\noffsets: {topic: %s-offsets}\n", name, addr, name)
	set, findings := configs.LoadBytes("test.yaml", []byte(text), configs.Options{
		Set: more, LookupEnv: func(string) (string, bool) { return "", false }, Environ: func() []string { return nil }})
	if findings.HasErrors() {
		t.Fatal(findings)
	}
	return set.Pipelines[0]
}
