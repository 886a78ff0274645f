package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"outferry/internal/feedcheck"
)

// flags are those of all three verbs; each takes what it has a use for.
type flags struct {
	set   *flag.FlagSet
	load  feedcheck.LoadOptions
	check feedcheck.CheckOptions
	slot  string

	types, brokers, headers string
	seed                    uint64
	json                    bool
	minInstances            int64
	minAborted              int64
}

func newFlags(verb string) *flags {
	f := &flags{set: flag.NewFlagSet(verb, flag.ContinueOnError)}
	f.load.Spec = feedcheck.DefaultSpec(1)
	f.set.StringVar(&f.load.DSN, "dsn", "", "the database, postgres://..., mysql://... or mariadb://...")
	f.set.StringVar(&f.load.Tables.Outbox, "outbox", "outbox", "outbox table")
	f.set.StringVar(&f.load.Tables.Prefix, "tables", "feed", "prefix of the checker's own tables")
	f.set.StringVar(&f.load.Tables.Payload, "payload", "text", "type of the payload column where the table is made: text, jsonb, longtext")
	if verb != "load" {
		f.set.StringVar(&f.brokers, "brokers", "localhost:9092", "comma-separated")
		f.set.StringVar(&f.check.OffsetsTopic, "offsets-topic", "outferry-offsets", "- for a feed without offset records")
	}
	if verb == "load" || verb == "trial" {
		f.loadFlags()
	}
	if verb == "check" || verb == "trial" {
		f.checkFlags()
	}
	if verb == "trial" {
		f.set.StringVar(&f.slot, "slot", "", "also sample this replication slot")
	}
	return f
}

func (f *flags) loadFlags() {
	s := &f.load.Spec
	f.set.Uint64Var(&f.seed, "seed", 1, "determines every transaction")
	f.set.IntVar(&s.Writers, "writers", s.Writers, "connections that write")
	f.set.IntVar(&s.Keys, "keys", s.Keys, "keys in the shared pool")
	f.set.IntVar(&s.Rows, "rows", s.Rows, "rows in a transaction, at most")
	f.set.IntVar(&s.PadMin, "pad-min", s.PadMin, "filling of a payload, at least")
	f.set.IntVar(&s.PadMax, "pad-max", s.PadMax, "filling of a payload, at most")
	f.set.IntVar(&s.BigEvery, "big-every", s.BigEvery, "one in so many transactions of a writer is big; 0 none")
	f.set.IntVar(&s.BigRows, "big-rows", s.BigRows, "rows in a big transaction")
	f.set.IntVar(&s.Hot, "hot", s.Hot, "percent of transactions on one hot key")
	f.set.IntVar(&s.Once, "once", s.Once, "percent of transactions on keys of their own")
	f.set.IntVar(&s.Deletes, "deletes", s.Deletes, "percent of rows deleted in their own transaction")
	f.set.IntVar(&s.Rollback, "rollback", s.Rollback, "percent of transactions rolled back")
	f.set.IntVar(&s.Savepoint, "savepoint", s.Savepoint, "percent with a savepoint rolled back")
	f.set.IntVar(&s.TwoPhase, "two-phase", s.TwoPhase, "percent prepared first")
	f.set.IntVar(&s.Cut, "cut", s.Cut, "percent whose connection is cut around the commit")
	f.set.StringVar(&f.types, "types", strings.Join(s.Types, ","), "aggregate types")
	f.set.Int64Var(&f.load.Transactions, "transactions", 0, "stop after so many; 0 no limit")
	f.set.DurationVar(&f.load.Duration, "duration", 0, "stop after so long; 0 no limit")
	f.set.Float64Var(&f.load.Rate, "rate", 0, "transactions a second; 0 as fast as it goes")
	f.set.DurationVar(&f.load.Patience, "db-patience", 0, "how long the database may be away (default 1m)")
}

func (f *flags) checkFlags() {
	r := &f.check.Rules
	f.set.StringVar(&r.TopicPrefix, "topics", "outbox.event.", "prefix of the event topics")
	f.set.StringVar(&f.check.Pipeline, "pipeline", "", "name of the pipeline")
	f.set.BoolVar(&r.AtLeastOnce, "at-least-once", false, "replays are allowed")
	f.set.BoolVar(&r.JSONB, "jsonb", false, "the payload column is jsonb: compare by meaning")
	f.set.StringVar(&f.headers, "headers", "", "more headers, as in eventType=type,kind=aggregatetype")
	f.set.BoolVar(&r.AnyHeaders, "any-headers", false, "allow headers that nobody named")
	f.set.BoolVar(&r.AnyPartition, "any-partition", false, "a key may be in any one partition")
	f.set.BoolVar(&r.AnyOrder, "any-order", false, "don't check order: a backlog was taken as a snapshot")
	f.set.BoolVar(&r.AnyTime, "any-time", false, "don't check timestamps")
	f.set.BoolVar(&r.AllowGhosts, "allow-ghosts", false, "the database was made to lose commits")
	f.set.DurationVar(&f.check.Patience, "patience", 0, "give up waiting for rows when none came for so long (default 30s)")
	f.set.BoolVar(&f.json, "json", false, "print the report as JSON")
	f.set.Int64Var(&f.minInstances, "min-instances", 0, "VACUOUS unless so many instances wrote offset records")
	f.set.Int64Var(&f.minAborted, "min-aborted", 0, "VACUOUS unless so many records were aborted")
}

func (f *flags) parse(args []string) error {
	if err := f.set.Parse(args); err != nil {
		return err
	}
	switch {
	case f.set.NArg() > 0:
		return fmt.Errorf("unexpected %q", f.set.Arg(0))
	case f.load.DSN == "":
		return errors.New("-dsn is missing")
	case f.set.Lookup("pipeline") != nil && f.check.OffsetsTopic != "-" && f.check.Pipeline == "":
		return errors.New("-pipeline is missing; -offsets-topic - for a feed that has no offset records")
	}
	f.load.Dialect = feedcheck.DialectOf(f.load.DSN)
	if f.types != "" {
		f.load.Spec.Seed, f.load.Spec.Types = f.seed, strings.Split(f.types, ",")
	}
	f.check.Kafka = feedcheck.Brokers(strings.Split(f.brokers, ",")...)
	f.check.Rules.Headers = map[string]string{}
	for _, pair := range strings.FieldsFunc(f.headers, func(r rune) bool { return r == ',' }) {
		name, column, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("-headers %s: want header=column", pair)
		}
		f.check.Rules.Headers[name] = column
	}
	return nil
}

func (f *flags) print(report *feedcheck.Report) int {
	if report == nil {
		return exitOK
	}
	report.Require("instances", int64(report.Stats.Instances), f.minInstances)
	report.Require("records of aborted transactions", report.Stats.AbortedRecords, f.minAborted)
	if f.json {
		fmt.Println(string(report.JSON()))
	} else {
		fmt.Fprint(os.Stdout, report)
	}
	if !report.OK() {
		return exitWrong
	}
	return exitOK
}
