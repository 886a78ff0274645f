package router

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/configs"
)

func withHeaders(change func(*configs.Router)) configs.Router {
	cfg := debezium()
	cfg.Headers = []configs.Placement{{Name: "eventType", Column: "type"}, {Name: "version", Column: "version"}}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

var benchmarks = []struct {
	name   string
	change func(*configs.Router)
}{
	{"plain", nil},
	{"envelope", func(c *configs.Router) { c.Envelope = []configs.Placement{{Name: "eventType", Column: "type"}} }},
	{"expand", func(c *configs.Router) { c.ExpandJSON = true }},
}

func TestRoutingAllocatesNothing(t *testing.T) {
	for _, b := range benchmarks {
		table := outboxTable()
		p := plan(t, withHeaders(b.change), asStrings, table)
		rows := []string{"Order", "Post", "Order"}
		rec, buf := new(kgo.Record), make([]byte, 0, 4096)
		for _, kind := range rows {
			r := row(table, "aggregatetype", kind)
			step := func() {
				var err error
				if buf, err = p.Route(r, rec, buf[:0]); err != nil {
					t.Fatal(err)
				}
			}
			step()
			if n := testing.AllocsPerRun(100, step); n != 0 {
				t.Errorf("%s: %v allocations a row", b.name, n)
			}
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	for _, bench := range benchmarks {
		for _, size := range []int{200, 1 << 10, 16 << 10} {
			b.Run(fmt.Sprintf("%s/%d", bench.name, size), func(b *testing.B) {
				table := outboxTable()
				p := plan(b, withHeaders(bench.change), asStrings, table)
				r := row(table, "payload", document(size))
				rec, buf := new(kgo.Record), make([]byte, 0, 2*size+1000)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					var err error
					if buf, err = p.Route(r, rec, buf[:0]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// document returns JSON of about size bytes, as jsonb prints it.
func document(size int) string {
	var s strings.Builder
	s.WriteString(`{"id": 1, "lines": [`)
	for s.Len() < size-80 {
		s.WriteString(`{"name": "a word or two", "count": 12, "note": null}, `)
	}
	s.WriteString(`{"name": "the last", "price": 12.50}], "done": true}`)
	return s.String()
}
