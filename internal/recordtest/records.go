// Package recordtest makes records of a source's rows as the pipeline does, and keeps them from Kafka. With it the tests
// and benchmarks of a source go the whole way from the bytes of a socket to what a client would get.
package recordtest

import (
	"fmt"
	"testing"

	"outferry/configs"
	"outferry/outbox"
	"outferry/router"
	"outferry/sink"
)

// Maker is that way for one pipeline.
type Maker struct {
	Config *configs.Pipeline
	Made   int // records

	sink   sink.Sink
	router *router.Router
	table  *outbox.Table // that the plan is for
	plan   *router.Plan
}

// New is for a pipeline with nothing but a source, and what edit does to it.
func New(tb testing.TB, url, table string, edit func(*configs.Pipeline)) *Maker {
	tb.Helper()
	text := fmt.Sprintf("name: posts\nsource:\n  url: %s\n  tables: [%s]\nkafka:\n  brokers: [127.0.0.1:9]\n", url, table)
	set, findings := configs.LoadBytes("test.yaml", []byte(text), configs.Options{})
	if findings.HasErrors() {
		tb.Fatal(findings)
	}
	m := &Maker{Config: set.Pipelines[0]}
	if edit != nil {
		edit(m.Config)
	}
	var err error
	if m.router, err = router.New(m.Config.Router, m.Config.Encoding); err != nil {
		tb.Fatal(err)
	}
	return m
}

// Route makes the records of a batch and gives it back.
func (m *Maker) Route(tb testing.TB, b *outbox.Batch) {
	cargo := m.sink.Load(b)
	for i := range b.Rows {
		row, r := &b.Rows[i], cargo.Next()
		var err error
		if row.Table != m.table {
			if m.plan, err = m.router.Plan(row.Table); err != nil {
				tb.Fatal(err)
			}
			m.table = row.Table
		}
		if cargo.Buf, err = m.plan.Route(row, r, cargo.Buf); err != nil {
			tb.Fatal(err)
		}
		if r.Topic == "" || len(r.Value) == 0 {
			tb.Fatal("a record is empty")
		}
		m.Made++
	}
	cargo.Close()
}
