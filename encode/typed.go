package encode

// Typed is Append for JsonConverter with schemas: it returns the schema object that fits text, up to
// where AppendField closes it, and the value in the order of that schema. It reports false where text
// can't be expanded, where Connect has no schema that holds every value (integers beyond 64 bits,
// arrays of mixed kinds, repeated or empty names), and where schema or value would dwarf the text.
func (x *Expander) Typed(text []byte, name string) (schema, value []byte, ok bool) {
	if !looksExpandable(text) {
		return nil, nil, false
	}
	root, err := x.parse(text)
	if err != nil {
		return nil, nil, false
	}
	limit := 4*len(text) + 64<<10
	f := inference{keepNulls: x.keepNulls, keepEmpty: x.keepEmpty, budget: limit}
	s, err := f.value(root, string(AppendEscaped(nil, []byte(name))))
	if err != nil {
		return nil, nil, false
	}
	w := typedWriter{limit: limit}
	x.trim()
	x.schemaText = w.schema(x.schemaText[:0], s)
	x.valueText = w.value(x.valueText[:0], root, s)
	return x.schemaText, x.valueText, !w.tooLarge
}

// trim lets go of buffers that one very large row has left behind.
func (x *Expander) trim() {
	if cap(x.valueText)+cap(x.schemaText) > 4<<20 {
		x.valueText, x.schemaText = nil, nil
	}
}

type typedWriter struct {
	limit    int
	tooLarge bool
}

// schema leaves the object open, for the name of its field.
func (w *typedWriter) schema(dst []byte, s *shape) []byte {
	switch s.kind {
	case structShape:
		dst = append(dst, `{"type":"struct","fields":[`...)
		for i, field := range s.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = w.schema(dst, field.shape)
			dst = append(append(dst, `,"field":"`...), field.name...)
			dst = append(dst, `"}`...)
		}
		dst = append(dst, ']')
	case arrayShape:
		dst = append(dst, `{"type":"array","items":`...)
		dst = append(w.schema(dst, s.item), '}')
	default:
		dst = append(append(dst, `{"type":"`...), connectName[s.kind]...)
		dst = append(dst, '"')
	}
	dst = appendOptional(append(dst, ','), s.optional)
	if s.name != "" {
		dst = append(append(dst, `,"name":"`...), s.name...)
		dst = append(dst, '"')
	}
	return dst
}

func (w *typedWriter) value(dst []byte, n *node, s *shape) []byte {
	// A union of many shapes writes a null for each absent field: that can grow with the square.
	if w.tooLarge = w.tooLarge || len(dst) > w.limit; w.tooLarge {
		return dst
	}
	switch n.kind {
	case '{':
		return w.object(dst, n, s)
	case '[':
		dst = append(dst, '[')
		for i := range n.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = w.value(dst, &n.items[i], s.item)
		}
		return append(dst, ']')
	}
	return append(dst, n.raw...)
}

func (w *typedWriter) object(dst []byte, n *node, s *shape) []byte {
	dst = append(dst, '{')
	for i, field := range s.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, '"'), field.name...)
		dst = append(dst, `":`...)
		if m := n.find(field.name); m != nil && !(m.kind == '[' && field.kind != arrayShape) {
			dst = w.value(dst, m, field.shape)
		} else {
			dst = append(dst, "null"...)
		}
	}
	return append(dst, '}')
}
