package feedcheck

import (
	"runtime"
	"testing"
)

// BenchmarkJudge tells what a check costs besides reading, for each row.
func BenchmarkJudge(b *testing.B) {
	spec := DefaultSpec(1)
	spec.PadMin, spec.PadMax = 50, 150
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	o, err := NewOracle(spec)
	if err != nil {
		b.Fatal(err)
	}
	versions := map[string]int64{}
	f := &fake{oracle: o, rules: Rules{TopicPrefix: "outbox.event."}}
	var rows []Record
	for tx := int64(0); len(rows) < b.N; tx++ {
		p := spec.Plan(int(tx)%spec.Writers, tx/int64(spec.Writers))
		if p.End != Rollback && p.End != PrepareRollback && p.End != CutBefore {
			vs := make([]int64, len(p.Keys))
			for i, k := range p.Keys {
				versions[k]++
				vs[i] = versions[k]
			}
			if err := o.Committed(p.W, p.Tx, vs); err != nil {
				b.Fatal(err)
			}
			for row := range p.Kept() {
				rows = append(rows, f.record(&p, row, vs[p.Rows[row].Key]))
			}
		}
	}
	report := &Report{}
	j := NewJudge(o, f.rules, report)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range rows {
		j.See(&rows[i])
	}
	b.StopTimer()
	n := len(rows)
	rows, versions = nil, nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B-kept/row")
	runtime.KeepAlive(j)
}
