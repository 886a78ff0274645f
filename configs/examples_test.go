package configs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// withSecrets gives the examples the variables and files that they refer to.
func withSecrets() Options {
	o := isolated(map[string]string{
		"DATABASE_URL":          "postgres://outferry@localhost:5432/posts",
		"SPRING_DATASOURCE_URL": "jdbc:postgresql://posts-db:5432/posts",
		"KAFKA_PASSWORD":        "not really",
	})
	o.ReadFile = func(path string) ([]byte, error) {
		if filepath.Dir(path) == "/run/secrets" {
			return []byte("not really\n"), nil
		}
		return nil, errors.New("no such secret")
	}
	return o
}

func TestExamplesAreValid(t *testing.T) {
	set, findings := Load([]string{"."}, withSecrets())
	if findings != nil {
		t.Fatal(findings.Error())
	}
	if diff := cmp.Diff([]string{"all-options", "spring-comments", "blog", "spring-posts", "posts"}, names(set)); diff != "" {
		t.Error(diff)
	}
	spring := set.Pipelines[3]
	if spring.Source.User != "outferry" || spring.Source.Host != "posts-db" || spring.Source.Password.IsZero() || spring.Kafka.Topics.Partitions != 6 {
		t.Errorf("got %+v", spring)
	}
}

// The file of all options says the defaults, and leaves out none.
func TestAllOptionsAreTheDefaults(t *testing.T) {
	all, findings := Load([]string{"all-options.yaml"}, isolated(nil))
	if findings != nil {
		t.Fatal(findings.Error())
	}
	usual, _ := LoadBytes("minimal.yaml", []byte(minimal), isolated(nil))
	all.Service.HTTP.ListenSet = false
	all.Pipelines[0].Router.Columns.Defaulted, usual.Pipelines[0].Router.Columns.Defaulted = nil, nil
	if all.Pipelines[0].Kafka.Topics.Config == nil {
		usual.Pipelines[0].Kafka.Topics.Config = nil
	}
	if diff := cmp.Diff(usual, all, cmp.AllowUnexported(SecretRef{})); diff != "" {
		t.Error(diff)
	}
	written := map[string]bool{}
	text, err := os.ReadFile("all-options.yaml")
	if err != nil {
		t.Fatal(err)
	}
	documents, _ := parse(&file{name: "all-options.yaml"}, text)
	for _, d := range documents {
		for i := 0; i < len(d.root.Content); i += 2 {
			for _, l := range leaves(d.root.Content[i], d.root.Content[i+1], d.root.Content[i].Value, 0) {
				written[l.path] = true
			}
		}
	}
	for _, o := range append(pipelineOptions(&Pipeline{}), serviceOptions(&Service{})...) {
		if !written[o.Path] && !o.Alternative {
			t.Errorf("%s is not in it", o.Path)
		}
	}
}

// Every field of the structs that a file can set is bound to exactly one option, and every option says what it is.
func TestEveryOptionIsDeclaredOnce(t *testing.T) {
	fields := map[any]string{}
	for _, o := range append(pipelineOptions(&Pipeline{}), serviceOptions(&Service{})...) {
		if o.Doc == "" || o.Since() == "" {
			t.Errorf("%s is not documented", o.Path)
		}
		if before := fields[o.into]; before != "" {
			t.Errorf("%s and %s are one field", o.Path, before)
		}
		fields[o.into] = o.Path
		if text, ok := Explain(o.Path); !ok || text == "" {
			t.Errorf("%s has no explanation", o.Path)
		}
	}
	for section := range sectionDocs {
		if _, ok := Explain(section); !ok {
			t.Errorf("section %q has no options", section)
		}
	}
}

// Each example in a declaration is a value of the option.
func TestDeclaredExamplesAreValid(t *testing.T) {
	for _, o := range pipelineOptions(&Pipeline{}) {
		if o.Example == "" || o.Alternative {
			continue
		}
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(o.Key()+": "+o.Example), &n); err != nil {
			t.Errorf("%s: %v", o.Path, err)
			continue
		}
		var found Findings
		c := &collector{file: &file{name: "example"}, all: []Option{o}, places: map[string]place{}, meant: map[string]bool{}, findings: &found,
			values: map[string]value{o.Path: {node: n.Content[0].Content[1], at: place{file: &file{name: "example"}}}}}
		d := &decoder{collector: c, failed: map[string]bool{}, expander: expanderOf(map[string]string{"KAFKA_PASSWORD": "x"})}
		d.expander.readFile = func(string) ([]byte, error) { return nil, nil }
		d.options([]Option{o})
		if found != nil {
			t.Error(found.Error())
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml", "*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o := isolated(map[string]string{"DATABASE_URL": "postgres://outferry@localhost:5432/posts"})
		o.ReadFile = func(string) ([]byte, error) { return []byte("x"), nil }
		set, findings := LoadBytes("fuzz.yaml", text, o)
		for _, x := range findings {
			if x.Message == "" || x.File != "fuzz.yaml" {
				t.Errorf("a finding without message or file: %+v", x)
			}
		}
		if err := findings.Print(discard{}, true); err != nil {
			t.Error(err)
		}
		if !findings.HasErrors() && len(set.Pipelines) == 0 {
			t.Error("neither a pipeline nor a reason")
		}
		_ = fmt.Sprint(set)
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func FuzzInterpolation(f *testing.F) {
	for _, s := range []string{"${A}", "${A:-b}", "${file:x}", "$${A}", "${", "${env:}", "${A:?}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e := expanderOf(map[string]string{"A": "${A}"})
		e.readFile = func(string) ([]byte, error) { return []byte("${A}"), nil }
		if _, m := e.expand(text, "."); m != nil && m.message == "" {
			t.Error("a mistake without message")
		}
	})
}
