package walstream

import (
	"encoding/binary"
	"testing"
	"time"
)

// TestBacklogIsByTheServersClock: the transactions are of the year 2000, so by ours they are all old.
func TestBacklogIsByTheServersClock(t *testing.T) {
	for _, c := range []struct {
		name  string
		age   time.Duration // at which the server sends
		quiet bool          // and has nothing more then
		want  bool
	}{
		{"live", 10 * time.Millisecond, false, false},
		{"backlog", time.Minute, false, true},
		{"the end of backlog", time.Minute, true, false},
		{"a server whose clock went back", -time.Minute, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			frames := sent(3, 2, 200)
			for at := 0; at < len(frames); at += 1 + int(binary.BigEndian.Uint32(frames[at+1:])) {
				binary.BigEndian.PutUint64(frames[at+messageAt-8:], uint64(c.age.Microseconds()))
			}
			if c.quiet {
				frames = append(frames, 'd', 0, 0, 0, 4+18, 'k')
				frames = append(frames, make([]byte, 17)...)
			}
			f := newFerried(t, nil)
			if f.st.behind() {
				t.Error("behind before anything came")
			}
			f.parse(t, frames)
			if got := f.st.behind(); got != c.want {
				t.Errorf("behind: %v", got)
			}
		})
	}
}
