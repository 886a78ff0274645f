package encode

import (
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// A document with more values or levels stays text: its tree would cost far more memory than the row.
// Jackson stops at the same depth.
const (
	maxTypedDepth  = 1000
	maxTypedValues = 1 << 18
)

var errUntypable = errors.New("no Kafka Connect schema fits")

// node is one value of a JSON document.
type node struct {
	kind    byte   // { [ " 0 t f n
	raw     []byte // of a scalar, as it is to be written
	members []member
	index   map[string]int // of members, where there are many
	items   []node
}

// member is a named value. Its name is in JSON's escapes, so equal names have equal bytes.
type member struct {
	name  string
	value node
}

// find returns an object's member, or nil.
func (n *node) find(name string) *node {
	if n.index != nil {
		if i, ok := n.index[name]; ok {
			return &n.members[i].value
		}
		return nil
	}
	for i := range n.members {
		if n.members[i].name == name {
			return &n.members[i].value
		}
	}
	return nil
}

// treeReader reads one document into nodes.
type treeReader struct {
	dec    *jsontext.Decoder
	text   []byte
	values int
}

// parse reads a whole document.
func (x *Expander) parse(text []byte) (*node, error) {
	x.reset(text)
	defer x.release(text)
	r := treeReader{dec: &x.dec, text: text}
	var root node
	if err := r.value(&root, 0); err != nil {
		return nil, err
	}
	if _, err := x.dec.ReadToken(); err != io.EOF {
		return nil, errUntypable
	}
	return &root, nil
}

func (r *treeReader) value(n *node, depth int) error {
	if r.values++; r.values > maxTypedValues || depth > maxTypedDepth {
		return errUntypable
	}
	switch n.kind = byte(r.dec.PeekKind()); n.kind {
	case '{':
		return r.object(n, depth)
	case '[':
		return r.array(n, depth)
	}
	raw, err := r.scalar()
	n.raw = raw
	return err
}

// scalar reads a name, string, number or literal in the form it is to be written. The text itself is
// kept where nothing changes: the decoder's own bytes live only until its next call.
func (r *treeReader) scalar() ([]byte, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(r.dec.InputOffset())
	raw = r.text[end-len(raw) : end : end]
	if raw[0] != '"' {
		return raw, nil
	}
	if len(raw) > 1 && isVerbatim(raw[1:len(raw)-1]) {
		return raw, nil
	}
	out, ok := appendRequoted(nil, raw)
	if !ok {
		return nil, errUntypable
	}
	return out, nil
}

func (r *treeReader) object(n *node, depth int) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != '}' {
		name, err := r.scalar()
		if err != nil {
			return err
		}
		n.members = append(n.members, member{name: string(name[1 : len(name)-1])})
		if err := r.value(&n.members[len(n.members)-1].value, depth+1); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	if len(n.members) > 16 {
		n.index = make(map[string]int, len(n.members))
		for i := range n.members {
			n.index[n.members[i].name] = i
		}
	}
	return err
}

func (r *treeReader) array(n *node, depth int) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != ']' {
		n.items = append(n.items, node{})
		if err := r.value(&n.items[len(n.items)-1], depth+1); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}
