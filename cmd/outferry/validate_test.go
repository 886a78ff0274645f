package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodPipeline = `name: posts
source:
  url: postgres://outferry@localhost:5432/posts
  tables: [public.outbox]
kafka:
  brokers: [localhost:9092]
`

// validateFiles runs the command over files of these texts and returns what it printed and its exit code.
func validateFiles(t *testing.T, files map[string]string, flags ...string) (string, int) {
	t.Helper()
	dir := t.TempDir()
	args := flags
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	var out strings.Builder
	cmd := newValidateCommand()
	cmd.SetOut(&out)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	code := exitCodeOf(t, cmd.Execute())
	return strings.ReplaceAll(out.String(), dir+string(filepath.Separator), ""), code
}

func exitCodeOf(t *testing.T, err error) int {
	t.Helper()
	var exit *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.code
	}
	t.Fatalf("an error without exit code: %v", err)
	return 0
}

func TestValidateAcceptsAGoodFile(t *testing.T) {
	out, code := validateFiles(t, map[string]string{"posts.yaml": goodPipeline})
	if code != 0 || out != "ok: 1 pipeline (posts)\n" {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestValidateShowsEveryMistakeAndExitsWithTwo(t *testing.T) {
	out, code := validateFiles(t, map[string]string{"posts.yaml": goodPipeline + "comit: {}\ndelivery: never\n"})
	want := []string{"posts.yaml:7:1: error: comit: unknown field\n    7 | comit: {}\n      | ^\n        did you mean commit?\n", "posts.yaml:8:11: error: delivery: want"}
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("%q is missing in\n%s", w, out)
		}
	}
	if code != 2 {
		t.Errorf("exit %d", code)
	}
}

func TestValidateStrictFailsOnWarnings(t *testing.T) {
	files := map[string]string{"posts.yaml": goodPipeline + "router: {json_null: optional_bytes}\n"}
	if out, code := validateFiles(t, files); code != 0 || !strings.Contains(out, "warning: router.json_null") || !strings.HasSuffix(out, "ok: 1 pipeline (posts)\n") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := validateFiles(t, files, "--strict"); code != 2 || !strings.Contains(out, "error: router.json_null") {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestValidateAnswersInJSON(t *testing.T) {
	for text, ok := range map[string]bool{goodPipeline: true, goodPipeline + "comit: {}\n": false} {
		out, code := validateFiles(t, map[string]string{"posts.yaml": text}, "-o", "json")
		var e struct {
			Command       string
			OK            bool
			Result        validateResult
			Error         *envelopeError
			SchemaVersion int `json:"schema_version"`
		}
		if err := json.Unmarshal([]byte(out), &e); err != nil {
			t.Fatal(err)
		}
		if e.Command != "validate" || e.OK != ok || e.SchemaVersion != 1 || (e.Error == nil) != ok || (code == 0) != ok || e.Result.Pipelines[0] != "posts" {
			t.Errorf("exit %d: %s", code, out)
		}
		if !ok && (e.Result.Findings[0].Line != 7 || e.Result.Findings[0].Path != "comit") {
			t.Errorf("got %+v", e.Result.Findings)
		}
	}
	if _, code := validateFiles(t, map[string]string{"posts.yaml": goodPipeline}, "-o", "xml"); code != 2 {
		t.Errorf("exit %d for an unknown output", code)
	}
}

func TestValidateReadsMarkdown(t *testing.T) {
	text := "# Posts\n\n```yaml\n" + goodPipeline + "```\n\n```yaml\nservices: {posts: {image: x}}\n```\n\n```yaml title=x\n" + goodPipeline + "comit: {}\n```\n"
	out, code := validateFiles(t, map[string]string{"README.md": text})
	if code != 2 || !strings.HasPrefix(out, "README.md:23:1: error: comit: unknown field") || strings.Count(out, "error:") != 1 {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestSchemaAndExplain(t *testing.T) {
	var out strings.Builder
	schema := newSchemaCommand()
	schema.SetOut(&out)
	schema.SetArgs([]string{})
	if err := schema.Execute(); err != nil || !json.Valid([]byte(out.String())) {
		t.Errorf("%v", err)
	}
	out.Reset()
	explain := newExplainCommand()
	explain.SetOut(&out)
	explain.SetArgs([]string{"router.topic"})
	if err := explain.Execute(); err != nil || !strings.Contains(out.String(), "route.topic.replacement") {
		t.Errorf("%v: %s", err, out.String())
	}
	explain.SetArgs([]string{"nothing.here"})
	explain.SilenceErrors, explain.SilenceUsage = true, true
	if code := exitCodeOf(t, explain.Execute()); code != 2 {
		t.Errorf("exit %d", code)
	}
}
