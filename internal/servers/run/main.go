// Command run starts the shared servers of a test run, runs a command that finds them through
// OUTFERRY_TEST_SERVERS, ends them, and exits as the command did.
//
//	go run ./internal/servers/run -postgres 15,18 -kafka -- go test ./...
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"outferry/internal/servers"
)

func main() {
	postgres := flag.String("postgres", "", "major versions of PostgreSQL, as in 15,18")
	kafka := flag.Bool("kafka", false, "start Apache Kafka")
	mysql := flag.String("mysql", "", "versions of MySQL and MariaDB, as in 8.0,9,mariadb10,mariadb11")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: run [-postgres 15,18] [-kafka] [-mysql 8.0] -- COMMAND...")
		os.Exit(2)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	share := func() (servers.Shared, error) { return servers.Share(*postgres, *kafka, *mysql) }
	code, err := run(share, flag.Args(), signals)
	servers.EndAll()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
	}
	os.Exit(code)
}

func run(share func() (servers.Shared, error), command []string, signals <-chan os.Signal) (code int, err error) {
	started := make(chan error, 1)
	var shared servers.Shared
	go func() {
		var err error
		shared, err = share()
		started <- err
	}()
	select {
	case err = <-started:
	case s := <-signals:
		return 130, fmt.Errorf("%s while the servers started", s)
	}
	if err != nil {
		return 1, err
	}
	return runCommand(command, shared, signals)
}

// runCommand passes SIGTERM on. A Ctrl-C has reached the command already: we share its terminal.
func runCommand(command []string, shared servers.Shared, signals <-chan os.Signal) (code int, err error) {
	file, err := shared.Write()
	if err != nil {
		return 1, err
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), servers.SharedVariable+"="+file)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGTERM {
				_ = cmd.Process.Signal(s)
			}
		case err := <-done:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return max(exit.ExitCode(), 1), nil
			}
			return 0, err
		}
	}
}
