// Command run starts the shared servers of a test run, runs a command that finds them through
// OUTFERRY_TEST_SERVERS, ends them, and exits as the command did.
//
//	go run ./internal/servers/run -postgres 15,18 -kafka -- go test ./...
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"outferry/internal/servers"
)

func main() {
	postgres := flag.String("postgres", "", "major versions of PostgreSQL, as in 15,18")
	kafka := flag.Bool("kafka", false, "start Apache Kafka")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: run [-postgres 15,18] [-kafka] -- COMMAND...")
		os.Exit(2)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	code, err := run(*postgres, *kafka, flag.Args(), signals)
	servers.EndAll()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
	}
	os.Exit(code)
}

func run(postgres string, kafka bool, command []string, signals <-chan os.Signal) (code int, err error) {
	versions, err := servers.ParseVersions(postgres)
	if err != nil {
		return 2, fmt.Errorf("-postgres %s: %w", postgres, err)
	}
	started := make(chan error, 1)
	var shared servers.Shared
	go func() {
		var err error
		shared, err = start(versions, kafka)
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

// start starts all servers at once.
func start(versions []int, kafka bool) (servers.Shared, error) {
	shared := servers.Shared{Postgres: map[int]int{}}
	var all sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	begin := func(one func() error) {
		all.Go(func() {
			if err := one(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	for _, version := range versions {
		begin(func() error {
			port, err := servers.SharePostgres(version)
			if err != nil {
				return fmt.Errorf("postgres %d: %w", version, err)
			}
			mu.Lock()
			defer mu.Unlock()
			shared.Postgres[version] = port
			return nil
		})
	}
	if kafka {
		begin(func() (err error) {
			if shared.Kafka, err = servers.ShareKafka(); err != nil {
				return fmt.Errorf("kafka: %w", err)
			}
			return nil
		})
	}
	all.Wait()
	return shared, errors.Join(errs...)
}

// runCommand passes SIGTERM on. A Ctrl-C has reached the command already: we share its terminal.
func runCommand(command []string, shared servers.Shared, signals <-chan os.Signal) (code int, err error) {
	file, remove, err := write(shared)
	if err != nil {
		return 1, err
	}
	defer remove()
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

func write(shared servers.Shared) (file string, remove func(), err error) {
	b, err := json.Marshal(shared)
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp("", "outferry-run-")
	if err != nil {
		return "", nil, err
	}
	file = filepath.Join(dir, "servers.json")
	return file, func() { os.RemoveAll(dir) }, os.WriteFile(file, b, 0o600)
}
