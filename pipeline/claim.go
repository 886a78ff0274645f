package pipeline

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/binlog"
	"outferry/configs"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/sink"
	"outferry/walstream"
)

// Claim is a pipeline in the hands of a command: nobody runs it, and whoever ran it before can't commit any more.
// A run that starts meanwhile takes it over, and what the command still had in mind fails. With delivery:
// at_least_once nothing can be fenced, and only the look at the database protects.
type Claim struct {
	cfg    *configs.Pipeline
	log    hclog.Logger
	db     database         // nil without one
	admin  *walstream.Admin // db, where it is PostgreSQL
	binlog *binlog.Admin    // db, where it is MySQL or MariaDB
	sink   *sink.Sink       // nil without Kafka
	store  *offsets.Store
	topic  bool            // the offsets topic exists
	rec    *offsets.Record // nil: none
	unread error           // why the record, if there was one, can't be used
}

// database is what a claim asks of any database. What else it asks, to move a position, is as different as slots
// and logs are.
type database interface {
	Holders(ctx context.Context) ([]string, error) // who streams
	Close()
}

// leaveTimeout is how long a connection may outlive its process on the server.
const leaveTimeout = 2 * time.Second

// Without names the sides that are gone for good, so that a command does without them.
type Without struct{ Database, Kafka bool }

// Take claims a pipeline: it looks for who runs it, fences older writers, and reads the newest record.
func Take(ctx context.Context, cfg *configs.Pipeline, log hclog.Logger, without Without) (_ *Claim, err error) {
	c := &Claim{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if !without.Database {
		if err = c.open(ctx); err != nil {
			return nil, err
		}
	}
	if err := c.refuseHeld(ctx, without); err != nil {
		return nil, err
	}
	if without.Kafka {
		return c, nil
	}
	err = c.fence(ctx)
	for faultOf(err).Code == "kafka.markers_lost" { // mended, with this client
		c.sink.Close()
		err = c.fence(ctx)
	}
	return c, err
}

// fence takes the pipeline over from older writers and reads its newest record.
func (c *Claim) fence(ctx context.Context) (err error) {
	if c.sink, err = sink.Open(ctx, c.cfg, c.log); err != nil {
		return err
	}
	c.store = NewStore(c.cfg, c.sink.Client())
	c.store.Patience = 2 * lookTimeout
	return c.read(ctx)
}

func (c *Claim) open(ctx context.Context) (err error) {
	log := c.log.Named("source")
	if c.cfg.Source.Type == "postgres" {
		if c.admin, err = walstream.OpenAdmin(ctx, c.cfg, log); err == nil {
			c.db = c.admin
		}
		return err
	}
	if c.binlog, err = binlog.OpenAdmin(ctx, c.cfg, log); err == nil {
		c.db = c.binlog
	}
	return err
}

// Close lets the pipeline go.
func (c *Claim) Close() {
	if c.db != nil {
		c.db.Close()
	}
	if c.sink != nil {
		c.sink.Close()
	}
}

func (c *Claim) read(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*lookTimeout)
	defer cancel()
	if c.topic, err = c.store.Find(ctx); err != nil {
		return err
	}
	if err := c.fenceOff(ctx); err != nil {
		return err
	}
	c.store.Committed = c.sink.HasCommitted(0)
	c.rec, err = peekPatiently(ctx, c.store)
	if f := faultOf(err); err != nil && f.Class == outbox.PositionLost {
		c.unread, err = err, nil
	}
	if err != nil || c.unread != nil || !c.topic {
		return err
	}
	return mendEvents(ctx, c.sink, c.rec)
}

// fenceOff fences older writers. Where there is no topic there is nothing to protect, and the transactional id goes
// on remembering that there was one.
func (c *Claim) fenceOff(ctx context.Context) error {
	if !c.topic {
		c.sink.Describe(ctx)
		return nil
	}
	topic, partition := c.store.Place()
	return c.sink.Fence(ctx, topic, partition)
}

// refuseHeld looks who runs the pipeline. Who has just been stopped gets a moment to be gone from the server.
func (c *Claim) refuseHeld(ctx context.Context, without Without) error {
	for deadline := time.Now().Add(leaveTimeout); ; {
		who, err := c.holders(ctx, without)
		if err != nil || len(who) == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return &outbox.Fault{Code: "offsets.pipeline_runs", Class: outbox.Busy,
				Err: fmt.Errorf("change pipeline %s: it runs: %s", c.cfg.Name, strings.Join(who, "; ")), Remedy: "stop it first"}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// holders asks the database who streams. Where there is no database any
// more, an open Kafka transaction is the sign of a running instance.
func (c *Claim) holders(ctx context.Context, without Without) ([]string, error) {
	switch {
	case c.db != nil:
		return c.db.Holders(ctx)
	case !without.Kafka:
		return openTransaction(ctx, c.cfg)
	}
	return nil, nil
}

func openTransaction(ctx context.Context, cfg *configs.Pipeline) ([]string, error) {
	cl, err := plainClient(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	id := cfg.Kafka.TransactionalID
	described, err := kadm.NewClient(cl).DescribeTransactions(ctx, id)
	if t, ok := described[id]; err == nil && ok && t.Err == nil && t.State == "Ongoing" {
		return []string{fmt.Sprintf("transactional id %s has an open transaction (producer %d, epoch %d)", id, t.ProducerID, t.ProducerEpoch)}, nil
	}
	return nil, nil // it can't be told: to be fenced is what an instance must bear
}

// plainClient is a client that fences nobody.
func plainClient(ctx context.Context, cfg *configs.Pipeline) (*kgo.Client, error) {
	opts, err := sink.ClientOptions(&cfg.Kafka)
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, &outbox.Fault{Code: "kafka.config", Class: outbox.Config, Err: fmt.Errorf("make kafka client: %w", err)}
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if err := cl.Ping(ctx); err != nil {
		cl.Close()
		return nil, &outbox.Fault{Code: "kafka.unreachable", Class: outbox.Transient, Err: fmt.Errorf("reach kafka at %v: %w", cfg.Kafka.Brokers, err)}
	}
	return cl, nil
}

// write makes rec the pipeline's newest record, in a transaction of its own under the pipeline's transactional id:
// an instance that still lives is fenced and can't write on as if nothing had happened.
func (c *Claim) write(ctx context.Context, rec offsets.Record) error {
	if err := c.store.Open(ctx); err != nil {
		return err
	}
	rec.Version, rec.Pipeline, rec.Instance, rec.At = offsets.Version, c.cfg.Name, newInstance(), time.Now().UTC()
	if c.rec != nil {
		rec.Seq = max(rec.Seq, c.rec.Seq)
		rec.Events = max(rec.Events, c.rec.Events)
		rec.Topics = max(rec.Topics, c.rec.Topics)
	}
	rec.Seq++
	at, err := c.commit(ctx, rec.Marshal())
	if err != nil {
		return err
	}
	c.rec, c.unread = &rec, nil
	if err := c.store.Testify(ctx, at); err != nil {
		c.log.Warn("the offset's second witness could not be written", "group", c.store.Group, "error", err)
	}
	return nil
}

// commit writes a value, nil for a tombstone, under the pipeline's key, and returns its offset.
func (c *Claim) commit(ctx context.Context, value []byte) (int64, error) {
	r := c.store.Record(value)
	if err := c.sink.CommitAlone(ctx, r); err != nil {
		return 0, fmt.Errorf("write the offset record, look with outferry offsets show whether it is there: %w", err)
	}
	return r.Offset, nil
}

// Record returns the pipeline's newest record, nil when there is none, and why one can't be read.
func (c *Claim) Record() (*offsets.Record, error) { return c.rec, c.unread }

func newInstance() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}
