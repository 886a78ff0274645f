package faults

import (
	"sync/atomic"
	"testing"
	"time"

	"outferry/internal/link"
	"outferry/internal/servers"
)

// stageBetweenLinks is a stage whose instances reach both servers over links.
func stageBetweenLinks(t *testing.T) (s *stage, db *link.Link, kafka *frames) {
	t.Helper()
	pg := servers.StartPostgres(t, servers.PostgresOptions{WALSenderTimeout: 5 * time.Second, Settings: []string{"max_prepared_transactions = 20"}})
	broker, kafka := kafkaBehindFrames(t)
	db, open := link.New(t)
	s = newStage(t, options{postgres: pg, broker: broker, kafka: kafka.Addr, source: db.Addr})
	open(s.source())
	return s, db, kafka
}

func TestResetsOfBothLinksLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	s, db, kafka := stageBetweenLinks(t)
	i := s.run()
	i.streaming(time.Minute)
	tr := s.load(300)
	patience := time.Now().Add(3 * time.Minute) // a busy machine takes its time to connect
	for n := 0; n < rounds(40, 200) || (db.Cuts.Load() < 20 || kafka.Cuts.Load() < 10) && time.Now().Before(patience); n++ {
		some(50*time.Millisecond, 800*time.Millisecond)
		[]func(){db.Cut, kafka.Cut, func() { db.Cut(); kafka.Cut() }}[time.Now().UnixNano()%3]()
	}
	i.streaming(time.Minute)
	tr.verdict()
	s.require("connections to the database that were cut", db.Cuts.Load(), 20)
	s.require("connections to Kafka that were cut", kafka.Cuts.Load(), 10)
	i.stopsInOrder()
}

// Whatever part of a message came before the connection ended is not taken for a message.
func TestAConnectionCutAfterAnyByteLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	s, db, _ := stageBetweenLinks(t)
	step := int64(rounds(1597, 97))
	var next atomic.Int64
	db.CutAfter(func() int64 { return next.Add(step) })
	i := s.run("source.retry.initial=1ms", "source.retry.max=20ms")
	db.CutAfter(nil)
	i.streaming(time.Minute)
	tr := s.load(300)
	db.CutAfter(func() int64 { return next.Add(step) })
	db.Cut()
	servers.Eventually(t, 10*time.Minute, "connections were cut after up to 64 KiB", func() bool { return next.Load() > 64<<10 })
	db.CutAfter(nil)
	db.Cut()
	i.streaming(time.Minute)
	tr.verdict()
	s.require("connections that were cut", db.Cuts.Load(), 60<<10/step)
}
