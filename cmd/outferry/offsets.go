package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"outferry/configs"
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
	fits := func(cfg *configs.Pipeline) error { return target.Fits(cfg) }
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Move a stopped pipeline to another position, or accept a gap",
		Long: `Move a stopped pipeline to another position, or accept a gap.

  --now          go on from the end of the server's log
  --accept-gap   allow a move to skip rows; alone, when a start refuses: go on from the slot as it is now, or
                 from a new one (and a new publication) where it is gone; on MySQL and MariaDB from what is left
                 of a purged log, else from its end

PostgreSQL:
  --lsn X/Y      everything committed before X/Y counts as published
  --from-slot    go on from where the slot was confirmed (its confirmed_flush_lsn)

MySQL and MariaDB:
  --gtid SET     the transactions of SET count as published, and no others
  --file F --pos N   everything before the place in the log counts as published, where the server has no GTIDs,
                 source.mysql.position is file, or the stored position is such a place

What is skipped or comes again is said before anything is changed. A running pipeline is refused.

` + aimExits,
		Example: "  outferry offsets set posts --from-slot --config configs/postgres.yaml\n  outferry offsets set posts --accept-gap --yes --config configs/postgres.yaml\n  outferry offsets set blog --gtid 0-1-270 --config configs/mysql.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := notEmpty(cmd, "lsn", "gtid", "file")
			if err == nil {
				err = parseTarget(&target, lsn, cmd.Flags().Changed("lsn"))
			}
			if err != nil {
				return &exitError{code: 2, err: err}
			}
			return a.move(cmd, args[0], fits, func(ctx context.Context, c *pipeline.Claim) (*pipeline.Move, error) { return c.Plan(ctx, target) })
		},
	}
	a.writeFlags(cmd)
	cmd.Flags().StringVar(&lsn, "lsn", "", "the place in the WAL, as in 0/16B3748")
	cmd.Flags().BoolVar(&target.FromSlot, "from-slot", false, "where the slot was confirmed")
	cmd.Flags().StringVar(&target.GTID, "gtid", "", "the GTID set that counts as published")
	cmd.Flags().StringVar(&target.File, "file", "", "with --pos: a file of the binary log")
	cmd.Flags().Uint64Var(&target.Pos, "pos", 0, "with --file: where in it a transaction begins")
	cmd.Flags().BoolVar(&target.Now, "now", false, "the end of the server's log")
	cmd.Flags().BoolVar(&target.AcceptGap, "accept-gap", false, "skip rows")
	cmd.MarkFlagsMutuallyExclusive("lsn", "from-slot", "gtid", "file", "now")
	cmd.MarkFlagsRequiredTogether("file", "pos")
	cmd.MarkFlagsOneRequired("lsn", "from-slot", "gtid", "file", "now", "accept-gap")
	return cmd
}

// notEmpty: what a script left empty must not mean another command.
func notEmpty(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return fmt.Errorf("--%s is empty", name)
		}
	}
	return nil
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

// move claims the pipeline, thinks a move through, asks, and makes it. Fits says what is wrong before anything is
// touched; it may be nil.
func (a *aim) move(cmd *cobra.Command, name string, fits func(*configs.Pipeline) error, plan func(context.Context, *pipeline.Claim) (*pipeline.Move, error)) error {
	cfg, log, err := a.find(name)
	if err != nil {
		return err
	}
	if fits != nil {
		if err := fits(cfg); err != nil {
			return &exitError{code: 2, err: err}
		}
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	c, err := pipeline.Take(ctx, cfg, log, pipeline.Without{})
	if err != nil {
		return a.give(cmd, name, nil, err)
	}
	defer c.Close()
	m, err := plan(ctx, c)
	if err != nil {
		return a.give(cmd, name, nil, err)
	}
	if err := a.make(ctx, cmd, name, c, m); err != nil {
		return a.give(cmd, name, nil, err)
	}
	return a.give(cmd, name, moved{name, m}, nil)
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
