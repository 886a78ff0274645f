package feedcheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Class is one way to be wrong, in Jepsen's words where it has one.
type Class string

const (
	Lost         Class = "LOST"          // a committed row is not in its topic
	Phantom      Class = "PHANTOM"       // a record that no row was written for
	AbortedRead  Class = "ABORTED_READ"  // a record of a row that was rolled back
	Ghost        Class = "GHOST"         // a record of a commit that the database acknowledged and then lost
	Duplicate    Class = "DUPLICATE"     // a row twice, where it must be once
	ReplayBroken Class = "REPLAY_BROKEN" // at least once: repeats that are no replay of what came before
	Reorder      Class = "REORDER"       // a row after a later one of its key, or of its writer in the same partition
	Gap          Class = "GAP"           // a key's versions jump
	Affinity     Class = "AFFINITY"      // a key in another partition than its own
	Corrupt      Class = "CORRUPT"       // topic, key, value, header or time differ from what the row says
	Torn         Class = "TORN"          // a database transaction became visible in parts
	OffsetFork   Class = "OFFSET_FORK"   // the offset records don't tell one story, or not the events'
	AckAhead     Class = "ACK_AHEAD"     // the database was told more than Kafka holds
	Hanging      Class = "HANGING"       // a transaction was left open: readers are stuck behind it
	Vanished     Class = "VANISHED"      // what one reader saw another did not
	Vacuous      Class = "VACUOUS"       // what was planned did not happen, so nothing was proven
)

// Classes in the order in which a report lists them.
var Classes = []Class{Lost, Phantom, AbortedRead, Ghost, Duplicate, ReplayBroken, Reorder, Gap, Affinity, Corrupt, Torn, OffsetFork, AckAhead, Hanging, Vanished, Vacuous}

const maxExamples = 5

// Finding counts one class, and names the first few cases by ids: never a key or a payload.
type Finding struct {
	Class    Class    `json:"class"`
	Count    int64    `json:"count"`
	Examples []string `json:"examples"`
}

// Stats is what was looked at.
type Stats struct {
	Transactions    int64 `json:"transactions"`     // committed in the database
	Expected        int64 `json:"expected"`         // rows that must arrive
	Records         int64 `json:"records"`          // that did, repeats included
	Distinct        int64 `json:"distinct"`         // rows that did
	AbortedRecords  int64 `json:"aborted_records"`  // in the log, but of aborted Kafka transactions
	LostMarkers     int64 `json:"lost_markers"`     // ends of transactions that the broker left out of a partition
	KafkaCommits    int64 `json:"kafka_commits"`    // that hold an offset record
	OffsetRecords   int64 `json:"offset_records"`   // committed ones
	Instances       int   `json:"instances"`        // different ones in the offset records
	LongestReplay   int64 `json:"longest_replay"`   // at least once: records repeated in a row in one partition
	Replays         int64 `json:"replays"`          // at least once: how often a partition was played again
	OnlineRecords   int64 `json:"online_records"`   // seen by the reader that read during the faults
	SlotSamples     int64 `json:"slot_samples"`     // of the slot against the offset records
	CompactedOffset int64 `json:"compacted_offset"` // offset records that compaction took, and nobody judged
}

// Report is the outcome of a check.
type Report struct {
	Seed     uint64    `json:"seed"`
	Findings []Finding `json:"findings"`
	Stats    Stats     `json:"stats"`
	Notes    []string  `json:"notes,omitempty"` // what could not be judged, and why
}

// OK reports whether nothing was wrong.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// Count returns how often the class was found.
func (r *Report) Count(c Class) int64 {
	for i := range r.Findings {
		if r.Findings[i].Class == c {
			return r.Findings[i].Count
		}
	}
	return 0
}

// Add enters one case of a class.
func (r *Report) Add(c Class, format string, args ...any) {
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Class == c })
	if i < 0 {
		i = len(r.Findings)
		r.Findings = append(r.Findings, Finding{Class: c})
	}
	f := &r.Findings[i]
	f.Count++
	if len(f.Examples) < maxExamples {
		f.Examples = append(f.Examples, fmt.Sprintf(format, args...))
	}
}

// Require enters VACUOUS when less of something happened than the test set out to do.
func (r *Report) Require(what string, got, want int64) {
	if got < want {
		r.Add(Vacuous, "%s: %d, want at least %d", what, got, want)
	}
}

func (r *Report) note(format string, args ...any) {
	if n := fmt.Sprintf(format, args...); !slices.Contains(r.Notes, n) {
		r.Notes = append(r.Notes, n)
	}
}

func (r *Report) sort() {
	slices.SortFunc(r.Findings, func(a, b Finding) int {
		return slices.Index(Classes, a.Class) - slices.Index(Classes, b.Class)
	})
}

// JSON returns the report for programs.
func (r *Report) JSON() []byte {
	r.sort()
	b, err := json.MarshalIndent(struct {
		OK bool `json:"ok"`
		*Report
	}{r.OK(), r}, "", "  ")
	if err != nil {
		panic("feedcheck: a report can't be written as JSON: " + err.Error())
	}
	return b
}

// String returns the report for people.
func (r *Report) String() string {
	r.sort()
	var b strings.Builder
	s := &r.Stats
	fmt.Fprintf(&b, "seed %d: %d transactions, %d rows expected, %d arrived in %d records\n", r.Seed, s.Transactions, s.Expected, s.Distinct, s.Records)
	fmt.Fprintf(&b, "kafka: %d commits with an offset record, %d instances, %d records of aborted transactions, %d seen online, %d slot samples\n",
		s.KafkaCommits, s.Instances, s.AbortedRecords, s.OnlineRecords, s.SlotSamples)
	if s.Replays > 0 {
		fmt.Fprintf(&b, "replays: %d, the longest of %d records\n", s.Replays, s.LongestReplay)
	}
	if s.LostMarkers > 0 {
		fmt.Fprintf(&b, "the broker left out %d ends of transactions\n", s.LostMarkers)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "not judged: %s\n", n)
	}
	if r.OK() {
		b.WriteString("OK\n")
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		fmt.Fprintf(&b, "%-13s %d\n", f.Class, f.Count)
		for _, e := range f.Examples {
			fmt.Fprintf(&b, "    %s\n", e)
		}
	}
	return b.String()
}
