package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"outferry/configs"
	"outferry/internal/logging"
	"outferry/outbox"
)

// aim is what the commands about one pipeline have in common: which one, how to answer, and whether to ask.
type aim struct {
	config []string
	set    []string
	output string
	yes    bool
}

const aimExits = "Exit codes: 0 done, 1 runtime error, 2 usage or configuration, 3 refused, or database or Kafka can't be had,\n4 position lost."

func (a *aim) readFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&a.config, "config", "c", nil, "pipeline file or directory, repeatable (default $OUTFERRY_CONFIG_YAML, $OUTFERRY_CONFIG or outferry.yaml)")
	cmd.Flags().StringArrayVar(&a.set, "set", nil, "set one option, as kafka.brokers=localhost:9092 (flag > environment > file)")
}

func (a *aim) outputFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.output, "output", "o", "table", "table or json")
}

func (a *aim) writeFlags(cmd *cobra.Command) {
	a.readFlags(cmd)
	a.outputFlag(cmd)
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "don't ask")
}

// find loads the files and returns the pipeline of that name.
func (a *aim) find(name string) (*configs.Pipeline, hclog.Logger, error) {
	if a.output != "" && a.output != "table" && a.output != "json" {
		return nil, nil, &exitError{code: 2, err: fmt.Errorf("--output: want table or json, got %q", a.output)}
	}
	loaded, err := load(a.config, configs.Options{Set: a.set})
	if err != nil {
		return nil, nil, a.hint(err)
	}
	var names []string
	for _, p := range loaded.Pipelines {
		if p.Name == name {
			return p, quiet(loaded.Service.Log), nil
		}
		names = append(names, p.Name)
	}
	return nil, nil, &exitError{code: 2, err: fmt.Errorf("no pipeline is called %q; there is: %s", name, strings.Join(names, ", "))}
}

// hint says how to name a file where none was named and none is there.
func (a *aim) hint(err error) error {
	looked := paths(a.config)
	if len(a.config) > 0 || len(looked) == 0 || os.Getenv("OUTFERRY_CONFIG") != "" {
		return err
	}
	if _, missing := os.Stat(looked[0]); missing == nil {
		return err
	}
	return &exitError{code: 2, err: errors.New("name the pipeline's file: --config configs/mysql.yaml, or OUTFERRY_CONFIG")}
}

// quiet is for a command, which says itself what it does.
func quiet(cfg configs.Log) hclog.Logger {
	if cfg.Level == "info" {
		cfg.Level = "warn"
	}
	return logging.New(cfg, os.Stderr)
}

// confirm asks a person to type the pipeline's name. Nobody is asked with --yes, and nobody can be asked without
// a terminal.
func (a *aim) confirm(ctx context.Context, cmd *cobra.Command, name string) error {
	if a.yes {
		return nil
	}
	refused := &outbox.Fault{Code: "offsets.unconfirmed", Class: outbox.Environment, Err: fmt.Errorf("change pipeline %s: not confirmed, nothing was changed", name), Remedy: "add --yes"}
	if f, ok := cmd.InOrStdin().(*os.File); !ok || !logging.IsTerminal(f) {
		return refused
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Type %s to go on: ", name)
	typed := make(chan string, 1)
	go func() { // ends with the terminal's next line, or with the process
		line, _ := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
		typed <- line
	}()
	select {
	case <-ctx.Done():
		return refused
	case line := <-typed:
		if strings.TrimSpace(line) != name {
			return refused
		}
	}
	return nil
}

// tell says on standard error what a change means.
func tell(cmd *cobra.Command, name string, says []string) {
	for _, s := range says {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", name, s)
	}
}

// interruptible ends with the first SIGINT or SIGTERM, also while a person is asked.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	return signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
}
