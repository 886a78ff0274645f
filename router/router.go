// Package router turns a row of an outbox table into the Kafka record that Debezium's Outbox Event
// Router and Kafka Connect's converters would make of it. In go the options of a pipeline file, the
// shape of a table and its rows; out come topic, key, value, headers, partition and timestamp. It is
// a pure function of the row: nothing is read, sent or logged, and the same row always gives the same
// record. Rows that can't be routed are faults and never skipped; which operations are published is
// the caller's choice.
//
// A topic comes about as in Debezium: the pattern must match the whole value of the route column,
// then what it finds first is replaced. A value that the pattern doesn't match is itself the topic.
package router

import (
	"fmt"
	"regexp"

	"outferry/configs"
	"outferry/encode"
	"outferry/outbox"
)

// Router is a pipeline's routing, before it has seen a table.
type Router struct {
	cfg     configs.Router
	key     encode.Form
	value   encode.Form
	headers encode.Form

	topics    *topicRule
	allowed   *regexp.Regexp // nil: every legal name
	forbidden []string
}

// New compiles pattern and template and checks what can be checked without a table.
func New(cfg configs.Router, enc configs.Encoding) (*Router, error) {
	r := &Router{cfg: cfg}
	var err error
	if r.topics, err = newTopicRule(cfg.TopicPattern, cfg.Topic); err != nil {
		return nil, err
	}
	if cfg.TopicsAllowed != "" {
		if r.allowed, err = compileWhole("router.topics_allowed", cfg.TopicsAllowed); err != nil {
			return nil, err
		}
	}
	if err := r.setForms(enc); err != nil {
		return nil, err
	}
	return r, checkEnvelope(cfg.Envelope)
}

// Forbid names a topic that no row may go to, as the one that holds the offsets. Plans made before
// don't know of it.
func (r *Router) Forbid(topic string) { r.forbidden = append(r.forbidden, topic) }

func (r *Router) setForms(enc configs.Encoding) (err error) {
	if r.key, err = encode.ParseForm(enc.Key); err != nil {
		return configFault("router.encoding_invalid", "encoding.key: %w", err)
	}
	if r.key == encode.Auto {
		r.key = encode.String
	}
	if r.value, err = encode.ParseForm(enc.Value); err != nil {
		return configFault("router.encoding_invalid", "encoding.value: %w", err)
	}
	if r.value == encode.Bytes && len(r.cfg.Envelope) > 0 {
		return configFault("router.encoding_invalid", "encoding.value: bytes has no room for router.envelope, which makes a struct of the value")
	}
	switch enc.Headers {
	case "", "string":
		r.headers = encode.Header
	case "json":
		r.headers = encode.JSON
	default:
		return configFault("router.encoding_invalid", "encoding.headers: want string or json, got %q", enc.Headers)
	}
	return nil
}

// checkEnvelope refuses a name that is used twice; payload is always there.
func checkEnvelope(fields []configs.Placement) error {
	seen := map[string]bool{"payload": true}
	for _, f := range fields {
		if seen[f.Name] {
			return configFault("router.envelope_invalid", "router.envelope: %q is used twice (payload is always a field)", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

func configFault(code, format string, args ...any) *outbox.Fault {
	return &outbox.Fault{Code: code, Class: outbox.Config, Err: fmt.Errorf(format, args...)}
}
