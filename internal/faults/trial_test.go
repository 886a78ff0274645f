package faults

import (
	"time"

	"outferry/internal/feedcheck"
)

// trial is a workload under way, with readers that look on.
type trial struct {
	stage *stage
	stop  chan struct{}
	ended chan outcome
}

type outcome struct {
	summary *feedcheck.Summary
	report  *feedcheck.Report
	err     error
}

// load starts the workload, at so many transactions a second. The pipeline must stream already, or its slot exist.
func (s *stage) load(rate float64) *trial {
	tr := &trial{stage: s, stop: make(chan struct{}), ended: make(chan outcome, 1)}
	opts := feedcheck.TrialOptions{
		Load:  feedcheck.LoadOptions{Dialect: s.dialect(), DSN: s.workload(), Tables: s.tables(), Spec: s.spec, Rate: rate},
		Check: s.checkOptions(), Slot: s.slot(), Stop: tr.stop,
	}
	ctx := s.within(10 * time.Minute)
	go func() {
		summary, report, err := feedcheck.Trial(ctx, opts)
		tr.ended <- outcome{summary, report, err}
	}()
	return tr
}

func (s *stage) checkOptions() feedcheck.CheckOptions {
	return feedcheck.CheckOptions{Kafka: s.kafkaOptions(), OffsetsTopic: s.offsets, Pipeline: s.name,
		Rules: feedcheck.Rules{TopicPrefix: s.prefix}, Patience: 40 * time.Second}
}

// verdict ends the workload, waits for what is on its way, and fails the test unless all is right. An
// instance must be running.
func (tr *trial) verdict() *feedcheck.Report {
	t := tr.stage.t
	t.Helper()
	close(tr.stop)
	began := time.Now()
	defer func() { t.Logf("judged in %s", time.Since(began).Round(time.Millisecond)) }()
	return tr.await()
}

func (tr *trial) await() *feedcheck.Report {
	t := tr.stage.t
	t.Helper()
	o := <-tr.ended
	if o.err != nil {
		t.Fatalf("trial: %v", o.err)
	}
	t.Logf("%d committed, %d rolled back, %d unknown in %s\n%s", o.summary.Committed, o.summary.RolledBack, o.summary.Unknown, o.summary.Took.Round(time.Millisecond), o.report)
	if o.report.Stats.Expected == 0 {
		t.Fatal("nothing was written")
	}
	if !o.report.OK() {
		t.Fatal("the feed is not what the database holds")
	}
	return o.report
}

// check judges what arrived of rows that were written before.
func (s *stage) check() *feedcheck.Report {
	s.t.Helper()
	db := s.open()
	defer db.Close()
	ctx := s.within(5 * time.Minute)
	o, err := feedcheck.Read(ctx, s.dialect(), db, s.tables())
	if err != nil {
		s.t.Fatal(err)
	}
	report, err := feedcheck.Check(ctx, o, s.checkOptions())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Logf("%s", report)
	if !report.OK() {
		s.t.Fatal("the feed is not what the database holds")
	}
	return report
}

// require fails the test where less of something happened than was planned.
func (s *stage) require(what string, got, want int64) {
	s.t.Helper()
	if got < want {
		s.t.Fatalf("%s: %d, want at least %d: nothing was proven", what, got, want)
	}
}
