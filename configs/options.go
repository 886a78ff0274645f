package configs

import (
	"strings"
	"time"
)

// Option is one key of a pipeline file. Decoding, checking, the reference page, the JSON Schema and
// `outferry explain` all come from it, so an option that is not declared here does not exist.
type Option struct {
	Path        string   // dotted, as written in the file
	Default     string   // as the file would write it; lists and maps start empty
	Derived     string   // how the default follows from something else, for people
	Required    bool     // unless another option stands in for it
	Alternative bool     // stands in for source.url, so the two never appear together
	Words       []string // the only values allowed
	Pattern     string   // that a text must match
	PatternDoc  string   // the same in words
	Min, Max    int64    // in bytes, nanoseconds or as is; both zero is no limit
	Doc         string   // one line, with unit and limits
	Example     string   // as the file would write it
	Debezium    []string // names of Debezium and Kafka Connect options with the same meaning
	Client      []string // names of the Kafka client's options with the same meaning

	into any // pointer to the field that receives the value; its type is the option's type
}

// Since is the first version that knows the option.
func (o *Option) Since() string { return "0.1.0" }

// Key is the last part of the path.
func (o *Option) Key() string { return o.Path[strings.LastIndexByte(o.Path, '.')+1:] }

// Secret reports whether the value must never be shown.
func (o *Option) Secret() bool {
	switch o.into.(type) {
	case *Secret, *SecretRef:
		return true
	}
	return false
}

// Type names the option's type for people.
func (o *Option) Type() string {
	switch o.into.(type) {
	case *bool:
		return "boolean"
	case *int:
		return "integer"
	case *int64:
		return "size"
	case *time.Duration:
		return "duration"
	case *[]string:
		return "list"
	case *[]Placement, *map[string]string:
		return "map"
	case *Secret, *SecretRef:
		return "secret"
	}
	if len(o.Words) > 0 {
		return "word"
	}
	return "text"
}

// isMap reports whether the value is a mapping that the user names the keys of.
func (o *Option) isMap() bool { return o.Type() == "map" }

// freeText reports whether any text will do, so that a number or a boolean is taken as it is written.
func (o *Option) freeText() bool {
	t := o.Type()
	return (t == "text" && o.Pattern == "") || t == "secret"
}

// pipelineOptions declares every option of a pipeline document, bound to the fields of p.
func pipelineOptions(p *Pipeline) []Option {
	all := generalOptions(p)
	all = append(all, sourceOptions(&p.Source)...)
	all = append(all, routerOptions(&p.Router)...)
	all = append(all, encodingOptions(&p.Encoding)...)
	all = append(all, kafkaOptions(&p.Kafka)...)
	return append(all, progressOptions(p)...)
}

// section is a mapping of the file whose keys are options and further sections.
type section struct {
	path     string
	options  map[string]*Option
	sections map[string]*section
	order    []string
}

// sectionsOf builds the tree that the dotted paths describe.
func sectionsOf(options []Option) *section {
	root := newSection("")
	for i := range options {
		root.add(strings.Split(options[i].Path, "."), &options[i])
	}
	return root
}

func newSection(path string) *section {
	return &section{path: path, options: map[string]*Option{}, sections: map[string]*section{}}
}

func (s *section) add(keys []string, o *Option) {
	key := keys[0]
	if len(keys) == 1 {
		s.options[key] = o
		s.order = append(s.order, key)
		return
	}
	below := s.sections[key]
	if below == nil {
		below = newSection(join(s.path, key))
		s.sections[key] = below
		s.order = append(s.order, key)
	}
	below.add(keys[1:], o)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// sectionDocs say what each section is about.
var sectionDocs = map[string]string{
	"":                "One document is one pipeline. Several go in one file, with `---` between them, or in several files.",
	"source":          "The database and its outbox tables.",
	"source.tls":      "TLS to the database.",
	"source.retry":    "How a lost connection to the database is tried again, with growing pauses.",
	"source.postgres": "What only PostgreSQL has.",
	"source.mysql":    "What only MySQL and MariaDB have.",
	"router":          "From a row to topic, key, headers and value. Every default is Debezium's.",
	"router.columns":  "The columns with a meaning.",
	"encoding":        "How key, value and headers become bytes: those of Kafka Connect's converters.",
	"kafka":           "The Kafka cluster.",
	"kafka.tls":       "TLS to Kafka.",
	"kafka.sasl":      "How the client proves who it is.",
	"kafka.topics":    "Topics that the router names and that do not exist yet.",
	"commit":          "How long a Kafka transaction may grow under load. It ends at once when the source runs dry.",
	"offsets":         "Where the pipeline's position is kept.",
	"errors":          "What happens to a row that cannot be published.",
	"service":         "The process. At most one document of all loaded files has `service` or `defaults`.",
	"service.http":    "Health, readiness and metrics.",
	"service.log":     "Log lines go to standard error.",
	"service.metrics": "Prometheus metrics.",
}
