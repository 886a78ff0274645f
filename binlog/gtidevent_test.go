package binlog

import (
	"encoding/hex"
	"testing"
)

// TestPhasesOfAnAlter: events of MariaDB 11.8 under binlog_alter_two_phase, and others that stand at the same bytes.
func TestPhasesOfAnAlter(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		idle bool
	}{
		"start":              {"06000000000000000000000029120800000000", true},
		"commit":             {"0700000000000000000000002914060000000000000008000000", false},
		"rollback":           {"0a00000000000000000000002918090000000000000009000000", true},
		"other definition":   {"05000000000000000000000029100700000000", false},
		"rows":               {"0800000000000000000000000c100a00000000", false},
		"of an older server": {"08000000000000000000000029000000000000", false},
		"group commit":       {"0800000000000000000000000effffffffffffffff00", false},
		"group start":        {"0800000000000000000000002b000000000000000002", true},
		"XA":                 {"0800000000000000000000004c0100000002020202020200", false},
		"short":              {"08000000000000000000000029", false},
	} {
		body, err := hex.DecodeString(c.body)
		if err != nil {
			t.Fatal(err)
		}
		if g, err := decodeMariaGTID(body, 1); err != nil || g.idle != c.idle {
			t.Errorf("%s: idle is %v, %v", name, g.idle, err)
		}
	}
}
