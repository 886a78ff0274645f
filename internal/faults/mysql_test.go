package faults

import (
	"testing"
	"time"

	"outferry/internal/servers"
)

// each runs a test on every MySQL and MariaDB of this run, side by side.
func each(t *testing.T, test func(t *testing.T, version string)) {
	t.Parallel()
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

func TestKillingTheProcessOnMySQLLosesAndRepeatsNothing(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		kills := rounds(15, 150)
		newStage(t, options{version: version}).killed(kills, kills/3)
	})
}

// With sync_binlog=1 what was read before a crash is there after it. MariaDB leaves what it was writing in its log.
func TestCrashesOfMySQLLoseAndRepeatNothing(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		db := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Durable: true})
		s := newStage(t, options{mysql: db})
		s.spec.BigEvery, s.spec.BigRows = 10, 8000
		i := s.run()
		i.streaming(30 * time.Second)
		tr := s.load(30)
		crashes := rounds(5, 40)
		for n := range crashes {
			if n%2 == 0 {
				i.delivers(time.Minute)
			}
			some(500*time.Millisecond, 2*time.Second)
			db.Kill()
			some(0, time.Second)
			db.Start()
		}
		i.streaming(time.Minute)
		tr.verdict()
		if n := i.said("source: streaming:"); n <= crashes/2 {
			t.Errorf("streamed %d times: the crashes were not felt", n)
		}
		if code := i.stop(); code != 0 {
			t.Errorf("exit code %d after SIGTERM", code)
		}
	})
}

func TestTheStandbyTakesOverOnMySQL(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		s := newStage(t, options{version: version})
		leader, standby := pair(s)
		tr := s.load(200)
		some(3*time.Second, 4*time.Second) // what would go to and fro has the time to
		takeovers := rounds(2, 10)
		for range takeovers {
			if leader.state() != "ready" || standby.state() != "standby" {
				t.Errorf("the leader is %q and the standby %q", leader.state(), standby.state())
			}
			standby.takesOver(20*time.Second, leader.kill)
			leader, standby = standby, s.run()
			servers.Eventually(t, 20*time.Second, "the new instance stands by", func() bool { return standby.state() == "standby" })
		}
		r := tr.verdict()
		s.require("instances that published", int64(r.Stats.Instances), int64(takeovers)+1)
		if most := takeovers + 2; r.Stats.Instances > most { // both of the first two may begin
			t.Errorf("%d instances published, want %d at most", r.Stats.Instances, most)
		}
	})
}

// A frozen leader loses the lock of its replica number, wakes up with a transaction open, and must not commit it.
func TestAFrozenLeaderOnMySQLNeverPublishesAgain(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		s := newStage(t, options{version: version})
		leader, standby := pair(s)
		tr := s.load(200)
		for range rounds(1, 10) {
			some(time.Second, 2*time.Second)
			standby.takesOver(40*time.Second, leader.signalStop)
			leader.signalGo()
			servers.Eventually(t, 20*time.Second, "the woken leader stands by", func() bool { return leader.state() == "standby" })
			leader, standby = standby, leader
		}
		r := tr.verdict()
		if most := 2 + rounds(1, 10); r.Stats.Instances > most { // a new name for each that took over
			t.Errorf("%d instances published, want %d at most", r.Stats.Instances, most)
		}
	})
}

func TestStoppingInOrderOnMySQLRedeliversNothing(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		newStage(t, options{version: version}).stopped(rounds(8, 60))
	})
}
