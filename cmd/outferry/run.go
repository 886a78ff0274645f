package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"outferry/configs"
	"outferry/internal/logging"
	"outferry/pipeline"
	"outferry/status"
)

func newRunCommand() *cobra.Command {
	var set []string
	cmd := &cobra.Command{
		Use:   "run [FILE|DIR...]",
		Short: "Stream every pipeline of the given files until stopped",
		Long: `Stream every pipeline of the given files until stopped.

Without an argument: $OUTFERRY_CONFIG_YAML (a whole file), else $OUTFERRY_CONFIG, else outferry.yaml.
A first SIGTERM or SIGINT drains and exits 0; a second one exits at once.`,
		Example: "  outferry run configs/postgres.yaml\n  OUTFERRY__SERVICE__LOG__LEVEL=debug outferry run configs/",
		RunE: func(cmd *cobra.Command, args []string) error {
			loaded, err := load(args, configs.Options{Set: set})
			if err != nil {
				return err
			}
			return runPipelines(cmd.Context(), loaded)
		},
	}
	cmd.Flags().StringArrayVar(&set, "set", nil, "set one option, as kafka.brokers=localhost:9092 (flag > environment > file)")
	return cmd
}

// load reads pipeline files, and prints what is wrong with them.
func load(args []string, opts configs.Options) (*configs.Set, error) {
	set, findings := configs.Load(paths(args), opts)
	if err := findings.Print(os.Stderr, logging.IsTerminal(os.Stderr)); err != nil {
		return nil, &exitError{code: 1, err: err}
	}
	if findings.HasErrors() {
		return nil, &exitError{code: 2}
	}
	return set, nil
}

// paths says which files to load where none were named.
func paths(args []string) []string {
	if len(args) > 0 || os.Getenv("OUTFERRY_CONFIG_YAML") != "" {
		return args
	}
	if p := os.Getenv("OUTFERRY_CONFIG"); p != "" {
		return []string{p}
	}
	return []string{"outferry.yaml"}
}

// runPipelines lives while one pipeline runs, and ends with the worst code.
func runPipelines(parent context.Context, set *configs.Set) error {
	log := logging.New(set.Service.Log, os.Stderr)
	ctx, stop := untilSignal(parent, log)
	defer stop()
	reg := status.NewRegistry(version, set.Service.Metrics.GoRuntime)
	var ready []*pipeline.Pipeline
	for _, cfg := range set.Pipelines {
		if cfg.Enabled {
			ready = append(ready, pipeline.New(cfg, log, reg.Pipeline(cfg.Name), set.Service.ShutdownTimeout))
		}
	}
	if len(ready) == 0 {
		return &exitError{code: 2, err: errors.New("no pipeline is enabled")}
	}
	served := make(chan error, 1)
	httpCtx, stopHTTP := context.WithCancel(context.WithoutCancel(parent))
	var serving sync.WaitGroup
	serving.Go(func() { served <- status.Serve(httpCtx, set.Service.HTTP, set.Service.Metrics, reg, log) })
	err := runAll(ctx, stop, ready, served, log)
	stopHTTP()
	serving.Wait()
	return err
}

// runAll runs the pipelines side by side. An admin address that was named and can't be had stops them.
func runAll(ctx context.Context, stop func(), ready []*pipeline.Pipeline, served <-chan error, log hclog.Logger) error {
	var wg sync.WaitGroup
	ended := make(chan error, len(ready))
	for _, p := range ready {
		wg.Go(func() {
			err := p.Run(ctx)
			if err != nil {
				log.Error("pipeline stopped", "pipeline", p.Name(), "exit_code", pipeline.ExitCode(err), "error", err)
			}
			ended <- err
		})
	}
	go func() { wg.Wait(); close(ended) }()
	worst := 0
	for {
		select {
		case err := <-served:
			served = nil
			if err != nil {
				log.Error("admin address", "error", err)
				worst = max(worst, pipeline.ExitCode(err))
				stop()
			}
		case err, more := <-ended:
			if !more {
				if worst == 0 {
					return nil
				}
				return &exitError{code: worst}
			}
			worst = max(worst, pipeline.ExitCode(err))
		}
	}
}

// untilSignal returns a context that ends with the first SIGTERM or SIGINT. The second ends the process, with
// the code that the signal's default would give.
func untilSignal(parent context.Context, log hclog.Logger) (context.Context, func()) {
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for n := 0; ; n++ {
			s := (<-signals).(syscall.Signal)
			if n > 0 {
				fmt.Fprintln(os.Stderr, "outferry: stopped without draining")
				os.Exit(128 + int(s))
			}
			log.Info("stopping", "signal", s.String())
			cancel()
		}
	}()
	return ctx, cancel
}
