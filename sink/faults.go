package sink

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"outferry/internal/transport"
	"outferry/outbox"
)

// fault sorts an error of the client: what is fenced, what a person must mend, what one bad record causes, and
// what passes.
func (s *Sink) fault(doing string, err error) error {
	f := &outbox.Fault{Code: "kafka.unreachable", Class: outbox.Transient, Err: fmt.Errorf("%s: %w", doing, err)}
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.TransactionCoordinatorFenced),
		errors.Is(err, kerr.InvalidProducerEpoch) && s.age() < TransactionTimeout/2:
		f.Code, f.Class = "kafka.fenced", outbox.Busy
	case errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidTxnState), errors.Is(err, kerr.UnknownProducerID),
		errors.Is(err, kerr.InvalidProducerIDMapping), errors.Is(err, kerr.OperationNotAttempted), errors.Is(err, kerr.TransactionAbortable):
		f.Code = "kafka.stale_producer"
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge), errors.Is(err, kerr.InvalidTimestamp):
		f.Code, f.Class, f.Remedy = "row.refused_by_broker", outbox.Internal, "compare the record with the topic's max.message.bytes and message.timestamp settings"
	case errors.Is(err, kerr.InvalidRecord):
		f.Code, f.Class, f.Remedy = "row.refused_by_broker", outbox.Internal, "a topic whose cleanup.policy has compact takes no record without a key: see to it that the key's column is not NULL, or take compact off the topic; otherwise compare the record with its message.timestamp settings"
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		f.Code, f.Class, f.Remedy = "kafka.permission", outbox.Environment, "grant Write and Describe on TransactionalId "+s.cfg.Kafka.TransactionalID
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		f.Code, f.Class, f.Remedy = "kafka.permission", outbox.Environment, "grant Write and Describe on that Topic to the pipeline's principal"
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		f.Code, f.Class, f.Remedy = "kafka.permission", outbox.Environment, "grant IdempotentWrite on the Cluster to the pipeline's principal, or Write on any Topic"
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		f.Code, f.Class, f.Remedy = "kafka.auth", outbox.Environment, "check kafka.sasl"
	case transport.Failed(err):
		f.Code, f.Class, f.Remedy = "kafka.tls", outbox.Environment, "check kafka.tls and the broker's certificate"
	case errors.Is(err, kerr.InvalidTransactionTimeout):
		f.Code, f.Class, f.Remedy = "kafka.config", outbox.Environment, "raise the broker's transaction.max.timeout.ms to 60000 at least"
	}
	return f
}

// age is how long ago the last transaction began.
func (s *Sink) age() time.Duration { return time.Since(time.UnixMicro(s.began.Load())) }
