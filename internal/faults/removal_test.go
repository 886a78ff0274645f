package faults

import (
	"os/exec"
	"testing"
	"time"
)

// A command finds nobody where the leader has ended and the standby has not taken over yet. The standby must not
// bring back what was removed, nor publish what a reset publishes, unasked.
func TestAStandbyOfARemovedPipelineStops(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"remove"}, {"offsets", "reset"}} {
		t.Run(command[len(command)-1], func(t *testing.T) {
			s := newStage(t, options{})
			leader := s.run()
			leader.streaming(30 * time.Second)
			s.insert(5)
			s.arrived(5)
			standby := s.run()
			standby.says("standing by", 30*time.Second)
			standby.signalStop() // between two looks
			leader.stopsInOrder()
			out, err := exec.Command(program(t), append(command, s.name, "--yes", "--config", s.file)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %v\n%s", command, err, out)
			}
			standby.signalGo()
			if code := standby.ended(time.Minute); code != 4 || standby.said("kafka.offsets_removed") == 0 {
				t.Errorf("exit code %d, want 4 and kafka.offsets_removed", code)
			}
			s.arrived(5)
			if n := s.db.Text(t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1", s.slot()); n != "0" {
				t.Error("the slot is back")
			}
		})
	}
}
