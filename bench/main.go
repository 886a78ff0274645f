// Command bench measures Outferry beside the raw log readers, a bare producer and, with -debezium, Kafka Connect, on real servers that it
// starts. docs/benchmarks.md says what is measured and how.
//
//	go run ./bench
//	go run ./bench -engines postgres15 -shapes 1-row,1KiB -rounds 5
//	go run ./bench -plot bench/results/2026-11-24-120000.json
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"outferry/internal/bench"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "child" {
		exit(child(os.Args[2]))
	}
	o := bench.Options{}
	engines := flag.String("engines", "postgres15,mysql8.0,mariadb10", "databases, as in postgres15,mysql8.0,mariadb10")
	shapes := flag.String("shapes", "200B,1KiB,1-row", "what the outbox holds; all, or names of: "+strings.Join(bench.ShapeNames(), ","))
	flag.IntVar(&o.Rows, "rows", 1_200_000, "rows of a backlog at 200 bytes, twice as many on MySQL and MariaDB; what takes longer to write has fewer")
	flag.IntVar(&o.Rounds, "rounds", 3, "rounds; in each every subject runs once, in turn")
	paces := flag.String("rates", "500,2000", "rows a second for the latency runs, 70% is of the capacity measured in this run; empty for none")
	flag.DurationVar(&o.Time, "time", 15*time.Second, "of each latency run")
	flag.BoolVar(&o.Cold, "cold", true, "cold start and idle too")
	flag.BoolVar(&o.Debezium, "debezium", false, "Kafka Connect with Debezium too")
	flag.BoolVar(&o.Compressions, "compressions", false, "Outferry with none, snappy and zstd too")
	out := flag.String("out", "bench/results", "directory of the result")
	plot := flag.String("plot", "", "print and plot a result that is there already, and measure nothing")
	limit := flag.Duration("timeout", 6*time.Hour, "of the whole")
	flag.Parse()
	if *plot != "" {
		exit(show(*plot))
	}
	o.Engines, o.Shapes, o.Rates = list(*engines), list(*shapes), list(*paces)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	ctx, stop := context.WithTimeout(ctx, *limit)
	defer stop()
	exit(measure(ctx, o, *out))
}

func list(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(arg string) error {
	var c bench.Child
	if err := json.Unmarshal([]byte(arg), &c); err != nil {
		return err
	}
	return c.Run(context.Background())
}

// measure writes what was measured also when it was cut short.
func measure(ctx context.Context, o bench.Options, out string) error {
	at := commit() // not when it ends: somebody may go on working
	result, failed := bench.Measure(ctx, o, os.Stderr)
	if result == nil || len(result.Runs) == 0 {
		return failed
	}
	result.Commit, result.Command = at, "go run ./bench "+strings.Join(quoted(os.Args[1:]), " ")
	if err := result.Print(os.Stdout); err != nil {
		return err
	}
	path, err := result.Write(out)
	if err != nil {
		return err
	}
	fmt.Println("\nwritten to", path)
	if failed == nil {
		failed = result.Faults()
	}
	return errors.Join(failed, result.Plot(strings.TrimSuffix(path, ".json")))
}

func quoted(args []string) (q []string) {
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " '\"") {
			a = strconv.Quote(a)
		}
		q = append(q, a)
	}
	return q
}

func commit() string {
	b, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

func show(path string) error {
	result, err := bench.ReadResult(path)
	if err != nil {
		return err
	}
	if err := result.Print(os.Stdout); err != nil {
		return err
	}
	return result.Plot(strings.TrimSuffix(path, ".json"))
}
