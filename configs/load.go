package configs

import (
	"fmt"
	"maps"
	"os"

	"gopkg.in/yaml.v3"
)

// Options are what a load takes besides files.
type Options struct {
	Set    []string // a.b=c, which win over everything
	Strict bool     // warnings count as errors

	// What the process has, unless given: for tests and for files from elsewhere.
	LookupEnv func(name string) (string, bool)
	Environ   func() []string
	ReadFile  func(path string) ([]byte, error)
}

func (o Options) withDefaults() Options {
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.Environ == nil {
		o.Environ = os.Environ
	}
	if o.ReadFile == nil {
		o.ReadFile = readLimited
	}
	return o
}

// Load reads files and directories (their *.yaml and *.yml, in order of name). Without paths it reads
// the text in OUTFERRY_CONFIG_YAML, else the file that OUTFERRY_CONFIG names, else outferry.yaml.
// The set is usable only when the findings hold no errors.
func Load(paths []string, opts Options) (*Set, Findings) {
	l := newLoader(opts)
	l.inputs(paths)
	return l.load()
}

// LoadBytes reads one text as if it stood in a file of that name.
func LoadBytes(name string, text []byte, opts Options) (*Set, Findings) {
	l := newLoader(opts)
	l.parse(name, text)
	return l.load()
}

// loader goes from texts to a set: parse all, then the service document, then each pipeline.
type loader struct {
	opts      Options
	findings  Findings
	files     int
	first     *file
	documents []document

	set       Set
	old       oldNames
	defaults  *collector // of the defaults section; nil is none
	overrides []override
	checkers  []*checker
}

func newLoader(opts Options) *loader {
	return &loader{opts: opts.withDefaults(), old: oldNamesOf(pipelineOptions(&Pipeline{}))}
}

func (l *loader) load() (*Set, Findings) {
	l.readOverrides()
	service, pipelines := l.split()
	l.service(service)
	for _, d := range pipelines {
		l.pipeline(d, len(pipelines))
	}
	l.overridesFit(len(pipelines))
	if len(pipelines) == 0 && len(l.findings) == 0 {
		l.add(place{file: l.first}, "", mistakef("write at least name, source and kafka", "no pipeline"))
	}
	l.compare()
	return &l.set, l.finish()
}

func (l *loader) finish() Findings {
	if l.opts.Strict {
		for i := range l.findings {
			l.findings[i].Warning = false
		}
	}
	return sortFindings(l.findings)
}

func (l *loader) add(at place, path string, m *mistake) {
	l.findings = append(l.findings, at.finding(path, m))
}

// split finds the one service document. A document that is no mapping is neither.
func (l *loader) split() (service *document, pipelines []document) {
	for i, d := range l.documents {
		switch {
		case d.root.Kind != yaml.MappingNode:
			l.add(d.file.at(d.root), "", mistakef("write name: ..., source: ... and kafka: ...", "expected a mapping"))
		case !has(d.root, "service") && !has(d.root, "defaults"):
			pipelines = append(pipelines, d)
		case service != nil:
			l.add(d.file.at(d.root), "service", mistakef("bring them together",
				"there is one already, in %s line %d", service.file.name, service.root.Line))
		default:
			service = &l.documents[i]
		}
	}
	return service, pipelines
}

func has(n *yaml.Node, key string) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

func (l *loader) collector(f *file, options []Option) *collector {
	return &collector{file: f, all: options, old: l.old, values: map[string]value{}, places: map[string]place{},
		meant: map[string]bool{}, findings: &l.findings}
}

func (l *loader) decoder(c *collector) *decoder {
	return &decoder{collector: c, failed: map[string]bool{},
		expander: expander{lookup: l.opts.LookupEnv, readFile: l.opts.ReadFile}}
}

// setDefaults brings the built-in values.
func setDefaults(options []Option) {
	for i := range options {
		o := &options[i]
		if o.Default == "" {
			continue
		}
		if m := o.set(o.Default, o.Default); m != nil {
			panic("configs: default of " + o.Path + ": " + m.message)
		}
	}
}

// service reads the service document, or takes the defaults where there is none.
func (l *loader) service(d *document) {
	options := serviceOptions(&l.set.Service)
	setDefaults(options)
	start := place{file: &file{name: "service"}}
	if d != nil {
		start = d.file.at(d.root)
	}
	c := l.collector(start.file, options)
	if d != nil {
		l.serviceKeys(c, d, sectionsOf(options))
	}
	l.override(c, options)
	dec := l.decoder(c)
	dec.options(options)
	_, l.set.Service.HTTP.ListenSet = c.values["service.http.listen"]
	(&checker{decoder: dec, start: start}).service(&l.set.Service)
}

func (l *loader) serviceKeys(c *collector, d *document, tree *section) {
	pipeline := pipelineOptions(&Pipeline{})
	c.mapping(d.root, "", func(key, val *yaml.Node) {
		switch key.Value {
		case "service":
			c.places["service"] = d.file.at(key)
			c.section(val, tree.sections["service"])
		case "defaults":
			l.defaults = l.collector(d.file, pipeline)
			l.defaults.section(val, defaultsTree(pipeline))
		default:
			remedy := "this document may hold service and defaults only"
			if t := sectionsOf(pipeline); t.sections[key.Value] != nil || t.options[key.Value] != nil {
				remedy = "a pipeline is a document of its own: put --- between it and the service"
			}
			c.report(key, key.Value, mistakef(remedy, "unknown field"))
		}
	})
}

// defaultsTree has what pipelines can share, which their names are not.
func defaultsTree(options []Option) *section {
	var shared []Option
	for _, o := range options {
		if o.Path != "name" && o.Path != "version" {
			shared = append(shared, o)
		}
	}
	return sectionsOf(shared)
}

// pipeline reads one pipeline: built-in values, below defaults, below the file, below overrides.
func (l *loader) pipeline(d document, total int) {
	p := &Pipeline{}
	options := pipelineOptions(p)
	setDefaults(options)
	c := l.collector(d.file, options)
	if l.defaults != nil {
		maps.Copy(c.values, l.defaults.values)
		maps.Copy(c.meant, l.defaults.meant)
		for path, v := range l.defaults.values {
			c.places[path] = v.at
		}
	}
	c.section(d.root, sectionsOf(options))
	if total == 1 {
		l.override(c, options)
	}
	if l.defaults != nil {
		c.shared = map[string]bool{}
		for path, v := range l.defaults.values {
			c.shared[path] = c.values[path] == v
		}
	}
	start := d.file.at(d.root)
	c.missing(options, start)
	dec := l.decoder(c)
	dec.options(options)
	check := &checker{decoder: dec, p: p, start: start}
	check.pipeline()
	l.checkers = append(l.checkers, check)
	l.set.Pipelines = append(l.set.Pipelines, p)
}

// compare looks for what two pipelines must not share.
func (l *loader) compare() {
	type use struct{ path, what, value string }
	seen := map[use]string{}
	for _, c := range l.checkers {
		p, s := c.p, c.p.Source
		uses := []use{{"name", "name", p.Name}}
		if !c.failed["name"] && p.Name != "" {
			server := fmt.Sprintf("%s:%d/", s.Host, s.Port)
			reader := use{"source.postgres.slot", "slot", server + s.Postgres.Slot}
			if s.isMySQL() {
				reader = use{"source.mysql.server_id", "replica number", fmt.Sprint(server, s.MySQL.ServerID)}
			}
			uses = append(uses, reader,
				use{"kafka.transactional_id", "transactional id", p.Kafka.TransactionalID})
		}
		for _, u := range uses {
			if u.value == "" {
				continue
			}
			before, taken := seen[u]
			if taken && (u.path == "name" || before != p.Name) {
				c.errorf(u.path, "each pipeline needs its own", "pipeline %s has the same %s", before, u.what)
			}
			seen[u] = p.Name
		}
	}
}
