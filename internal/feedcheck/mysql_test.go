package feedcheck

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"outferry/internal/servers"
)

func TestOracleKnowsEveryRowOfTheTableOnMySQL(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			spec := DefaultSpec(7)
			spec.Writers, spec.Deletes, spec.Cut, spec.BigEvery, spec.BigRows = 4, 0, 5, 50, 1200
			opts := LoadOptions{Dialect: MySQL{}, DSN: servers.MySQL(t, version).URL("app"), Tables: Tables{Payload: "longtext"}, Spec: spec, Transactions: 400}
			done := Outcomes{}
			for range 2 { // a workload may be started again
				s, err := Load(within(t, 2*time.Minute), opts)
				if err != nil {
					t.Fatal(err)
				}
				done.add(s.Outcomes)
			}
			o := checkMySQLTable(t, opts)
			if o.txs < done.Committed || o.txs > done.Committed+done.Unknown || done.RolledBack == 0 || done.Unknown == 0 {
				t.Fatalf("%d transactions in the ledger, writers counted %+v", o.txs, done)
			}
		})
	}
}

func TestLoadSurvivesAMySQLThatIsKilled(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			server := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Durable: true})
			opts := LoadOptions{Dialect: MySQL{}, DSN: server.Database(t).URL("app"), Spec: DefaultSpec(8)}
			opts.Spec.Deletes = 0
			ctx, stop := context.WithCancel(within(t, 3*time.Minute))
			defer stop()
			var s *Summary
			ended := make(chan error, 1)
			go func() {
				var err error
				s, err = Load(ctx, opts)
				ended <- err
			}()
			killUnderLoad(t, server, opts)
			stop()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if s.Unknown+s.Failed == 0 {
				t.Fatalf("the kills were not felt: %+v", s.Outcomes)
			}
			o := checkMySQLTable(t, opts)
			for w, acked := range s.Acked {
				for _, tx := range acked {
					if _, ok := o.number(Ref{W: w, Tx: tx}); !ok {
						t.Fatalf("w%d/tx%d was acknowledged and is not in the ledger", w, tx)
					}
				}
			}
		})
	}
}

func killUnderLoad(t *testing.T, server *servers.MySQLServer, opts LoadOptions) {
	t.Helper()
	db, err := opts.Dialect.Open(opts.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ledger := func() (n int) {
		_ = db.QueryRow("SELECT count(*) FROM feed_ledger").Scan(&n)
		return n
	}
	more := func() {
		n := ledger()
		servers.Eventually(t, time.Minute, "more transactions are committed", func() bool { return ledger() > n+100 })
	}
	for range 2 {
		more()
		server.Kill()
		server.Start()
	}
	more()
}

// checkMySQLTable compares the outbox table with the oracle.
func checkMySQLTable(t *testing.T, opts LoadOptions) *Oracle {
	t.Helper()
	db, err := opts.Dialect.Open(opts.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	o, err := Read(within(t, time.Minute), opts.Dialect, db, opts.Tables)
	if err != nil {
		t.Fatal(err)
	}
	if r := checkTable(t, db, o, Rules{}); !r.OK() || r.Stats.Records != r.Stats.Expected {
		t.Fatalf("oracle and table differ:\n%s", r)
	}
	return o
}

// TestALostHandshakeIsALostConnection: the driver does not export the error of a server that went away before the answer to its
// greeting was written.
func TestALostHandshakeIsALostConnection(t *testing.T) {
	if !(MySQL{}).Broken(fmt.Errorf("connect: %w", errors.New("bad connection"))) {
		t.Error("it is taken for a fault of the workload")
	}
}
