package faults

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"outferry/internal/link"
	"outferry/internal/servers"
)

// mysqlBehindLink is a server of one test whose instances come by a link.
func mysqlBehindLink(t *testing.T, o servers.MySQLOptions, more options) (*stage, *link.Link) {
	t.Helper()
	more.mysql = servers.StartMySQL(t, o)
	l, open := link.New(t)
	more.source = l.Addr
	s := newStage(t, more)
	open(s.source())
	return s, l
}

// Many of the cuts come in the middle of a transaction: some of the workload's take several Kafka transactions.
func TestCutLinksToMySQLLoseAndRepeatNothing(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		s, db := mysqlBehindLink(t, servers.MySQLOptions{Version: version}, options{})
		s.spec.BigEvery, s.spec.BigRows = 15, 8000
		i := s.run("source.retry.initial=1ms", "source.retry.max=20ms", "source.max_transaction=1MiB")
		i.streaming(time.Minute)
		tr := s.load(20)
		step := int64(rounds(4001, 97))
		var next atomic.Int64
		db.CutAfter(func() int64 { return next.Add(step) })
		db.Cut()
		servers.Eventually(t, 10*time.Minute, "connections were cut after up to 256 KiB", func() bool { return next.Load() > 256<<10 })
		db.CutAfter(nil)
		for n := range rounds(12, 200) {
			streamed := i.said("source: streaming:")
			db.Cut()
			if n%2 == 0 { // the others may come before it streams
				servers.Eventually(t, time.Minute, "the instance streams again", func() bool { return i.said("source: streaming:") > streamed })
			}
			some(20*time.Millisecond, 300*time.Millisecond)
		}
		i.streaming(time.Minute)
		tr.verdict()
		s.require("connections that were cut", db.Cuts.Load(), 60)
		s.require("streams that were cut", int64(i.said("source: streaming:")), 8)
	})
}

// Source and replica change places, and the address leads to the one that takes writes.
func TestFailoverToAReplicaOfMySQLLosesAndRepeatsNothing(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		s, db := mysqlBehindLink(t, servers.MySQLOptions{Version: version}, options{failover: true})
		source := s.opts.mysql
		replica := source.Replica()
		i := s.run()
		i.streaming(30 * time.Second)
		tr := s.load(200)
		for range rounds(2, 10) {
			some(time.Second, 2*time.Second)
			source.ReadOnly()
			replica.CatchUp(t, source)
			db.Drop()
			source.Kill()
			replica.Promote()
			db.Retarget(fmt.Sprintf("127.0.0.1:%d", replica.Port))
			db.Heal()
			streamed := i.said("source: streaming:")
			servers.Eventually(t, time.Minute, "the instance streams from the new source", func() bool { return i.said("source: streaming:") > streamed })
			source.Start()
			source.Follow(replica)
			source, replica = replica, source
		}
		i.streaming(time.Minute)
		tr.verdict()
		i.stopsInOrder()
	})
}
