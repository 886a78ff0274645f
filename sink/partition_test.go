package sink_test

import (
	"fmt"
	"testing"

	"outferry/offsets"
)

func TestRecordGoesWhereItsKeySays(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	makeTopic(t, r.Client(), "events", 12)
	var events []event
	for n := range 60 {
		key := fmt.Sprintf("key-%d", n)
		events = append(events, event{topic: "events", key: []byte(key), value: key, partition: -1})
	}
	// As a Java producer placed the key of event-router's capture, as a string and as JSON.
	events = append(events, event{topic: "events", key: []byte("10711fa5"), value: "string", partition: -1},
		event{topic: "events", key: []byte(`"10711fa5"`), value: "json", partition: -1},
		event{topic: "events", key: []byte("10711fa5"), value: "named", partition: 7})
	if err := r.land(deadline(t), events); err != nil {
		t.Fatal(err)
	}
	want := map[string]int32{"string": 11, "json": 3, "named": 7}
	seen := 0
	for _, rec := range records(t, c.ListenAddrs()[0], "events", 12) {
		place, ok := want[string(rec.Value)]
		if !ok {
			place = offsets.Partition(string(rec.Key), 12)
		}
		if rec.Partition != place {
			t.Errorf("%s: partition %d, want %d", rec.Value, rec.Partition, place)
		}
		seen++
	}
	if seen != len(events) {
		t.Errorf("%d records landed, want %d", seen, len(events))
	}
}

// A null key keeps a batch together, and is still null for the reader.
func TestNullKeyStaysNull(t *testing.T) {
	c := fake(t)
	r := open(t, file(t, c.ListenAddrs()[0], "posts")).offsetsTopic(t)
	makeTopic(t, r.Client(), "events", 6)
	var events []event
	for n := range 50 {
		events = append(events, event{topic: "events", value: fmt.Sprint(n), partition: -1})
	}
	if err := r.land(deadline(t), events); err != nil {
		t.Fatal(err)
	}
	partitions := map[int32]bool{}
	got := records(t, c.ListenAddrs()[0], "events", 6)
	for _, rec := range got {
		partitions[rec.Partition] = true
		if rec.Key != nil {
			t.Fatalf("the key is %q, want none", rec.Key)
		}
	}
	if len(got) != 50 { // how often it turns to another partition is a matter of how full batches get
		t.Errorf("%d records on %d partitions", len(got), len(partitions))
	}
}
