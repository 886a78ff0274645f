// Command outferry ferries committed rows of outbox tables to Kafka. Each subcommand has its own file: flags,
// signals and exit codes, and nothing else.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run(os.Args[1:])) }

// run executes a command line and returns the exit code: 0 done or stopped on request (130: a benchmark), 1 runtime, 2 usage or
// configuration, 3 environment, 4 position lost.
func run(args []string) int {
	root := newRootCommand()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return 0
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: 2, err: err} // cobra's own: an unknown command or flag
	}
	if exit.err != nil {
		fmt.Fprintln(os.Stderr, "outferry: "+exit.err.Error())
	}
	return exit.code
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "outferry",
		Short:         "Ferry committed outbox rows from PostgreSQL, MySQL or MariaDB to Kafka, exactly once",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newRunCommand(), newValidateCommand(), newSchemaCommand(), newExplainCommand())
	root.AddCommand(newOffsetsCommand(), newRemoveCommand())
	root.AddCommand(newDemoCommand(), newBenchCommand())
	return root
}
