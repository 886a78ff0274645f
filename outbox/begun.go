package outbox

import (
	"fmt"
	"slices"
	"strings"
)

// Begun is what a snapshot was begun with. Its place is a number among these tables, and what it leaves to the log depends on
// whether one follows: with others, or in another order, rows would be left out or come twice.
type Begun struct {
	Mode   string   `json:"mode"`   // source.snapshot
	Tables []string `json:"tables"` // source.tables
}

// Unchanged is the fault of a snapshot that would go on with something else.
func (b Begun) Unchanged(now Begun) error {
	if b.Mode == now.Mode && slices.Equal(b.Tables, now.Tables) {
		return nil
	}
	return &Fault{Code: "config.changed_inside_snapshot", Class: Config,
		Err:    fmt.Errorf("go on with a snapshot that was begun with source.snapshot %s and source.tables %s", b.Mode, strings.Join(b.Tables, ", ")),
		Remedy: "start with the former settings until the snapshot is over, then change them; or start over with outferry offsets reset NAME"}
}

// AfterInitialOnly is the fault of a pipeline that published its snapshot and nothing more, as its file asked, and is asked for more.
func AfterInitialOnly(mode string) error {
	if mode == "initial_only" {
		return nil
	}
	return &Fault{Code: "config.snapshot_done", Class: Config,
		Err:    fmt.Errorf("source.snapshot is %s, but the pipeline has ended as initial_only: what was committed since is in no slot and at no position", mode),
		Remedy: "start over with outferry offsets reset NAME, which publishes all rows again unless source.snapshot is no_data; or set source.snapshot to initial_only again"}
}
