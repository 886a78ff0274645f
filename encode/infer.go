package encode

import "strconv"

// shape is the Kafka Connect schema that a JSON value is given, by Debezium's rules where those hold
// every value, and by the nearest wider type where they would lose one.
type shape struct {
	kind     shapeKind
	optional bool
	name     string // of a struct, in JSON's escapes
	fields   []shapeField
	index    map[string]int
	item     *shape // of an array
}

type shapeField struct {
	name string
	*shape
}

type shapeKind uint8

const (
	unknownShape shapeKind = iota // nothing but nulls, or the items of an empty array
	nullShape                     // a null member that is kept
	stringShape
	boolShape
	int32Shape
	int64Shape
	doubleShape
	arrayShape
	structShape
)

// connectName is what JsonConverter calls the scalar kinds. Debezium gives what it knows nothing of
// the type of a string, and a kept null that of bytes.
var connectName = [...]string{"string", "bytes", "string", "boolean", "int32", "int64", "double"}

// inference guesses the shape of one document. The names of nested structs hold the whole path, so
// their sum is bounded.
type inference struct {
	keepNulls bool
	keepEmpty bool
	budget    int
}

// value infers the shape of n; path is the name of the struct that it may be, empty for none.
func (f *inference) value(n *node, path string) (*shape, error) {
	switch n.kind {
	case '{':
		return f.object(n, path)
	case '[':
		return f.array(n, path)
	case '"':
		return &shape{kind: stringShape, optional: true}, nil
	case '0':
		return inferNumber(n.raw)
	case 'n':
		return &shape{kind: nullShape, optional: true}, nil
	}
	return &shape{kind: boolShape, optional: true}, nil
}

// inferNumber takes int32, int64 or double. An integer beyond int64 has no Connect type that keeps it.
func inferNumber(raw []byte) (*shape, error) {
	s := &shape{kind: doubleShape, optional: true}
	if i, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		s.kind = int64Shape
		if int64(int32(i)) == i {
			s.kind = int32Shape
		}
		return s, nil
	}
	if isDigits(raw) {
		return nil, errUntypable
	}
	if _, err := strconv.ParseFloat(string(raw), 64); err != nil {
		return nil, errUntypable
	}
	return s, nil
}

func isDigits(raw []byte) bool {
	for i, b := range raw {
		if (b < '0' || b > '9') && (i > 0 || b != '-') {
			return false
		}
	}
	return true
}

func (f *inference) object(n *node, path string) (*shape, error) {
	s := &shape{kind: structShape, optional: true, name: path}
	for i := range n.members {
		m := &n.members[i]
		if f.isLeftOut(&m.value) {
			continue
		}
		child, err := f.value(&m.value, f.childPath(path, m.name))
		if err != nil {
			return nil, err
		}
		// A struct has neither two fields of a name nor one without.
		if m.name == "" || s.fieldIndex(m.name) >= 0 || f.budget < 0 {
			return nil, errUntypable
		}
		s.add(m.name, child)
	}
	return s, nil
}

func (f *inference) isLeftOut(n *node) bool {
	return n.kind == 'n' && !f.keepNulls || n.kind == '[' && len(n.items) == 0 && !f.keepEmpty
}

func (f *inference) childPath(path, name string) string {
	f.budget -= len(path) + len(name)
	if path == "" || f.budget < 0 {
		return name
	}
	return path + "." + name
}

// array infers one shape for all items. Structs that differ are merged and then, as in Debezium, not
// optional, unless a null stands among them. Only structs right inside an array carry its name.
func (f *inference) array(n *node, path string) (*shape, error) {
	item := &shape{kind: unknownShape, optional: true}
	merged, nulls := false, false
	for i := range n.items {
		if n.items[i].kind == 'n' {
			nulls = true
			continue
		}
		itemPath := path
		if n.items[i].kind == '[' {
			itemPath = ""
		}
		s, err := f.value(&n.items[i], itemPath)
		if err != nil {
			return nil, err
		}
		merged = merged || item.kind == structShape && !item.equal(s)
		if item, err = unify(item, s); err != nil {
			return nil, err
		}
	}
	if item.kind == unknownShape && nulls && f.keepNulls {
		item.kind = nullShape
	}
	item.optional = !merged || nulls
	return &shape{kind: arrayShape, optional: true, item: item}, nil
}

// unify returns the shape that holds both, made of a.
func unify(a, b *shape) (*shape, error) {
	switch {
	case a.kind <= nullShape:
		return b, nil
	case b.kind <= nullShape:
		return a, nil
	case a.isNumber() && b.isNumber():
		a.kind = max(a.kind, b.kind)
		return a, nil
	case a.kind != b.kind:
		return nil, errUntypable
	case a.kind == arrayShape:
		return a.mergeItems(b)
	case a.kind == structShape:
		return a.merge(b)
	}
	return a, nil
}

func (s *shape) isNumber() bool { return s.kind >= int32Shape && s.kind <= doubleShape }

func (s *shape) mergeItems(b *shape) (*shape, error) {
	optional := s.item.optional || b.item.optional
	item, err := unify(s.item, b.item)
	if err != nil {
		return nil, err
	}
	item.optional = optional
	s.item = item
	return s, nil
}

func (s *shape) merge(b *shape) (*shape, error) {
	for _, field := range b.fields {
		i := s.fieldIndex(field.name)
		if i < 0 {
			s.add(field.name, field.shape)
			continue
		}
		merged, err := unify(s.fields[i].shape, field.shape)
		if err != nil {
			return nil, err
		}
		s.fields[i].shape = merged
	}
	return s, nil
}

func (s *shape) add(name string, field *shape) {
	if s.index == nil {
		s.index = make(map[string]int, 8)
	}
	s.index[name] = len(s.fields)
	s.fields = append(s.fields, shapeField{name: name, shape: field})
}

func (s *shape) fieldIndex(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// equal reports whether two shapes are the same, up to the order of fields.
func (s *shape) equal(b *shape) bool {
	if s.kind != b.kind || len(s.fields) != len(b.fields) {
		return false
	}
	if s.kind == arrayShape {
		return s.item.equal(b.item)
	}
	for _, field := range b.fields {
		i := s.fieldIndex(field.name)
		if i < 0 || !s.fields[i].equal(field.shape) {
			return false
		}
	}
	return true
}
