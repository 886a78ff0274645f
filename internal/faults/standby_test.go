package faults

import (
	"testing"
	"time"

	"outferry/internal/servers"
)

// pair starts two instances at once and returns which one leads.
func pair(s *stage) (leader, standby *instance) {
	s.t.Helper()
	a, b := s.run(), s.run()
	servers.Eventually(s.t, 30*time.Second, "one of two instances streams and the other stands by", func() bool {
		x, y := a.state(), b.state()
		if y == "ready" {
			leader, standby = b, a
		} else {
			leader, standby = a, b
		}
		return x == "ready" && y == "standby" || x == "standby" && y == "ready"
	})
	return leader, standby
}

func TestOfTwoInstancesOnePublishes(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{})
	pair(s)
	tr := s.load(200)
	some(10*time.Second, 11*time.Second) // what would go to and fro has the time to
	if r := tr.verdict(); r.Stats.Instances > 2 {
		t.Errorf("%d instances published, want one, or two where the second came while the first began", r.Stats.Instances)
	}
}

func TestTheStandbyTakesOverFromAKilledLeader(t *testing.T) {
	t.Parallel()
	s := newStage(t, options{})
	leader, standby := pair(s)
	tr := s.load(200)
	for range rounds(3, 10) {
		some(time.Second, 2*time.Second)
		standby.takesOver(20*time.Second, leader.kill)
		leader, standby = standby, s.run()
	}
	r := tr.verdict()
	s.require("instances that published", int64(r.Stats.Instances), 3)
}

// A leader that is frozen past the take-over wakes up with a transaction open, and must not commit it.
func TestAFrozenLeaderNeverPublishesAgain(t *testing.T) {
	t.Parallel()
	db := servers.StartPostgres(t, servers.PostgresOptions{WALSenderTimeout: 3 * time.Second, Settings: []string{"max_prepared_transactions = 20"}})
	s := newStage(t, options{postgres: db})
	leader, standby := pair(s)
	tr := s.load(200)
	for range rounds(3, 10) {
		some(time.Second, 2*time.Second)
		standby.takesOver(20*time.Second, leader.signalStop)
		some(500*time.Millisecond, time.Second)
		leader.signalGo()
		servers.Eventually(t, 20*time.Second, "the woken leader stands by", func() bool { return leader.state() == "standby" })
		leader, standby = standby, leader
	}
	r := tr.verdict()
	if most := 2 + rounds(3, 10); r.Stats.Instances > most { // a new name for each that took over
		t.Errorf("%d instances published, want %d at most", r.Stats.Instances, most)
	}
}
