package binlog

import (
	"fmt"
	"strings"
	"testing"
)

// TestStoredLayoutsGoToTheirTables: those of older versions stand under names in lower case.
func TestStoredLayoutsGoToTheirTables(t *testing.T) {
	for _, c := range []struct{ stored, tables, want string }{
		{"b.o", "b.o", "b.o=b.o"},
		{"b.o", "b.O", "b.O=b.o"},
		{"b.O", "b.O", "b.O=b.O"},
		{"b.o b.O", "b.o b.O", "b.O=b.O b.o=b.o"},
		{"b.o b.O", "b.O", "b.O=b.O"},
		{"b.o b.O", "b.o", "b.o=b.o"},
		{"b.o", "b.o b.O", ""}, // of which nobody can tell
		{"b.o b.p", "b.O b.p", "b.O=b.o b.p=b.p"},
		{"b.o", "b.p", ""},
	} {
		l := layouts{}
		for _, key := range strings.Fields(c.stored) {
			l[key] = []catalogColumn{{name: key}}
		}
		var got []string
		for _, key := range []string{"b.O", "b.o", "b.p"} {
			if columns := l.of(strings.Fields(c.tables))[key]; columns != nil {
				got = append(got, fmt.Sprintf("%s=%s", key, columns[0].name))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s of %s: got %s, want %s", c.tables, c.stored, got, c.want)
		}
	}
}
