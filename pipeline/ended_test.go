package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
)

// What the source can't hand over stops it, behind all that it could.
func TestRowTooLargeForTheSourceStopsBehindWhatPrecedesIt(t *testing.T) {
	r := newRig(t, "")
	r.cfg.Source.MaxRow = 64 << 10
	r.begin()
	for i := range 200 {
		r.insert(fmt.Sprint("good-", i), "order", "{}")
	}
	r.insert("large", "order", strings.Repeat("x", 100<<10))
	run := r.start()
	wantFault(t, run.wait(), "row.too_large", 1)
	if got := ids(r.consume("order", 201)); got[200] != "good-199" {
		t.Errorf("the last row is %s", got[200])
	}
}
