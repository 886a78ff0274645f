package binlog_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/outbox"
)

// BenchmarkBacklog drains a backlog of rows off a real server's log, without Kafka: with one row and with a
// hundred a transaction, small and large. CPU is that of this process.
func BenchmarkBacklog(b *testing.B) {
	for _, version := range servers.MySQLVersions(b) {
		d := servers.MySQL(b, version)
		d.Exec(b, tablesSQL+"; SET GLOBAL binlog_row_metadata = FULL; SET GLOBAL sync_binlog = 0; SET GLOBAL innodb_flush_log_at_trx_commit = 0")
		for _, c := range []struct{ rows, perTx, size int }{{100_000, 1, 200}, {200_000, 100, 200}, {200_000, 100, 1000}} {
			b.Run(fmt.Sprintf("%s/%d_a_transaction/%dB", version, c.perTx, c.size), func(b *testing.B) {
				cfg := benchFile(b, d)
				at := drain(b, cfg, nil, -1)
				fill(b, d, c.rows, c.perTx, c.size)
				for b.Loop() {
					cpu, start := processorTime(), time.Now()
					drain(b, cfg, at, c.rows)
					n := float64(c.rows)
					b.ReportMetric(n/time.Since(start).Seconds(), "rows/s")
					b.ReportMetric((processorTime()-cpu).Seconds()*1e6/n, "cpu-s/Mrow")
				}
			})
		}
	}
}

func benchFile(b *testing.B, d *servers.MySQLDatabase) *configs.Pipeline {
	text := fmt.Sprintf("name: bench\nsource:\n  url: %s\n  tables: [outbox]\n  snapshot: no_data\nkafka:\n  brokers: [127.0.0.1:9]\n", d.URL("outferry"))
	set, findings := configs.LoadBytes("bench.yaml", []byte(text), configs.Options{})
	if findings.HasErrors() {
		b.Fatal(findings)
	}
	return set.Pipelines[0]
}

// drain reads n rows, or up to the first position when n is negative, and returns where it stands.
func drain(b *testing.B, cfg *configs.Pipeline, at outbox.Position, n int) outbox.Position {
	src := binlog.New(cfg, hclog.NewNullLogger(), binlog.Options{})
	out, ended := make(chan *outbox.Batch, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(b.Context())
	go func() { ended <- src.Run(ctx, at, out) }()
	defer func() { cancel(); <-ended }()
	for rows := 0; rows < n || n < 0; {
		select {
		case batch := <-out:
			rows += len(batch.Rows)
			at = append(outbox.Position(nil), batch.Position...)
			src.Confirm(batch.Position)
			batch.Release()
			if n < 0 {
				return at
			}
		case err := <-ended:
			ended <- err
			b.Fatal(err)
		}
	}
	return at
}

func fill(b *testing.B, d *servers.MySQLDatabase, rows, perTx, size int) {
	db := d.Connect(b, "app")
	db.SetMaxOpenConns(4)
	pad := strings.Repeat("x", size-50)
	run := time.Now().UnixNano()
	done := make(chan error, 4)
	for w := range 4 {
		go func() {
			var err error
			for i := w * perTx; i < rows && err == nil; i += 4 * perTx {
				var values []string
				for j := range perTx {
					values = append(values, fmt.Sprintf("('%d-%d','order','key-%d','created','%s')", run, i+j, i%50, pad))
				}
				_, err = db.Exec("INSERT INTO outbox VALUES " + strings.Join(values, ","))
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
