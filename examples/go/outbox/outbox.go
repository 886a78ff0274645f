// Package outbox writes events where Outferry reads them: a table beside the service's own. In goes an event
// and the transaction of the change that it tells of; out comes a row that is committed with the change, or
// rolled back with it. There is no Kafka here: the service needs none to do its work.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"outferry/examples/go/database"
)

// Event says what happened to one thing of the service.
type Event struct {
	AggregateType string // names the topic: post goes to outbox.event.post
	AggregateID   string // becomes the record's key: events of one thing stay in order
	Type          string
	Payload       any // becomes the record's value, as JSON
}

// Add is the whole pattern: same transaction, one more insert.
func Add(ctx context.Context, tx *database.Tx, e Event) error {
	payload, err := json.Marshal(e.Payload)
	if err != nil {
		return fmt.Errorf("encode %s: %w", e.Type, err)
	}
	id, err := uuid.NewV7() // consumers know a repeated event by it, and it grows with time, so the table's end is where rows go
	if err != nil {
		return fmt.Errorf("make an id for %s: %w", e.Type, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES (?, ?, ?, ?, ?)`,
		id.String(), e.AggregateType, e.AggregateID, e.Type, string(payload))
	if err != nil {
		return fmt.Errorf("add %s to the outbox: %w", e.Type, err)
	}
	return nil
}
