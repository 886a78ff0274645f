// Command cmd writes a workload into an outbox and checks what became of it in Kafka.
//
//	go run ./internal/feedcheck/cmd prepare -dsn URL -brokers localhost:9092
//	go run ./internal/feedcheck/cmd load  -dsn URL -seed 1 -duration 30s
//	go run ./internal/feedcheck/cmd check -dsn URL -brokers localhost:9092 -pipeline posts
//	go run ./internal/feedcheck/cmd trial -dsn URL -brokers localhost:9092 -pipeline posts -slot outferry_posts -duration 1m
//
// prepare makes the tables and the offsets topic, so that the pipeline can be started before the first
// row. trial is load and check at once, with a reader that looks on; SIGINT ends its workload early and
// goes on to the check. Exit codes: 0 nothing wrong, 1 could not be judged, 2 wrong use, 4 something is wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/feedcheck"
)

const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitWrong  = 4
)

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	stop := make(chan struct{})
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-signals
		close(stop)
		<-signals
		cancel()
	}()
	os.Exit(run(ctx, os.Args[1], os.Args[2:], stop))
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: prepare | load | check | trial, with -h for the flags of each")
	os.Exit(exitUsage)
}

func run(ctx context.Context, verb string, args []string, stop <-chan struct{}) int {
	f := newFlags(verb)
	var err error
	switch verb {
	case "prepare", "load", "check", "trial":
		err = f.parse(args)
	default:
		usage()
	}
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitUsage
	}
	report, err := map[string]func(context.Context, *flags, <-chan struct{}) (*feedcheck.Report, error){
		"prepare": prepare, "load": load, "check": check, "trial": trial,
	}[verb](ctx, f, stop)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return exitFailed
	}
	return f.print(report)
}

func prepare(ctx context.Context, f *flags, _ <-chan struct{}) (*feedcheck.Report, error) {
	db, err := f.load.Dialect.Open(f.load.DSN)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := feedcheck.Prepare(ctx, f.load.Dialect, db, f.load.Tables); err != nil || f.check.OffsetsTopic == "-" {
		return nil, err
	}
	client, err := kgo.NewClient(f.check.Kafka...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return nil, feedcheck.MakeOffsetsTopic(ctx, client, f.check.OffsetsTopic, 50)
}

func load(ctx context.Context, f *flags, stop <-chan struct{}) (*feedcheck.Report, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	s, err := feedcheck.Load(ctx, f.load)
	summary(s)
	return nil, err
}

func check(ctx context.Context, f *flags, _ <-chan struct{}) (*feedcheck.Report, error) {
	db, err := f.load.Dialect.Open(f.load.DSN)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	o, err := feedcheck.Read(ctx, f.load.Dialect, db, f.load.Tables)
	if err != nil {
		return nil, err
	}
	return feedcheck.Check(ctx, o, f.check)
}

func trial(ctx context.Context, f *flags, stop <-chan struct{}) (*feedcheck.Report, error) {
	s, report, err := feedcheck.Trial(ctx, feedcheck.TrialOptions{Load: f.load, Check: f.check, Slot: f.slot, Stop: stop})
	summary(s)
	return report, err
}

func summary(s *feedcheck.Summary) {
	if s == nil {
		return
	}
	rate := float64(s.Rows) / s.Took.Seconds()
	fmt.Fprintf(os.Stderr, "workload: %d committed, %d rolled back, %d unknown, %d failed; %d rows in %.1fs, %.0f rows/s\n",
		s.Committed, s.RolledBack, s.Unknown, s.Failed, s.Rows, s.Took.Seconds(), rate)
}
