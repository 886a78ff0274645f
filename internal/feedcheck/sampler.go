package feedcheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Confirmed asks the database how far it was told that everything is safe; false while it can't say.
type Confirmed func(ctx context.Context) (lsn uint64, ok bool)

// Sampler compares again and again what the database was told with what the offset records hold. The
// slot is read first: whatever it says must then already be in a committed record.
type Sampler struct {
	Kafka        []kgo.Opt
	OffsetsTopic string
	Pipeline     string
	Confirmed    Confirmed
	Every        time.Duration // 50 ms when zero
	Patience     time.Duration // for the marker of a transaction that was decided; 30 s when zero

	mu       sync.Mutex
	samples  int64
	findings []string

	reader    *reader
	committed uint64 // newest position in a committed record
	open      map[int64]uint64
	some      bool
	missed    error // why the last sample could not be taken
}

// Run samples until ctx ends, and once more.
func (s *Sampler) Run(ctx context.Context) error {
	shelf, err := newShelf(s.Kafka)
	if err != nil {
		return err
	}
	defer shelf.close()
	if s.reader, err = newReader(s.Kafka, kgo.ReadUncommitted()); err != nil {
		return err
	}
	defer s.reader.close()
	s.open = map[int64]uint64{}
	for ctx.Err() == nil {
		s.sample(ctx, shelf)
		if pause(ctx, max(s.Every, 50*time.Millisecond)) != nil {
			break
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	s.sample(last, shelf)
	return nil
}

// sample leaves out what it can't read: the faults that are going on may hit the sampler too.
func (s *Sampler) sample(ctx context.Context, shelf *shelf) {
	lsn, ok := s.Confirmed(ctx)
	if !ok {
		s.missed = errors.New("the database did not say how far the slot is")
		return
	}
	end, err := s.end(ctx, shelf)
	if err == nil {
		err = s.read(ctx, shelf, end)
	}
	if err != nil || !s.some {
		s.missed = err
		return
	}
	s.mu.Lock()
	s.samples++
	s.mu.Unlock()
	if s.committed >= lsn || s.decided(ctx, shelf, lsn) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.findings = append(s.findings, fmt.Sprintf("slot at %X/%X, newest committed offset record at %X/%X", lsn>>32, uint32(lsn), s.committed>>32, uint32(s.committed)))
}

// end returns where the offsets partition ends now, whatever is committed there.
func (s *Sampler) end(ctx context.Context, shelf *shelf) (map[place]int64, error) {
	all, err := offsets(ctx, shelf.admin.ListEndOffsets, s.OffsetsTopic)
	if err != nil || len(all) == 0 {
		return nil, fmt.Errorf("end of the offsets topic: %w", err)
	}
	home := place{s.OffsetsTopic, javaPartition([]byte(s.Pipeline), int32(len(all)))}
	return map[place]int64{home: all[home]}, nil
}

func (s *Sampler) read(ctx context.Context, shelf *shelf, end map[place]int64) error {
	starts, err := offsets(ctx, shelf.admin.ListStartOffsets, s.OffsetsTopic)
	if err != nil {
		return err
	}
	return s.reader.readTo(ctx, starts, end, s.see)
}

func (s *Sampler) see(r *kgo.Record) {
	if commit, ok := marker(r); ok {
		if lsn := s.open[r.ProducerID]; commit && lsn > 0 {
			s.commit(lsn)
		}
		delete(s.open, r.ProducerID)
		return
	}
	var rec offsetRecord
	if string(r.Key) != s.Pipeline || json.Unmarshal(r.Value, &rec) != nil {
		return
	}
	if lsn, ok := rec.lsn(); ok && r.Attrs.IsTransactional() {
		s.open[r.ProducerID] = lsn
	} else if ok {
		s.commit(lsn)
	}
}

func (s *Sampler) commit(lsn uint64) { s.committed, s.some = lsn, true }

// decided waits for the marker of a transaction that was already in the log when the slot was read:
// the coordinator tells the producer that it committed before the marker is written. What it reads
// meanwhile is newer than the slot and doesn't count unless such a transaction was open.
func (s *Sampler) decided(ctx context.Context, shelf *shelf, lsn uint64) bool {
	enough := func() bool {
		for _, l := range s.open {
			if l >= lsn {
				return true
			}
		}
		return false
	}
	if !enough() {
		return false
	}
	patience := s.Patience
	if patience == 0 {
		patience = 30 * time.Second
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; {
		if end, err := s.end(ctx, shelf); err == nil && s.read(ctx, shelf, end) == nil && s.committed >= lsn {
			return true
		}
		if !enough() || pause(ctx, 20*time.Millisecond) != nil {
			break
		}
	}
	return s.committed >= lsn || ctx.Err() != nil
}

// Enter puts what was found into a report.
func (s *Sampler) Enter(r *Report) {
	r.Stats.SlotSamples = s.seen()
	if r.Stats.SlotSamples == 0 {
		r.note("the slot was never sampled: %v", s.missed)
	}
	for _, f := range s.found() {
		r.Add(AckAhead, "%s", f)
	}
}

func (s *Sampler) seen() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.samples
}

func (s *Sampler) found() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.findings)
}
