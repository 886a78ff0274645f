package pipeline

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/binlog"
	"outferry/configs"
	"outferry/offsets"
	"outferry/outbox"
	"outferry/walstream"
)

// lookTimeout bounds a look at one side.
const lookTimeout = 10 * time.Second

// Standing is where a pipeline stands, seen from outside and without a trace. What can't be asked is nil or empty,
// and its side is among Missing.
type Standing struct {
	Pipeline string          `json:"pipeline"`
	Record   *offsets.Record `json:"record"`     // nil: none
	Lag      *int64          `json:"lag_bytes"`  // from the position to the end of the server's WAL
	ServerAt string          `json:"server_lsn"` // the end of the server's WAL
	Slot     *walstream.Slot `json:"slot"`       // PostgreSQL; nil: not asked
	Log      *binlog.Log     `json:"log"`        // MySQL and MariaDB; nil: not asked
	Behind   *int64          `json:"lag_transactions"`
	Running  []string        `json:"running"`     // who streams
	Continue *Verdict        `json:"continue"`    // nil: not known
	Missing  []Verdict       `json:"unreachable"` // sides that could not be asked

	Position outbox.Position `json:"-"`
	Place    walstream.Place `json:"-"` // PostgreSQL
	LogPlace binlog.Place    `json:"-"` // MySQL and MariaDB
}

// Verdict is what a start would say.
type Verdict struct {
	OK      bool   `json:"ok"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`

	err error
}

// verdictOf is an error as the pipeline's own run would tell it.
func (s *Standing) verdictOf(err error) Verdict {
	err = Named(err, s.Pipeline)
	f := faultOf(err)
	return Verdict{Code: f.Code, Message: f.Err.Error(), Remedy: f.Remedy, err: err}
}

// Err returns the worst of what was found: a position that can't be continued, or a side that could not be asked.
func (s *Standing) Err() error {
	if s.Continue != nil && !s.Continue.OK {
		return s.Continue.err
	}
	if len(s.Missing) > 0 {
		return s.Missing[0].err
	}
	return nil
}

// Stand looks at both sides of a pipeline.
func Stand(ctx context.Context, cfg *configs.Pipeline) *Standing {
	s := &Standing{Pipeline: cfg.Name, Running: []string{}, Missing: []Verdict{}}
	known := s.askKafka(ctx, cfg)
	if cfg.Source.Type != "postgres" {
		s.askLog(ctx, cfg, known)
		return s
	}
	admin, err := walstream.OpenAdmin(ctx, cfg, hclog.NewNullLogger())
	if err != nil {
		s.Missing = append(s.Missing, s.verdictOf(err))
		return s
	}
	defer admin.Close()
	if err := s.askDatabase(ctx, admin, known); err != nil {
		s.Missing = append(s.Missing, s.verdictOf(err))
	}
	return s
}

// askKafka reports whether the record, or that there is none, is known.
func (s *Standing) askKafka(ctx context.Context, cfg *configs.Pipeline) bool {
	rec, err := peek(ctx, cfg)
	if err == nil && rec != nil {
		s.Record, s.Position = rec, rec.Source()
		err = s.parse(cfg)
	}
	if err == nil {
		return true
	}
	v := s.verdictOf(err)
	if faultOf(err).Class == outbox.PositionLost {
		s.Continue = &v
		return false
	}
	s.Missing = append(s.Missing, v)
	return false
}

func (s *Standing) parse(cfg *configs.Pipeline) (err error) {
	if cfg.Source.Type == "postgres" {
		s.Place, err = walstream.ParsePlace(s.Position)
	} else {
		s.LogPlace, err = binlog.ParsePlace(s.Position)
	}
	if err != nil {
		return &outbox.Fault{Code: "kafka.offset_invalid", Class: outbox.PositionLost, Err: err, Remedy: "set it with outferry offsets set"}
	}
	return nil
}

func peek(ctx context.Context, cfg *configs.Pipeline) (*offsets.Record, error) {
	cl, err := plainClient(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	store := NewStore(cfg, cl)
	store.Patience = lookTimeout / 2
	return peekPatiently(ctx, store)
}

// peekPatiently bears with a Kafka that is just starting: its coordinators come last.
func peekPatiently(ctx context.Context, store *offsets.Store) (*offsets.Record, error) {
	for {
		rec, err := store.Peek(ctx)
		if err == nil || faultOf(err).Class != outbox.Transient {
			return rec, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *Standing) askDatabase(ctx context.Context, admin *walstream.Admin, known bool) error {
	slot, err := admin.Slot(ctx)
	if err != nil {
		return err
	}
	s.Slot = &slot
	if s.Running, err = admin.Holders(ctx); err != nil {
		return err
	}
	end, err := admin.End(ctx)
	if err != nil {
		return err
	}
	s.ServerAt = end.String()
	if s.Record != nil && s.Place.LSN > 0 && s.Place.SystemID == admin.SystemID() {
		lag := int64(end) - int64(s.Place.LSN)
		s.Lag = &lag
	}
	if known {
		s.judge(ctx, admin, end)
	}
	return nil
}

// judge asks for the proof that a start would ask for. While the pipeline runs, slot and record move on between
// two looks, and it has given the proof itself.
func (s *Standing) judge(ctx context.Context, admin *walstream.Admin, end walstream.LSN) {
	if len(s.Running) > 0 {
		s.Continue = &Verdict{OK: true, Message: "it runs"}
		return
	}
	at, err := admin.Continue(ctx, s.Position)
	switch {
	case err != nil:
		v := s.verdictOf(err)
		s.Continue = &v
	case s.Record == nil && s.Slot.Exists:
		s.Continue = &Verdict{OK: true, Message: "no position yet: the next run is a first start at slot " + s.Slot.Name}
	case s.Record == nil:
		s.Continue = &Verdict{OK: true, Message: "no position yet: the next run is a first start"}
	case at != 0 && at < s.Place.LSN:
		s.Continue = &Verdict{OK: true, Message: "yes, at " + at.String() + ": the promoted server does not have what follows"}
		lag := int64(end) - int64(at)
		s.Lag = &lag
	default:
		s.Continue = &Verdict{OK: true, Message: "yes"}
	}
}
