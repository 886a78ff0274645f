package pipeline

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/outbox"
)

const (
	sealSoon = 3 * time.Millisecond   // after a commit: its markers are written behind the answer
	sealGap  = 100 * time.Millisecond // between two looks, where more than one commit is to be seen: PostgreSQL hears of it once a second
	sealLate = 10 * time.Second       // then it may be that a broker has lost them
	sealStop = 2 * time.Second        // how long an orderly stop waits
	sealMost = 1024                   // commits that are remembered
)

// seal confirms a commit to the source once readers of committed records see its offset record. The answer to a
// commit is not enough: see sink/markers.go. Until then the source keeps what it would need to repeat. It has a
// goroutine of its own.
type seal struct {
	*ferry
	news chan struct{}
	lost chan error // a commit hangs: the session ends, and the next one mends it

	mu      sync.Mutex
	commits []landing // not seen yet, oldest first

	warned time.Time
}

// landing is a committed offset record and the position that it holds.
type landing struct {
	record   *kgo.Record
	position outbox.Position
	at       time.Time
}

func newSeal(f *ferry) *seal {
	return &seal{ferry: f, news: make(chan struct{}, 1), lost: make(chan error, 1)}
}

// add takes a commit. Without transactions it is seen as soon as it is answered.
func (s *seal) add(record *kgo.Record, position outbox.Position) {
	if s.cfg.Delivery != "exactly_once" {
		s.src.Confirm(position)
		return
	}
	s.mu.Lock()
	if len(s.commits) == sealMost { // each covers those before it
		for i := range sealMost / 2 {
			s.commits[i] = s.commits[2*i+1]
		}
		s.commits = s.commits[:sealMost/2]
	}
	s.commits = append(s.commits, landing{record, position, time.Now()})
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// run looks for commits, rarely when many come, until ctx ends and then for a little longer, so that a stop leaves
// nothing to repeat.
func (s *seal) run(ctx context.Context) {
	defer s.finish()
	pause, last := sealSoon, time.Time{}
	for {
		if _, some := s.oldest(); !some {
			select {
			case <-s.news:
			case <-ctx.Done():
				return
			}
			pause = max(sealSoon, sealGap-time.Since(last))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause, last = min(2*pause, sealGap), time.Now()
		s.look(ctx)
	}
}

func (s *seal) oldest() (c landing, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if some = len(s.commits) > 0; some {
		c = s.commits[0]
	}
	return c, some
}

// look confirms the newest commit that is seen.
func (s *seal) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	stable, err := s.store.Stable(ctx)
	if err != nil {
		s.log.Debug("look for the end of commits", "error", err)
		return
	}
	if seen, some := s.take(stable); some {
		s.src.Confirm(seen.position)
	}
	if c, some := s.oldest(); some && time.Since(c.at) > sealLate {
		s.late(ctx, c)
	}
}

// take removes the commits before the offset and returns the last of them.
func (s *seal) take(stable int64) (seen landing, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.commits) && s.commits[n].record.Offset < stable {
		n++
	}
	if n > 0 {
		seen = s.commits[n-1]
		s.commits = append(s.commits[:0], s.commits[n:]...)
	}
	return seen, n > 0
}

// forget comes before an abort: it ends a commit that hangs in the offsets partition too, which then looks like one that is seen.
func (s *seal) forget() {
	s.mu.Lock()
	s.commits = nil
	s.mu.Unlock()
}

// late tells a commit that hangs from one that hides behind another producer's open transaction.
func (s *seal) late(ctx context.Context, c landing) {
	if s.sink.Hangs(ctx, c.record) {
		select {
		case s.lost <- &outbox.Fault{Code: "kafka.markers_lost", Class: outbox.Transient,
			Err: fmt.Errorf("look for the commit at %s: a broker lost its end", c.place())}:
		default:
		}
		return
	}
	if time.Since(s.warned) > time.Minute {
		s.warned = time.Now()
		s.log.Warn("another producer's open transaction hides what is committed from readers: the source is not told of it, a snapshot waits",
			"where", c.place(), "for", time.Since(c.at).Round(time.Second))
	}
}

func (c *landing) place() string {
	return fmt.Sprintf("topic %s partition %d offset %d", c.record.Topic, c.record.Partition, c.record.Offset)
}

func (s *seal) finish() {
	ctx, cancel := context.WithTimeout(context.Background(), sealStop)
	defer cancel()
	for ctx.Err() == nil {
		if _, some := s.oldest(); !some {
			return
		}
		s.look(ctx)
		time.Sleep(sealSoon)
	}
	if c, some := s.oldest(); some {
		s.log.Info("readers do not see the last commits yet: the source was not told of them", "where", c.place())
	}
}
