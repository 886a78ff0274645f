package router

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// topicRule makes a topic of a route value: pattern and template of the pipeline file.
type topicRule struct {
	whole *regexp.Regexp // must match all of the value
	first *regexp.Regexp // what it finds first is replaced
	parts []templatePart
}

func newTopicRule(pattern, template string) (*topicRule, error) {
	whole, err := compileWhole("router.topic_pattern", pattern)
	if err != nil {
		return nil, err
	}
	first := regexp.MustCompile(pattern) // whole has compiled it
	parts, err := parseTemplate(template, first)
	if err != nil {
		f := configFault("router.topic_invalid", "router.topic: %q: %w", template, err)
		f.Remedy = "refer to groups of router.topic_pattern as ${name} or $1, and write a literal dollar as \\$"
		return nil, f
	}
	return &topicRule{whole: whole, first: first, parts: parts}, nil
}

func compileWhole(option, pattern string) (*regexp.Regexp, error) {
	_, err := regexp.Compile(pattern)
	if err == nil {
		whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`) // \Q without \E is one only by itself
		if err == nil {
			return whole, nil
		}
		return nil, configFault("router.pattern_invalid", "%s: as a whole value: %w", option, err)
	}
	f := configFault("router.pattern_invalid", "%s: %w", option, err)
	if strings.Contains(pattern, "(?=") || strings.Contains(pattern, "(?!") || strings.Contains(pattern, "(?<=") || strings.Contains(pattern, "(?<!") {
		f.Remedy = "look-around is not available (RE2 syntax); say what the value must be instead"
	}
	return nil, f
}

// apply returns the topic of a route value.
func (t *topicRule) apply(value string) string {
	if !t.whole.MatchString(value) {
		return value
	}
	at := t.first.FindStringSubmatchIndex(value)
	if at == nil {
		return value
	}
	var topic strings.Builder
	topic.WriteString(value[:at[0]])
	for _, part := range t.parts {
		topic.WriteString(part.text)
		if g := part.group; g >= 0 && at[2*g] >= 0 {
			topic.WriteString(value[at[2*g]:at[2*g+1]])
		}
	}
	topic.WriteString(value[at[1]:])
	return topic.String()
}

// maxTopics bounds how many topics a memo knows.
const maxTopics = 4096

// topicMemo finds the topic of a value that came before without matching again.
type topicMemo struct {
	last  routed
	known map[string]routed
}

type routed struct{ value, topic string }

// find is asked for every row. Rows of a kind come in runs, so the last one is looked at first.
func (m *topicMemo) find(value []byte) (topic string, ok bool) {
	if m.last.topic != "" && m.last.value == string(value) {
		return m.last.topic, true
	}
	r, ok := m.known[string(value)]
	if ok {
		m.last = r
	}
	return r.topic, ok
}

func (m *topicMemo) add(value, topic string) {
	if m.known == nil || len(m.known) >= maxTopics {
		m.known = make(map[string]routed)
	}
	m.last = routed{value: value, topic: topic}
	m.known[value] = m.last
}

var (
	errEmptyTopic     = errors.New("is empty")
	errLongTopic      = errors.New("is longer than 249 bytes")
	errTopicBytes     = errors.New("holds more than letters, digits, dot, underscore and hyphen")
	errTopicDots      = errors.New("is no name for a topic")
	errInternalTopic  = errors.New("starts with two underscores, as Kafka's internal topics do")
	errForbiddenTopic = errors.New("holds Outferry's own records")
)

// check says why a row may not go to a topic, or nil.
func (r *Router) check(topic string) error {
	if err := checkName(topic); err != nil {
		return err
	}
	switch {
	case strings.HasPrefix(topic, "__"):
		return errInternalTopic
	case slices.Contains(r.forbidden, topic):
		return errForbiddenTopic
	case r.allowed != nil && !r.allowed.MatchString(topic):
		return fmt.Errorf("is not among router.topics_allowed (%s)", r.cfg.TopicsAllowed)
	}
	return nil
}

// checkName keeps Kafka's own rule.
func checkName(topic string) error {
	switch {
	case topic == "":
		return errEmptyTopic
	case len(topic) > 249:
		return errLongTopic
	case topic == "." || topic == "..":
		return errTopicDots
	}
	for i := range len(topic) {
		if b := topic[i]; !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '.' || b == '_' || b == '-') {
			return errTopicBytes
		}
	}
	return nil
}
