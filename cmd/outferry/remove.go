package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"outferry/configs"
	"outferry/pipeline"
)

// steps is what a reset or a removal did.
type steps struct {
	Pipeline string          `json:"pipeline"`
	Steps    []pipeline.Step `json:"steps"`
}

func (s steps) table(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for _, st := range s.Steps {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", st.What, st.Name, st.Done, st.Reason)
	}
}

func newResetCommand() *cobra.Command {
	var a aim
	cmd := &cobra.Command{
		Use:   "reset NAME",
		Short: "Forget a stopped pipeline's position, so that the next run is a first start",
		Long: `Forget a stopped pipeline's position, so that the next run is a first start. The offset record and, on
PostgreSQL, the slot go; the publication stays. With source.snapshot: initial the next run publishes every row that is in the
tables again; with no_data it begins where the log ends then, and what was committed meanwhile is skipped.

` + aimExits,
		Example: "  outferry offsets reset posts --yes --config configs/postgres.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.takeDown(cmd, args[0], pipeline.Without{}, sayReset, (*pipeline.Claim).Reset)
		},
	}
	a.writeFlags(cmd)
	return cmd
}

func sayReset(cfg *configs.Pipeline) []string {
	says := []string{"the offset record and the group go"}
	if cfg.Source.Type == "postgres" && cfg.Source.Postgres.Create {
		says = append(says, "slot "+cfg.Source.Postgres.Slot+" is dropped, with the WAL that it keeps")
	}
	if cfg.Source.Snapshot == "no_data" {
		return append(says, "the next run begins where the log ends then: rows committed and not published until then are skipped")
	}
	return append(says, "the next run publishes every row that is in the tables, those that were published included")
}

func newRemoveCommand() *cobra.Command {
	var a aim
	var without pipeline.Without
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a stopped pipeline down for good: slot, publication, offset record",
		Long: `Take a stopped pipeline down for good: on PostgreSQL slot and publication (one of our name only, and not
with source.postgres.create: false), then offset record and group. On MySQL and MariaDB nothing is kept. Topics with events stay. What is gone already is said,
and is no error. A forgotten slot keeps WAL until the database's disk is full.

` + aimExits,
		Example: "  outferry remove posts --yes --config configs/postgres.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if without.Database && without.Kafka {
				return &exitError{code: 2, err: errors.New("--skip-database and --skip-kafka together leave nothing to do")}
			}
			says := func(cfg *configs.Pipeline) []string { return sayRemove(cfg, without) }
			return a.takeDown(cmd, args[0], without, says, (*pipeline.Claim).Remove)
		},
	}
	a.writeFlags(cmd)
	cmd.Flags().BoolVar(&without.Database, "skip-database", false, "the database is gone for good")
	cmd.Flags().BoolVar(&without.Kafka, "skip-kafka", false, "Kafka is gone for good")
	return cmd
}

func sayRemove(cfg *configs.Pipeline, without pipeline.Without) (says []string) {
	pg := cfg.Source.Postgres
	switch {
	case cfg.Source.Type != "postgres":
		says = append(says, "nothing is kept on the database's server: what is not published yet is never published")
	case without.Database:
		says = append(says, "the database is left alone: if it still exists, slot "+pg.Slot+" keeps WAL for ever")
	default:
		says = append(says, "slot "+pg.Slot+" and the pipeline's own publication go: what is not published yet is never published")
	}
	if without.Kafka {
		return append(says, "Kafka is left alone: if it still exists, topic "+cfg.Offsets.Topic+" keeps the position")
	}
	return append(says, "the offset record and the group go")
}

// takeDown claims a pipeline, asks, and does it. Steps that were done before a failure are shown with it.
func (a *aim) takeDown(cmd *cobra.Command, name string, without pipeline.Without, says func(*configs.Pipeline) []string,
	do func(*pipeline.Claim, context.Context) ([]pipeline.Step, error)) error {
	cfg, log, err := a.find(name)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	c, err := pipeline.Take(ctx, cfg, log, without)
	if err != nil {
		return a.give(cmd, name, nil, err)
	}
	defer c.Close()
	tell(cmd, name, says(cfg))
	if err := a.confirm(ctx, cmd, name); err != nil {
		return a.give(cmd, name, nil, err)
	}
	done, err := do(c, ctx)
	return a.give(cmd, name, steps{name, done}, err)
}
