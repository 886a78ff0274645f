package configs

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

func (c *checker) router() {
	c.columns()
	c.topic()
	c.placements()
	c.payload()
}

func (c *checker) columns() {
	cols := c.p.Router.Columns
	for _, col := range []struct{ name, value string }{
		{"id", cols.ID}, {"key", cols.Key}, {"route_by", cols.RouteBy}, {"payload", cols.Payload},
	} {
		if path := "router.columns." + col.name; col.value == "" && c.sound(path) {
			c.errorf(path, "leave the line out for the default", "names no column")
		}
	}
}

func (c *checker) topic() {
	r := c.p.Router
	if r.TopicsAllowed != "" && c.sound("router.topics_allowed") {
		c.pattern("router.topics_allowed", r.TopicsAllowed)
	}
	if !c.sound("router.topic_pattern", "router.topic") {
		return
	}
	if re := c.pattern("router.topic_pattern", r.TopicPattern); re != nil {
		m := checkReplacement(r.Topic, re)
		if m == nil && c.sound("offsets.topic") {
			m = c.reserved(r.Topic)
		}
		if m != nil {
			c.wrong(c.nearest("router.topic", c.start), "router.topic", m)
		}
	}
}

// reserved finds a topic that the router would refuse for each row.
func (c *checker) reserved(topic string) *mistake {
	const remedy = "give the events topics of their own, as outbox.event.${routedByValue}"
	begin, whole := literal(topic)
	switch {
	case strings.HasPrefix(begin, "__"):
		return mistakef(remedy, "starts with two underscores, as Kafka's internal topics do")
	case whole && begin == c.p.Offsets.Topic:
		return mistakef(remedy, "%s holds Outferry's own records", begin)
	}
	return nil
}

// literal is what stands before the first group of a sound replacement, and whether that is all of it.
func literal(replacement string) (begin string, whole bool) {
	begin, _, grouped := strings.Cut(strings.ReplaceAll(replacement, `\`, ""), "$")
	return begin, !grouped
}

var onlyInJava = []struct{ text, name string }{
	{"(?=", "look-ahead"}, {"(?!", "look-ahead"}, {"(?<=", "look-behind"}, {"(?<!", "look-behind"}, {"(?>", "atomic groups"},
	{"*+", "possessive quantifiers"}, {"++", "possessive quantifiers"}, {"?+", "possessive quantifiers"},
}

// pattern compiles an expression of the user's, which must match a value as a whole.
func (c *checker) pattern(path, text string) *regexp.Regexp {
	re, err := regexp.Compile(text)
	if what := otherInJava(text); err == nil && what != "" {
		c.errorf(path, "patterns are RE2", "would match other values than in Java: %s", what)
		return nil
	}
	if err == nil {
		return c.whole(path, text, re)
	}
	remedy := ""
	for _, j := range onlyInJava {
		if strings.Contains(text, j.text) {
			remedy = "patterns are RE2, which has no " + j.name + ": it would let one row stall the pipeline"
		}
	}
	c.errorf(path, remedy, "not a pattern: %s", patternReason(err))
	return nil
}

// whole refuses an expression that is one by itself, and none where it must match all of a value.
func (c *checker) whole(path, text string, re *regexp.Regexp) *regexp.Regexp {
	compile := func(text string) error {
		_, err := regexp.Compile(`\A(?:` + text + `)\z`)
		return err
	}
	err := compile(text)
	if err == nil {
		return re
	}
	if closed := text + `\E`; compile(closed) == nil {
		c.errorf(path, `close it with \E: `+closed, `not a pattern: \Q is not closed`)
		return nil
	}
	c.errorf(path, "", "not a pattern: %s", patternReason(err))
	return nil
}

func patternReason(err error) string {
	if e, ok := err.(*syntax.Error); ok {
		return e.Code.String() + ": " + e.Expr
	}
	return err.Error()
}

// checkReplacement reads a Java replacement as the router will: $1 and ${name} are groups of the
// pattern, a backslash takes the next character as it is.
func checkReplacement(text string, re *regexp.Regexp) *mistake {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
		case text[i] == '\\':
			return mistakef("", "ends in a lone backslash")
		case text[i] == '$':
			used, m := checkGroup(text[i+1:], re)
			if m != nil {
				return m
			}
			i += used
			continue
		}
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", rune(text[i])) {
			return mistakef("a topic name has letters, digits, dots, underscores and hyphens", "%q can't be in a topic name", []rune(text[i:])[0])
		}
	}
	if text == "" {
		return mistakef("leave the line out for the default", "names no topic")
	}
	return nil
}

// checkGroup looks at what follows a dollar sign and returns its length.
func checkGroup(text string, re *regexp.Regexp) (int, *mistake) {
	if name, ok := strings.CutPrefix(text, "{"); ok {
		name, _, ok = strings.Cut(name, "}")
		if !ok {
			return 0, mistakef("write ${name}", "a group's brace is not closed")
		}
		if name == "" || re.SubexpIndex(name) < 0 {
			return 0, mistakef(groupsOf(re), "the pattern has no group named %q", name)
		}
		return len(name) + 2, nil
	}
	if text == "" || text[0] < '0' || text[0] > '9' {
		return 0, mistakef(`write ${name} or $1 for a group`, "a lone dollar sign")
	}
	if int(text[0]-'0') > re.NumSubexp() {
		return 0, mistakef(groupsOf(re), "the pattern has no group %c", text[0])
	}
	return 1, nil
}

func groupsOf(re *regexp.Regexp) string {
	names := slices.DeleteFunc(slices.Clone(re.SubexpNames()), func(n string) bool { return n == "" })
	if len(names) == 0 {
		return "router.topic_pattern names groups as (?<name>...)"
	}
	return "its groups: ${" + strings.Join(names, "}, ${") + "}"
}

func (c *checker) placements() {
	r, value := c.p.Router, c.p.Encoding.Value
	for _, h := range r.Headers {
		c.placement("router.headers", h)
		if h.Name == "id" {
			c.warnf("router.headers.id", "", "every record has a header id already, so it would have two")
		}
	}
	for _, f := range r.Envelope {
		c.placement("router.envelope", f)
		if f.Name == "payload" {
			c.errorf("router.envelope.payload", "give the field another name", "the payload itself has this name")
		}
	}
	if len(r.Envelope) > 0 && (value == "string" || value == "bytes") && c.sound("encoding.value") {
		c.errorf("router.envelope", "write encoding.value: json, or leave the envelope out", "an envelope can't be written with encoding.value: %s", value)
	}
}

func (c *checker) placement(path string, p Placement) {
	switch {
	case p.Name == "":
		c.errorf(path, "write name: column", "a name is empty")
	case p.Column == "":
		c.errorf(join(path, p.Name), "write name: column", "names no column")
	}
}

// payload checks what only means something together with expand_json.
func (c *checker) payload() {
	r := c.p.Router
	if !c.sound("router.expand_json", "encoding.value") {
		return
	}
	if r.ExpandJSON && c.p.Encoding.Value == "bytes" {
		c.errorf("router.expand_json", "leave out encoding.value or expand_json", "bytes are published as they are and can't be expanded")
	}
	if r.ExpandJSON {
		return
	}
	for _, o := range []struct{ path, value string }{
		{"router.json_null", r.JSONNull}, {"router.json_empty_array", r.JSONEmptyArray},
	} {
		if o.value != "ignore" && c.sound(o.path) {
			c.warnf(o.path, "write router.expand_json: true, or leave it out", "has no effect without expand_json")
		}
	}
}
