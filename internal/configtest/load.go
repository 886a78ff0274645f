// Package configtest loads pipeline files that tests write.
package configtest

import (
	"testing"

	"outferry/configs"
)

// Load returns the one pipeline of a text. Nothing of the environment counts; set are options as kafka.max_record=1MB.
func Load(tb testing.TB, text string, set ...string) *configs.Pipeline {
	tb.Helper()
	loaded, findings := configs.LoadBytes("test.yaml", []byte(text), configs.Options{
		Set: set, LookupEnv: func(string) (string, bool) { return "", false }, Environ: func() []string { return nil }})
	if findings.HasErrors() {
		tb.Fatal(findings)
	}
	return loaded.Pipelines[0]
}
