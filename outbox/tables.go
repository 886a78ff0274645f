package outbox

import "slices"

// WarnOfTables compares the tables of a file with those of its position: there is no snapshot of one that comes later, and the
// place of one that goes is kept by nobody.
func WarnOfTables(warn func(message string, args ...any), named, known []string, position string) {
	for _, t := range named {
		if !slices.Contains(known, t) {
			warn("table added: its rows are streamed from the position on, its older ones are not published", "table", t, "position", position)
		}
	}
	for _, t := range known {
		if !slices.Contains(named, t) {
			warn("table taken out: what is written to it from the position on is passed by, also if it is named again", "table", t, "position", position)
		}
	}
}
