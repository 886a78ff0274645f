package load

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func record(s Shape, texts []string, n int) *kgo.Record {
	return &kgo.Record{Topic: fmt.Sprintf("x.t%d", n%s.Topics), Key: fmt.Appendf(nil, "key-%d", n%Keys),
		Value:   fmt.Appendf(nil, `{"seq": %d, "text": "%s"}`, n, texts[n%len(texts)]),
		Headers: []kgo.RecordHeader{{Key: "id", Value: fmt.Appendf(nil, "10711fa5-0000-4000-8000-%012x", n)}}}
}

// TestVerdictFindsEachFault: a run that is wrong in any way is no result.
func TestVerdictFindsEachFault(t *testing.T) {
	s := Shape{Rows: 2*Keys + 10, Size: 200, Topics: 2, ID: "uuid"}
	texts := s.Texts()
	for name, c := range map[string]struct {
		change func([]*kgo.Record) []*kgo.Record
		want   string
	}{
		"nothing":          {func(r []*kgo.Record) []*kgo.Record { return r }, ""},
		"keys interleaved": {func(r []*kgo.Record) []*kgo.Record { r[0], r[1] = r[1], r[0]; return r }, ""},
		"lost":             {func(r []*kgo.Record) []*kgo.Record { return append(r[:7], r[8:]...) }, "1 lost"},
		"last lost":        {func(r []*kgo.Record) []*kgo.Record { return r[:len(r)-1] }, "1 lost"},
		"twice":            {func(r []*kgo.Record) []*kgo.Record { return append(r, r[3]) }, "row 3 comes twice"},
		"twice, one lost":  {func(r []*kgo.Record) []*kgo.Record { return append(r[:len(r)-1], r[3]) }, "1 lost"},
		"misordered":       {func(r []*kgo.Record) []*kgo.Record { r[5], r[5+Keys] = r[5+Keys], r[5]; return r }, "comes after row"},
		"key":              {func(r []*kgo.Record) []*kgo.Record { r[9].Key = []byte("key-8"); return r }, "has key"},
		"topic":            {func(r []*kgo.Record) []*kgo.Record { r[9].Topic = "x.t0"; return r }, "in topic"},
		"id":               {func(r []*kgo.Record) []*kgo.Record { r[9].Headers = nil; return r }, "has headers"},
		"partition":        {func(r []*kgo.Record) []*kgo.Record { r[9+Keys].Partition = 1; return r }, "is in partition 1"},
		"longer":           {func(r []*kgo.Record) []*kgo.Record { r[9].Value = append(r[9].Value, ' ', '1'); return r }, "another payload"},
		"cut":              {func(r []*kgo.Record) []*kgo.Record { r[9].Value = r[9].Value[:100]; return r }, "another payload"},
		"strange":          {func(r []*kgo.Record) []*kgo.Record { r[9].Value = []byte("{}"); return r }, "no row of this run"},
	} {
		t.Run(name, func(t *testing.T) {
			var records []*kgo.Record
			for n := range s.Rows {
				records = append(records, record(s, texts, n))
			}
			v := NewVerdict(s, "x.")
			for _, r := range c.change(slices.Clone(records)) {
				v.See(r)
			}
			err := v.Err()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
