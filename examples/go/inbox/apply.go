package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/examples/go/database"
)

// No further attempt would help such an event.
var (
	ErrUnreadable = errors.New("event can't be read")
	ErrImpossible = errors.New("event does not fit what those before it said")
)

// apply applies a record once, however often it comes: the note that its event is done stands or falls with
// what the event changes.
func (c *Consumer) apply(ctx context.Context, r *kgo.Record) error {
	e, err := read(r)
	if err != nil {
		return err
	}
	return c.DB.InTx(ctx, func(tx *database.Tx) error {
		first, err := tx.InsertNew(ctx, "processed_events", "event_id", e.ID)
		if err != nil {
			return fmt.Errorf("note event %s: %w", e.ID, err)
		}
		if !first {
			c.Log.Info("event came again", "event", e.ID)
			return nil
		}
		return c.Handle(ctx, tx, e)
	})
}

// read takes an event from a record as Outferry writes it with the line "headers: {eventType: type}".
func read(r *kgo.Record) (Event, error) {
	e := Event{Key: string(r.Key), Payload: r.Value}
	for _, h := range r.Headers {
		switch h.Key {
		case "id":
			e.ID = string(h.Value)
		case "eventType":
			e.Type = string(h.Value)
		}
	}
	if e.ID == "" || e.Type == "" {
		return e, fmt.Errorf("%w: want headers id and eventType", ErrUnreadable)
	}
	return e, nil
}
