package pipeline

import (
	"testing"
	"time"
)

// StandAsideFor shortens the pause of whoever was fenced for a test.
func StandAsideFor(t *testing.T, d time.Duration) {
	old := fencedWait
	fencedWait = d
	t.Cleanup(func() { fencedWait = old })
}
