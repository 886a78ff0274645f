package sink

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ending tells a clean end of a transaction from one that the client mended by itself. Seen with a broker killed
// under load: a broker that has just started does not say yet that it has transaction.version 2, the client
// ends one transaction the old way, without a new epoch, and produces the next the new way: its records join
// the transaction before, whose markers are not written yet. So a commit is believed only if its first answer
// came, and if the epoch grew as it did before.
type ending struct {
	lost  atomic.Bool // an answer to EndTxn did not come
	grows bool        // each transaction takes an epoch: transaction.version 2
	id    int64
	epoch int16
}

// OnBrokerE2E is the client's hook after each request.
func (e *ending) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if key == kmsg.EndTxn.Int16() && e2e.Err() != nil {
		e.lost.Store(true)
	}
}

// clean reports why an end that the client calls good is not to be believed.
func (e *ending) clean(ctx context.Context, cl *kgo.Client) error {
	if e.lost.Load() {
		return errors.New("the first answer to it was lost")
	}
	id, epoch, err := cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	grew := id != e.id || epoch != e.epoch
	e.id, e.epoch = id, epoch
	if e.grows && !grew {
		return errors.New("the producer's epoch did not grow with it, as it did before")
	}
	e.grows = e.grows || grew
	return nil
}
