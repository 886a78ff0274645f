package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"outferry/configs"
	workload "outferry/internal/bench/load"
)

// benchOptions say how much is written, and how.
type benchOptions struct {
	config   []string // options set over the file
	output   string
	writeURL string
	rows     int
	rate     int
	size     int
	perTx    int
	duration time.Duration
}

func newBenchCommand() *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench FILE",
		Short: "Measure throughput and latency on your own database and Kafka",
		Long: `Measure throughput and latency on your own database and Kafka: where the pipeline of FILE connects to, with its commit
and delivery settings. A table outferry_bench, a pipeline outferry-bench and topics outferry-bench.* are made, and taken away at the end; where one
of those names is there already nothing is done. First a backlog is written and drained, then rows are written at a rate. Every record is read back
and checked.

The account of the pipeline must be allowed to make the table. On MySQL and MariaDB it usually is not: give another with --write-url,
and let the first one read what is not there yet: GRANT SELECT ON the whole schema.

Exit codes: 0 done, 1 runtime error or a record that is wrong, 2 usage or configuration, 3 refused, or database or Kafka can't be had,
130 interrupted.`,
		Example: "  outferry bench configs/postgres.yaml\n  outferry bench configs/postgres.yaml --rows 0 --rate 2000 --duration 1m",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return &exitError{code: exitConfig, err: err}
			}
			return o.run(cmd, args[0])
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.rows, "rows", 100_000, "rows of the backlog; 0 for none")
	f.IntVar(&o.rate, "rate", 500, "rows per second for the latency; 0 for none")
	f.DurationVar(&o.duration, "duration", 20*time.Second, "how long to write at that rate")
	f.IntVar(&o.size, "size", 1024, "bytes of a payload")
	f.IntVar(&o.perTx, "rows-per-transaction", 1, "rows that are committed together")
	f.StringVar(&o.writeURL, "write-url", "", "address with the account that makes and writes the table (default: the pipeline's own)")
	f.StringArrayVar(&o.config, "set", nil, "set one option of the file, as kafka.brokers=localhost:9092")
	f.StringVarP(&o.output, "output", "o", "table", "table or json")
	return cmd
}

func (o *benchOptions) check() error {
	switch {
	case o.rows < 0 || o.rows > 100_000_000:
		return fmt.Errorf("--rows: want 0 to 100000000, got %d", o.rows)
	case o.rate < 0 || o.rate > 1_000_000:
		return fmt.Errorf("--rate: want 0 to 1000000 rows per second, got %d", o.rate)
	case o.rows == 0 && o.rate == 0:
		return errors.New("--rows 0 and --rate 0 together leave nothing to do")
	case o.size < 64 || o.size > 512<<10:
		return fmt.Errorf("--size: want 64 to 524288 bytes, got %d", o.size)
	case o.perTx < 1 || o.perTx > 1000:
		return fmt.Errorf("--rows-per-transaction: want 1 to 1000, got %d", o.perTx)
	case o.duration < time.Second || o.duration > 24*time.Hour:
		return fmt.Errorf("--duration: want 1s to 24h, got %s", o.duration)
	case o.output != "table" && o.output != "json":
		return fmt.Errorf("--output: want table or json, got %q", o.output)
	}
	return nil
}

func (o *benchOptions) run(cmd *cobra.Command, path string) error {
	set, err := loadOne(path, o.config)
	if err != nil {
		return err
	}
	b, err := newBenchmark(set, o, cmd.ErrOrStderr())
	if err != nil {
		return &exitError{code: exitConfig, err: err}
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	result, err := b.measure(ctx)
	if result == nil {
		return give(cmd, o.output, nil, err)
	}
	return give(cmd, o.output, result, err)
}

// loadOne loads a file that holds one pipeline.
func loadOne(path string, set []string) (*configs.Set, error) {
	loaded, err := load([]string{path}, configs.Options{Set: set})
	if err != nil {
		return nil, err
	}
	if n := len(loaded.Pipelines); n != 1 {
		return nil, &exitError{code: exitConfig, err: fmt.Errorf("%s holds %d pipelines, want one", path, n)}
	}
	return loaded, nil
}

// benchResult is what was measured.
type benchResult struct {
	Rows        int                 `json:"rows"`
	Seconds     float64             `json:"drain_seconds,omitempty"`
	PerSecond   float64             `json:"drain_events_per_second,omitempty"`
	First       float64             `json:"seconds_to_first_event,omitempty"`
	Wanted      int                 `json:"rate_wanted,omitempty"`
	Written     float64             `json:"rate_written,omitempty"`
	Latency     *workload.Quantiles `json:"latency_ms,omitempty"`
	LoadAverage string              `json:"load_average,omitempty"`
}

func (r *benchResult) table(out io.Writer) {
	if r.PerSecond > 0 {
		fmt.Fprintf(out, "backlog   %d rows in %.2f s from the start: %.0f events/s; the first after %.2f s\n", r.Rows, r.Seconds, r.PerSecond, r.First)
	}
	if q := r.Latency; q != nil {
		fmt.Fprintf(out, "latency   %.0f rows/s of %d wanted: p50 %.1f ms, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f\n", r.Written, r.Wanted, q.P50, q.P90, q.P99, q.P999, q.Max)
	}
	fmt.Fprintln(out, "checked   every row was there once, and in order for each key")
	if r.LoadAverage != "" {
		fmt.Fprintln(out, "load      "+r.LoadAverage+" (average of this machine, before)")
	}
}

func announce(out io.Writer, format string, args ...any) {
	fmt.Fprintf(out, "bench: "+format+"\n", args...)
}

var errBenchEnded = errors.New("the pipeline ended")
