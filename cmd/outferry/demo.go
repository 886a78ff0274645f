package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/signal"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"outferry/configs"
	"outferry/internal/demo"
	"outferry/internal/logging"
	"outferry/pipeline"
)

func newDemoCommand() *cobra.Command {
	options := demo.Options{Out: os.Stdout}
	var level string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show rows of a PostgreSQL arriving in Kafka, with servers of its own",
		Long: `Show rows of a PostgreSQL arriving in Kafka, with servers of its own.

Nothing is needed and nothing is left behind: a PostgreSQL (the machine's own programs, or an archive that
is fetched once), a broker in memory, a small blog that writes, and the real pipeline between them. Ctrl-C
ends it.

Exit codes: 0 done or stopped on request, 1 runtime error, 2 usage, 3 PostgreSQL can't be had, 4 position lost.`,
		Example: "  outferry demo\n  outferry demo --rows 20 --rate 10",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkDemo(options, level); err != nil {
				return err
			}
			options.Color = logging.IsTerminal(os.Stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
			options.Log = logging.New(configs.Log{Level: level, Format: "text"}, os.Stderr)
			return runDemo(options)
		},
	}
	cmd.Flags().IntVar(&options.Rows, "rows", 0, "end after so many rows have arrived; 0 goes on until Ctrl-C")
	cmd.Flags().Float64Var(&options.Rate, "rate", 3, "rows per second, at most 10000")
	cmd.Flags().StringVar(&level, "log-level", "warn", "of the pipeline: trace, debug, info, warn or error")
	return cmd
}

func checkDemo(o demo.Options, level string) error {
	switch {
	case o.Rows < 0:
		return fmt.Errorf("--rows: want 0 or more, got %d", o.Rows)
	case math.IsNaN(o.Rate) || o.Rate < 0.001 || o.Rate > 10000:
		return fmt.Errorf("--rate: want 0.001 to 10000 rows per second, got %g", o.Rate)
	case hclog.LevelFromString(level) == hclog.NoLevel:
		return fmt.Errorf("--log-level: want trace, debug, info, warn or error, got %q", level)
	}
	return nil
}

// runDemo ends with the first signal. More of them change nothing: an end in a hurry would leave a server's
// directory behind, and the orderly one takes no longer than a few seconds.
func runDemo(o demo.Options) error {
	signal.Ignore(syscall.SIGPIPE) // or "outferry demo | head" would leave that directory too
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := demo.Run(ctx, o); err != nil {
		return &exitError{code: pipeline.ExitCode(err), err: err}
	}
	return nil
}
