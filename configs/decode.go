package configs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"gopkg.in/yaml.v3"
)

// decoder puts collected values into the fields of the options.
type decoder struct {
	*collector
	expander expander
	failed   map[string]bool // options whose value was refused
}

func (d *decoder) wrong(at place, path string, m *mistake) {
	if !m.warning {
		d.failed[strings.SplitN(path, "[", 2)[0]] = true
	}
	*d.findings = append(*d.findings, at.finding(path, m))
}

// options decodes a value for each option that has one.
func (d *decoder) options(options []Option) {
	for i := range options {
		o := &options[i]
		v, ok := d.values[o.Path]
		if !ok {
			continue
		}
		switch {
		case v.node == nil:
			d.override(o, v)
		case o.isMap():
			d.mapValue(o, v)
		case o.Type() == "list":
			d.list(o, v)
		default:
			d.scalar(o, v)
		}
	}
}

// override reads the text of a variable or flag, which is never expanded.
func (d *decoder) override(o *Option, v value) {
	if o.isMap() {
		d.wrong(v.at, o.Path, mistakef("write it in the file", "a map can't be set here"))
		return
	}
	if m := o.set(v.text, o.show(v.text, nil)); m != nil {
		d.wrong(v.at, o.Path, m)
	}
}

// scalar reads a single value, in which references are replaced first.
func (d *decoder) scalar(o *Option, v value) {
	if v.node.Kind != yaml.ScalarNode {
		d.wrong(v.at, o.Path, mistakef("", "expected %s", article(o.Type())))
		return
	}
	if ref, ok := o.into.(*SecretRef); ok && d.fileToCome(o, ref, v) {
		return
	}
	x, ok := d.expand(o.Path, v.node, v.at)
	if !ok {
		return
	}
	m := (*mistake)(nil)
	if len(x.refs) == 0 {
		m = o.literal(v.node)
	}
	if m == nil {
		m = o.set(x.text, o.show(x.text, x.refs))
	}
	if m != nil {
		d.wrong(v.at, o.Path, m)
		return
	}
	if ref, ok := o.into.(*SecretRef); ok {
		d.secret(o, ref, v, x)
	}
}

// fileToCome keeps the path of a secret that isn't there yet. It is read at each connection anyway, so
// the file may be checked where its secrets are not, and start before they are mounted.
func (d *decoder) fileToCome(o *Option, ref *SecretRef, v value) bool {
	m := wholeFile.FindStringSubmatch(v.node.Value)
	if m == nil {
		return false
	}
	full := absolute(m[1], v.at.file.dir)
	if _, err := d.expander.readFile(full); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	*ref = SecretFile(full)
	remedy := fileRemedy(m[1])
	if remedy == "" {
		remedy = "it is read at each connection, so it may come later"
	}
	d.wrong(v.at, o.Path, &mistake{warning: true, message: "file " + m[1] + " does not exist", remedy: remedy})
	return true
}

// secret keeps the path in place of the text where that is all the value says.
func (d *decoder) secret(o *Option, ref *SecretRef, v value, x expansion) {
	if x.file != "" {
		*ref = SecretFile(x.file)
	}
	if len(x.refs) == 0 && x.text != "" {
		d.wrong(v.at, o.Path, &mistake{warning: true, message: "the password stands in the file",
			remedy: "write ${file:/path} or ${NAME}, so that the file can be shared"})
	}
}

// expand replaces the references of a scalar. A mistake in them is reported here.
func (d *decoder) expand(path string, n *yaml.Node, at place) (expansion, bool) {
	x, m := d.expander.expand(n.Value, at.file.dir)
	if m != nil {
		if path == "router.topic" && strings.HasSuffix(m.message, "is not set") {
			m.remedy = "if a group of topic_pattern is meant, write two dollar signs: $${NAME}"
		}
		d.wrong(at, path, m)
		return x, false
	}
	if x.doubt != nil {
		d.wrong(at, path, x.doubt)
	}
	return x, true
}

// list reads a sequence of texts, or one reference that holds them with commas between.
func (d *decoder) list(o *Option, v value) {
	into := o.into.(*[]string)
	if v.node.Kind == yaml.ScalarNode && strings.HasPrefix(v.node.Value, "${") {
		if x, ok := d.expand(o.Path, v.node, v.at); ok && len(x.refs) > 0 {
			*into = splitList(x.text)
			return
		}
	}
	if v.node.Kind != yaml.SequenceNode {
		d.wrong(v.at, o.Path, mistakef("write "+asList(v.node, o), "expected a list"))
		return
	}
	for i, item := range v.node.Content {
		path, at := fmt.Sprintf("%s[%d]", o.Path, i), v.at.file.at(item)
		d.places[path] = at
		text, refs, ok := d.text(path, item, at)
		switch {
		case ok && len(refs) > 0:
			*into = append(*into, splitList(text)...)
		case ok:
			*into = append(*into, text)
		}
	}
}

// mapValue reads a mapping of texts, in its order.
func (d *decoder) mapValue(o *Option, v value) {
	if isNull(v.node) {
		return
	}
	if v.node.Kind != yaml.MappingNode {
		d.wrong(v.at, o.Path, mistakef("write "+o.Example, "expected a mapping"))
		return
	}
	file := d.file
	d.file = v.at.file
	defer func() { d.file = file }()
	d.mapping(v.node, o.Path, func(key, val *yaml.Node) {
		path, at := join(o.Path, key.Value), v.at.file.at(val)
		d.places[path] = at
		if text, _, ok := d.text(path, val, at); ok {
			o.put(key.Value, text)
		}
	})
}

// text reads a scalar inside a list or map.
func (d *decoder) text(path string, n *yaml.Node, at place) (string, []string, bool) {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || isNull(n) {
		d.wrong(at, path, mistakef("", "expected a text"))
		return "", nil, false
	}
	x, ok := d.expand(path, n, at)
	return x.text, x.refs, ok
}
