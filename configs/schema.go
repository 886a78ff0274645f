package configs

import (
	"encoding/json"
	"strings"
)

// SchemaVersion goes with the JSON Schema and with the JSON that commands print.
const SchemaVersion = 1

// referenceForm admits a reference wherever an editor would ask for a number or a word.
const referenceForm = `\$\{([A-Z_][A-Z0-9_]*|env:[^:}]+|file:[^}]+)(:[-?][^}]*)?\}`

type schema = map[string]any

// Schema is the JSON Schema (draft-07, which editors read) of a pipeline file. Nothing but the name
// is required in it: the rest may come from defaults or from the environment, which an editor that
// sees one document can't know.
func Schema() []byte {
	pipeline := pipelineOptions(&Pipeline{})
	tree := sectionsOf(pipeline)
	service := sectionsOf(serviceOptions(&Service{})).sections["service"]
	root := schema{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "Outferry pipeline file",
		"description": sectionDocs[""],
		"if":          schema{"anyOf": []any{schema{"required": []string{"service"}}, schema{"required": []string{"defaults"}}}},
		"then":        schema{"$ref": "#/definitions/service"},
		"else":        schema{"$ref": "#/definitions/pipeline"},
		"definitions": schema{
			"pipeline": tree.schema("name"),
			"service": schema{"type": "object", "additionalProperties": false, "properties": schema{
				"service":  service.schema(),
				"defaults": defaultsTree(pipeline).schema(),
			}},
		},
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic("configs: schema: " + err.Error()) // of constants only
	}
	return append(text, '\n')
}

func (s *section) schema(required ...string) schema {
	properties := schema{}
	for key, o := range s.options {
		properties[key] = o.schema()
	}
	for key, below := range s.sections {
		properties[key] = below.schema()
	}
	out := schema{"type": []string{"object", "null"}, "additionalProperties": false, "properties": properties}
	if doc := sectionDocs[s.path]; doc != "" {
		out["description"] = doc
	}
	if len(required) > 0 {
		out["type"], out["required"] = "object", required
	}
	return out
}

func (o *Option) schema() schema {
	out := o.valueSchema()
	out["description"] = o.describe()
	if o.Example != "" {
		out["examples"] = []string{o.Example}
	}
	return out
}

// describe is the doc with what an editor shows nowhere else.
func (o *Option) describe() string {
	doc := o.Doc
	switch {
	case o.Derived != "":
		doc += " Default: " + o.Derived + "."
	case o.Default != "":
		doc += " Default: " + o.Default + "."
	}
	if len(o.Debezium) > 0 {
		doc += " Debezium: " + strings.Join(o.Debezium, ", ") + "."
	}
	return doc
}

func (o *Option) valueSchema() schema {
	reference := schema{"type": "string", "pattern": referenceForm}
	either := func(some ...any) schema { return schema{"anyOf": append(some, reference)} }
	text := []string{"string", "number", "boolean"}
	switch o.Type() {
	case "boolean":
		return either(schema{"type": "boolean"})
	case "integer":
		return either(o.integerSchema())
	case "duration":
		return either(schema{"type": "string", "pattern": durationPattern})
	case "size":
		return either(o.integerSchema(), schema{"type": "string", "pattern": sizePattern})
	case "list":
		return either(schema{"type": "array", "items": schema{"type": text}})
	case "map":
		return schema{"type": []string{"object", "null"}, "additionalProperties": schema{"type": text}}
	case "word":
		return either(schema{"enum": o.Words})
	case "secret":
		return schema{"type": text}
	}
	if o.Pattern != "" {
		return either(schema{"type": "string", "pattern": o.Pattern})
	}
	return schema{"type": text}
}

func (o *Option) integerSchema() schema {
	s := schema{"type": "integer"}
	if o.Min != 0 {
		s["minimum"] = o.Min
	}
	if o.Max != 0 {
		s["maximum"] = o.Max
	}
	return s
}
