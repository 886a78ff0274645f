package sink

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker with transaction.version 2 puts records that come before the last transaction's markers are written to
// sleep for 20 ms (add.partitions.to.txn.retry.backoff.ms). The markers take a millisecond or two, and ten times that
// while its JVM is cold. So the coordinator is asked, and the next transaction waits until it calls the last complete.
// It is asked when that should be so, going by the transactions before: a question costs the broker as much as a marker.
const (
	settleEvery = 200 * time.Microsecond
	settleLong  = 10 * time.Millisecond // the longest wait before the first question
	settleBlind = time.Millisecond      // where it can't be asked
	settleMost  = time.Second           // then the broker may hold the records, as it likes
	settleOld   = 50 * time.Millisecond // a transaction that ended so long ago is taken for complete
)

// settle waits for the markers of the last transaction, if it ended just now.
func (s *Sink) settle(ctx context.Context) {
	if time.Since(s.ended) > settleOld {
		return
	}
	ctx, cancel := context.WithDeadline(ctx, s.ended.Add(settleMost))
	defer cancel()
	early := s.markers - time.Since(s.ended)
	time.Sleep(early)
	if s.complete(ctx) {
		if early > 0 {
			s.markers -= s.markers / 32
		}
		return
	}
	s.markers = min(s.markers+settleEvery, settleLong)
	for ctx.Err() == nil {
		time.Sleep(settleEvery)
		if s.complete(ctx) {
			return
		}
	}
}

// complete reports whether the next transaction may begin.
func (s *Sink) complete(ctx context.Context) bool {
	if s.blind {
		time.Sleep(settleBlind - time.Since(s.ended))
		return true
	}
	t, err := s.last(ctx)
	if err != nil && ctx.Err() == nil && !kerr.IsRetriable(err) && !kgo.IsRetryableBrokerErr(err) {
		s.log.Debug("the coordinator does not say whether a transaction is complete", "error", err)
		s.blind, s.markers = true, 0
	}
	return err == nil && t.State != "PrepareCommit" && t.State != "PrepareAbort"
}

// last asks the coordinator for the last transaction of our id.
func (s *Sink) last(ctx context.Context) (*kmsg.DescribeTransactionsResponseTransactionState, error) {
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{s.cfg.Kafka.TransactionalID}
	resp, err := req.RequestWith(ctx, s.cl)
	if err != nil {
		return nil, err
	}
	if len(resp.TransactionStates) != 1 {
		return nil, errors.New("it names no transaction")
	}
	t := &resp.TransactionStates[0]
	return t, kerr.ErrorForCode(t.ErrorCode)
}
