package configs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("pipeline.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("pipeline.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validates is what an editor says of each document of the text.
func validates(s *jsonschema.Schema, text []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var v any
		if err := decoder.Decode(&v); err != nil {
			return nil
		}
		if err := s.Validate(v); err != nil {
			return err
		}
	}
}

func TestExamplesPassTheSchema(t *testing.T) {
	s := compiledSchema(t)
	for _, name := range []string{"postgres.yaml", "postgres-spring.yaml", "all-options.yaml"} {
		text, err := readLimited(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validates(s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An editor and the decoder agree on 1,000 generated files, right and wrong ones.
func TestSchemaAndDecoderAgree(t *testing.T) {
	s := compiledSchema(t)
	o := isolated(map[string]string{"REFERENCE": "never evaluated"})
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for i := range 1000 {
		text := generated(random)
		_, findings := LoadBytes("generated.yaml", []byte(text), o)
		decoder, editor := findings.HasErrors(), validates(s, []byte(text)) != nil
		if decoder != editor {
			t.Errorf("file %d: decoder refuses %t, editor %t\n%s\n%s", i, decoder, editor, text, findings.Error())
		}
		if decoder {
			refused++
		}
	}
	t.Logf("%d of 1000 were refused", refused)
	if refused < 200 || refused > 800 {
		t.Errorf("%d of 1000 files are wrong ones, which proves little", refused)
	}
}

// generated writes the minimal file with a few options set: one in four of them wrongly. Only what
// one document alone can say: rules between options are no matter of an editor's.
func generated(random *rand.Rand) string {
	options := pipelineOptions(&Pipeline{})
	setDefaults(options)
	values := map[string]string{}
	wrong := random.IntN(2) == 0
	for range 1 + random.IntN(4) {
		o := &options[random.IntN(len(options))]
		if o.Required || o.Alternative || o.Secret() {
			continue
		}
		if good := rightValues(o); len(good) > 0 {
			values[o.Path] = good[random.IntN(len(good))]
		}
	}
	if wrong {
		o := &options[random.IntN(len(options))]
		bad := wrongValues(o)
		values[o.Path] = bad[random.IntN(len(bad))]
		if random.IntN(5) == 0 {
			delete(values, o.Path)
			values[o.Path+"x"] = "1"
		}
	}
	return write(values)
}

func write(values map[string]string) string {
	root := map[string]any{}
	_ = yaml.Unmarshal([]byte(minimal), &root)
	for path, text := range values {
		var v any
		_ = yaml.Unmarshal([]byte(text), &v)
		at := root
		keys := strings.Split(path, ".")
		for _, key := range keys[:len(keys)-1] {
			below, ok := at[key].(map[string]any)
			if !ok {
				below = map[string]any{}
				at[key] = below
			}
			at = below
		}
		at[keys[len(keys)-1]] = v
	}
	text, err := yaml.Marshal(root)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// rightValues are those that no rule between options minds.
func rightValues(o *Option) []string {
	switch o.Path {
	case "kafka.sasl.mechanism", "kafka.sasl.user", "kafka.tls.cert_file", "kafka.tls.key_file", "source.tls.cert_file", "source.tls.key_file",
		"encoding.value", "router.topic", "router.topic_pattern", "source.retry.initial", "source.retry.max":
		return nil
	}
	var all []string
	for _, w := range o.Words {
		all = append(all, fmt.Sprintf("%q", w))
	}
	switch o.Type() {
	case "boolean":
		return []string{"true", "false"}
	case "integer":
		return []string{o.Default, fmt.Sprint(max(o.Min, 1))}
	case "size", "duration":
		return []string{o.Default}
	case "map":
		return []string{"{}", "{a: b}", "{a: 5, b: true}", "null"}
	case "text":
		if o.Pattern != "" {
			return []string{"posts"}
		}
		return []string{"text", "5", "true", `"0123"`}
	}
	return all
}

func wrongValues(o *Option) []string {
	wrong := []string{"[[x]]", "null"}
	switch o.Type() {
	case "map":
		return []string{"5", "[a]", "text", "{a: [b]}", "{a: null}"}
	case "boolean":
		return append(wrong, `"yes"`, "1", `"true"`, "{a: b}")
	case "integer":
		return append(wrong, `"5"`, "1.5", "text", "true", fmt.Sprint(o.Max+1), "-7")
	case "duration":
		return append(wrong, "10", "soon", "true", "1.5", "10 s", "-5s")
	case "size":
		return append(wrong, "-1", "0", fmt.Sprint(o.Max+1), "64M", "big", "true", "1.5")
	case "word":
		return append(wrong, "5", "no_such_word", "{a: b}", "true")
	case "list":
		return append(wrong, "text", "5", "{a: b}", "[null]")
	}
	if o.Pattern != "" {
		return append(wrong, `"not allowed!"`, `"ÄÖ"`, "true")
	}
	return append(wrong, "{a: b}")
}
