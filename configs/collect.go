package configs

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// value is what a file, variable or flag says an option is, not yet read.
type value struct {
	node *yaml.Node // nil: text is the value, as it is
	text string
	at   place
}

// raw is the value as it is written.
func (v value) raw() string {
	if v.node != nil {
		return v.node.Value
	}
	return v.text
}

// collector walks a document along the tree of sections and finds what is no option. It decodes
// nothing: a value that another layer replaces is never looked at.
type collector struct {
	file     *file
	all      []Option
	old      oldNames
	values   map[string]value
	places   map[string]place // of sections and values
	shared   map[string]bool  // options that the defaults section alone says
	meant    map[string]bool  // options that a wrong key probably was about, so they aren't missing too
	findings *Findings
}

func (c *collector) report(n *yaml.Node, path string, m *mistake) {
	*c.findings = append(*c.findings, c.file.at(n).finding(path, m))
}

// mapping calls each for every key of a mapping that is written once.
func (c *collector) mapping(n *yaml.Node, path string, each func(key, value *yaml.Node)) {
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			c.report(key, path, mistakef("", "a key must be a text"))
			continue
		}
		if before := first[key.Value]; before != nil {
			c.report(key, join(path, key.Value), mistakef("keep one of them", "written twice, first in line %d", before.Line))
			continue
		}
		first[key.Value] = key
		each(key, n.Content[i+1])
	}
}

// section collects the options of one mapping.
func (c *collector) section(n *yaml.Node, s *section) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		c.meant[s.path] = true
		c.report(n, s.path, mistakef("known here: "+strings.Join(s.order, ", "), "expected a mapping"))
		return
	}
	c.mapping(n, s.path, func(key, value *yaml.Node) { c.key(key, value, s) })
}

func (c *collector) key(key, val *yaml.Node, s *section) {
	path := join(s.path, key.Value)
	if below := s.sections[key.Value]; below != nil {
		c.places[path] = c.file.at(key)
		c.section(val, below)
		return
	}
	o := s.options[key.Value]
	if o == nil {
		c.unknown(key, val, path, s)
		return
	}
	if resolve(val).Kind == yaml.MappingNode && !o.isMap() && c.nestedOldNames(key, val, path) {
		c.meant[path] = true
		return
	}
	c.places[path] = c.file.at(val)
	c.values[path] = value{node: resolve(val), at: c.file.at(val)}
}

// Looking for what was meant costs time, which a file that is no pipeline file at all is not worth.
const (
	longestPath = 200
	enoughHints = 200
)

// unknown says what a key that is no option probably is.
func (c *collector) unknown(key, val *yaml.Node, path string, s *section) {
	const message = "unknown field"
	if len(path) > longestPath || len(*c.findings) > enoughHints {
		c.report(key, path, mistakef("", message))
		return
	}
	if key.Value == "<<" {
		c.report(key, path, mistakef("merge keys are not read: what pipelines share goes under defaults, beside service", message))
		return
	}
	if hint, ok := c.old.find(path); ok {
		c.meant[hint.path] = true
		c.report(key, path, mistakef(hint.remedy, message))
		return
	}
	if c.nestedOldNames(key, val, path) {
		return
	}
	if slices.ContainsFunc(c.all, func(o Option) bool { return o.Path == path }) {
		c.report(key, path, mistakef("each pipeline has its own: write it there", "not for all pipelines"))
		return
	}
	hint, ok := suggestion{}, false
	for i, l := range leaves(key, val, path, 0) {
		if hint, ok = family(l.path); ok || i > enoughHints || len(l.path) > longestPath {
			break
		}
	}
	if !ok {
		hint = s.suggest(key.Value, c.all)
	}
	c.meant[hint.path] = true
	c.report(key, path, mistakef(hint.remedy, message))
	if c.isSecret(hint.path) {
		(*c.findings)[len(*c.findings)-1].hideAfter(len(key.Value))
	}
}

// isSecret reports whether a key that was mistyped probably holds a secret.
func (c *collector) isSecret(path string) bool {
	return slices.ContainsFunc(c.all, func(o Option) bool { return o.Path == path && o.Secret() })
}

// nestedOldNames looks for names like table.field.event.key written as nested mappings. It reports
// nothing and returns false when there is none.
func (c *collector) nestedOldNames(key, val *yaml.Node, path string) bool {
	var known, others Findings
	for _, l := range leaves(key, val, path, 0) {
		if len(l.path) > longestPath || len(known)+len(others) > enoughHints {
			continue
		}
		m := mistakef("", "unknown field")
		hint, ok := c.old.find(l.path)
		if ok {
			c.meant[hint.path] = true
			m.remedy = hint.remedy
			known = append(known, c.file.at(l.key).finding(l.path, m))
			continue
		}
		if hint, ok := family(l.path); ok {
			m.remedy = hint.remedy
		}
		others = append(others, c.file.at(l.key).finding(l.path, m))
	}
	if len(known) == 0 {
		return false
	}
	*c.findings = append(append(*c.findings, known...), others...)
	return true
}

type leaf struct {
	key  *yaml.Node
	path string
}

// leaves lists the innermost keys. It follows no alias, so its work is bounded by the file's size.
func leaves(key, val *yaml.Node, path string, depth int) []leaf {
	if val.Kind != yaml.MappingNode || len(val.Content) == 0 || depth == 8 {
		return []leaf{{key, path}}
	}
	var all []leaf
	for i := 0; i+1 < len(val.Content); i += 2 {
		all = append(all, leaves(val.Content[i], val.Content[i+1], join(path, val.Content[i].Value), depth+1)...)
	}
	return all
}

// resolve follows an alias. The tree of sections is finite, so a chain of them cannot grow.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}

// missing reports what is required and not there, at the nearest section that is.
func (c *collector) missing(options []Option, start place) {
	for i := range options {
		o := &options[i]
		if _, there := c.values[o.Path]; there || !o.Required || c.excused(o.Path) {
			continue
		}
		*c.findings = append(*c.findings, c.nearest(o.Path, start).finding(o.Path,
			mistakef(fmt.Sprintf("write %s: %s", o.Key(), o.Example), "missing")))
	}
}

// excused says that another finding or another option covers for what is missing.
func (c *collector) excused(path string) bool {
	for p := path; p != ""; p = parent(p) {
		if c.meant[p] {
			return true
		}
	}
	if path != "source.url" {
		return false
	}
	return slices.ContainsFunc([]string{"source.type", "source.host", "source.database"}, func(p string) bool {
		_, there := c.values[p]
		return there || c.meant[p]
	})
}

// nearest is the place of the path, or of the section that it would stand in.
func (c *collector) nearest(path string, start place) place {
	for p := path; p != ""; p = parent(p) {
		if at, ok := c.places[p]; ok {
			return at
		}
	}
	return start
}

func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}
