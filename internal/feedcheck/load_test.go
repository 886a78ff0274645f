package feedcheck

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"outferry/internal/servers"
)

func TestMain(m *testing.M) { servers.Main(m) }

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func openPostgres(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := Postgres{}.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func readOracle(t *testing.T, db *sql.DB, tables Tables) *Oracle {
	t.Helper()
	o, err := Read(within(t, time.Minute), Postgres{}, db, tables)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// checkTable shows the rows of the outbox table itself to the judge, as if they were a feed.
func checkTable(t *testing.T, db *sql.DB, o *Oracle, rules Rules) *Report {
	t.Helper()
	report := &Report{}
	rules.AnyOrder, rules.AnyPartition = true, true
	j := NewJudge(o, rules, report)
	rows, err := db.Query("SELECT id, aggregatetype, aggregateid, payload FROM outbox")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, kind, key, payload string
		if err := rows.Scan(&id, &kind, &key, &payload); err != nil {
			t.Fatal(err)
		}
		j.See(&Record{Topic: kind, Key: []byte(key), Value: []byte(payload), Headers: []Header{{Key: "id", Value: []byte(id)}}})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	j.Finish()
	return report
}

func TestOracleKnowsEveryRowOfTheTable(t *testing.T) {
	for _, payload := range []string{"text", "jsonb"} {
		t.Run(payload, func(t *testing.T) {
			database := servers.Postgres(t, 15)
			spec := DefaultSpec(7)
			spec.Writers, spec.Deletes, spec.Cut, spec.BigEvery, spec.BigRows = 4, 0, 5, 50, 1200
			opts := LoadOptions{Dialect: Postgres{}, DSN: database.URL("app"), Tables: Tables{Payload: payload}, Spec: spec, Transactions: 400}
			ctx := within(t, 2*time.Minute)
			done := Outcomes{}
			for range 2 { // a workload may be started again
				s, err := Load(ctx, opts)
				if err != nil {
					t.Fatal(err)
				}
				done.add(s.Outcomes)
			}
			db := openPostgres(t, opts.DSN)
			o := readOracle(t, db, opts.Tables)
			r := checkTable(t, db, o, Rules{JSONB: payload == "jsonb"})
			if !r.OK() || r.Stats.Records != r.Stats.Expected {
				t.Fatalf("oracle and table differ:\n%s", r)
			}
			if o.txs < done.Committed || o.txs > done.Committed+done.Unknown || done.RolledBack == 0 || done.Unknown == 0 || done.Failed > 0 {
				t.Fatalf("%d transactions in the ledger, writers counted %+v", o.txs, done)
			}
		})
	}
}

func TestLoadSurvivesADatabaseThatIsKilled(t *testing.T) {
	server := servers.StartPostgres(t, servers.PostgresOptions{Fsync: true, Settings: []string{"max_prepared_transactions = 20"}})
	database := server.Database(t)
	spec := DefaultSpec(8)
	spec.Deletes, spec.TwoPhase = 0, 20
	ctx, stop := context.WithCancel(within(t, 3*time.Minute))
	type outcome struct {
		*Summary
		error
	}
	ended := make(chan outcome, 1)
	go func() {
		s, err := Load(ctx, LoadOptions{Dialect: Postgres{}, DSN: database.URL("app"), Spec: spec})
		ended <- outcome{s, err}
	}()
	db := openPostgres(t, database.URL("app"))
	ledger := func() (n int) {
		db.QueryRow("SELECT count(*) FROM feed_ledger").Scan(&n)
		return n
	}
	for range 3 {
		n := ledger()
		servers.Eventually(t, time.Minute, "more transactions are committed", func() bool { return ledger() > n+200 })
		server.Kill()
		server.Start()
	}
	n := ledger()
	servers.Eventually(t, time.Minute, "the writers are back", func() bool { return ledger() > n+200 })
	stop()
	s := <-ended
	if s.error != nil {
		t.Fatal(s.error)
	}
	if !s.TwoPhase || s.Unknown+s.Failed == 0 {
		t.Fatalf("the kills were not felt: %+v", s.Outcomes)
	}
	o := readOracle(t, db, Tables{})
	for w, acked := range s.Acked {
		for _, tx := range acked {
			o.Acked(w, tx)
			if _, ok := o.number(Ref{W: w, Tx: tx}); !ok {
				t.Fatalf("w%d/tx%d was acknowledged and is not in the ledger", w, tx)
			}
		}
	}
	if r := checkTable(t, db, o, Rules{}); !r.OK() {
		t.Fatalf("oracle and table differ:\n%s", r)
	}
	left, err := Postgres{}.Prepared(within(t, time.Minute), db, "feed-")
	if err != nil || len(left) > 0 {
		t.Fatalf("transactions were left prepared: %v %v", left, err)
	}
}

func TestLoadFailsWhereTheOutboxDoesNotFit(t *testing.T) {
	database := servers.Postgres(t, 15)
	database.Exec(t, "CREATE TABLE outbox (id uuid); ALTER TABLE outbox OWNER TO app")
	_, err := Load(within(t, time.Minute), LoadOptions{Dialect: Postgres{}, DSN: database.URL("app"), Spec: DefaultSpec(9), Transactions: 10})
	if err == nil {
		t.Fatal("no error")
	}
}

func TestLoadRefusesAnotherSpecOnTheSameTables(t *testing.T) {
	database := servers.Postgres(t, 15)
	opts := LoadOptions{Dialect: Postgres{}, DSN: database.URL("app"), Spec: DefaultSpec(10), Transactions: 5}
	if _, err := Load(within(t, time.Minute), opts); err != nil {
		t.Fatal(err)
	}
	opts.Spec.Seed++
	if _, err := Load(within(t, time.Minute), opts); err == nil {
		t.Fatal("no error")
	}
}
