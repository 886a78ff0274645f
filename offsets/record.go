// Package offsets keeps a pipeline's durable position in Kafka: one record per pipeline in a compacted
// topic, written in the same transaction as the events it covers. It says what the newest record is, and
// never takes a lost topic for a first start. Writing the record is the sink's work, since it belongs into
// the sink's transaction.
package offsets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"outferry/outbox"
)

// Version is the format that this build writes. It reads this one and no other.
const Version = 1

// Record is the value of an offset record. Its key is the pipeline's name.
type Record struct {
	Version  int             `json:"v"`
	Pipeline string          `json:"pipeline"`
	Instance string          `json:"instance"`         // of the process that wrote it
	Config   string          `json:"config"`           // hash of the mapping: router, encoding, tables
	Seq      int64           `json:"seq"`              // one more with every Kafka transaction
	Events   int64           `json:"events"`           // produced since the pipeline's first start
	Topics   int             `json:"topics,omitempty"` // made since then
	Partial  bool            `json:"partial"`          // the position is inside a database transaction
	Position json.RawMessage `json:"position"`         // owned by the source
	At       time.Time       `json:"at"`

	Producer      int64 `json:"-"` // who wrote it, as Kafka has it
	ProducerEpoch int16 `json:"-"`
}

// Source returns the position as the source knows it.
func (r *Record) Source() outbox.Position {
	if r == nil {
		return nil
	}
	return outbox.Position(r.Position)
}

// Marshal returns the record's value.
func (r *Record) Marshal() []byte {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // the position is JSON that a source made
	}
	return text
}

// Parse reads a record's value and checks that it is of the pipeline. A field that this build does not know
// means that a newer one wrote it.
func Parse(value []byte, pipeline string) (*Record, error) {
	var r Record
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("read offset record: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("read offset record: more follows its JSON object")
	}
	switch {
	case r.Version != Version:
		return nil, fmt.Errorf("read offset record: it has version %d, this build knows %d", r.Version, Version)
	case r.Pipeline != pipeline:
		return nil, fmt.Errorf("read offset record: it is of pipeline %q, want %q", r.Pipeline, pipeline)
	case r.Seq < 1 || r.Events < 0:
		return nil, fmt.Errorf("read offset record: seq %d and events %d make no sense", r.Seq, r.Events)
	case !bytes.HasPrefix(r.Position, []byte("{")):
		return nil, errors.New("read offset record: its position is no JSON object")
	}
	return &r, nil
}
