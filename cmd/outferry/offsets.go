package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"outferry/pipeline"
	"outferry/walstream"
)

func newOffsetsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "offsets",
		Short:   "Show and change where a pipeline stands",
		Long:    "Show and change where a pipeline stands.\n\n" + aimExits,
		Example: "  outferry offsets show posts --config configs/postgres.yaml",
	}
	cmd.AddCommand(newShowCommand(), newSetCommand(), newResetCommand(), newExportCommand(), newImportCommand())
	return cmd
}

func newSetCommand() *cobra.Command {
	var a aim
	var lsn string
	var target pipeline.Target
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Move a stopped pipeline to another position, or accept a gap",
		Long: `Move a stopped pipeline to another position, or accept a gap.

  --lsn X/Y      everything committed before X/Y counts as published
  --from-slot    go on from where the slot was confirmed (its confirmed_flush_lsn)
  --now          go on from the end of the server's WAL
  --accept-gap   allow one of these to skip rows; alone, after a lost or moved slot: go on from the slot as it
                 is now, or from a new one (and a new publication) where it is gone

What is skipped or comes again is said before anything is changed. A running pipeline is refused.

` + aimExits,
		Example: "  outferry offsets set posts --from-slot --config configs/postgres.yaml\n  outferry offsets set posts --accept-gap --yes --config configs/postgres.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := parseTarget(&target, lsn, cmd.Flags().Changed("lsn")); err != nil {
				return &exitError{code: 2, err: err}
			}
			return a.move(cmd, args[0], func(ctx context.Context, c *pipeline.Claim) (*pipeline.Move, error) { return c.Plan(ctx, target) })
		},
	}
	a.writeFlags(cmd)
	cmd.Flags().StringVar(&lsn, "lsn", "", "the place in the WAL, as in 0/16B3748")
	cmd.Flags().BoolVar(&target.FromSlot, "from-slot", false, "where the slot was confirmed")
	cmd.Flags().BoolVar(&target.Now, "now", false, "the end of the server's WAL")
	cmd.Flags().BoolVar(&target.AcceptGap, "accept-gap", false, "skip rows")
	cmd.MarkFlagsMutuallyExclusive("lsn", "from-slot", "now")
	cmd.MarkFlagsOneRequired("lsn", "from-slot", "now", "accept-gap")
	return cmd
}

func parseTarget(t *pipeline.Target, lsn string, named bool) (err error) {
	if !named {
		return nil
	}
	if t.LSN, err = walstream.ParseLSN(lsn); err == nil && t.LSN == 0 {
		err = errors.New("--lsn 0/0 is no place in the WAL")
	}
	return err
}

// moved is a move that was made.
type moved struct {
	Pipeline string `json:"pipeline"`
	*pipeline.Move
}

func (m moved) table(w io.Writer) {
	if m.Nothing {
		fmt.Fprintf(w, "%s: nothing to do: %s\n", m.Pipeline, strings.Join(m.Says, "; "))
		return
	}
	fmt.Fprintf(w, "%s: moved from %s to %s\n", m.Pipeline, m.From, m.To)
}

// move claims the pipeline, thinks a move through, asks, and makes it.
func (a *aim) move(cmd *cobra.Command, name string, plan func(context.Context, *pipeline.Claim) (*pipeline.Move, error)) error {
	cfg, log, err := a.find(name)
	if err != nil {
		return err
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	c, err := pipeline.Take(ctx, cfg, log, pipeline.Without{})
	if err != nil {
		return give(cmd, a.output, nil, err)
	}
	defer c.Close()
	m, err := plan(ctx, c)
	if err != nil {
		return give(cmd, a.output, nil, err)
	}
	if err := a.make(ctx, cmd, name, c, m); err != nil {
		return give(cmd, a.output, nil, err)
	}
	return give(cmd, a.output, moved{name, m}, nil)
}

// make asks where rows are at stake, and makes a move.
func (a *aim) make(ctx context.Context, cmd *cobra.Command, name string, c *pipeline.Claim, m *pipeline.Move) error {
	if m.Nothing {
		return nil
	}
	tell(cmd, name, m.Says)
	if !m.Harmless() {
		if err := a.confirm(ctx, cmd, name); err != nil {
			return err
		}
	}
	return c.Apply(ctx, m)
}
