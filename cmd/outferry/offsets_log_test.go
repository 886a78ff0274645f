package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/internal/servers"
	"outferry/pipeline"
)

func TestShowSaysWhereALogPipelineStands(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r := newLogRig(t, servers.MySQL(t, version))
		r.do("show").want(t, 0, "POSITION none", "the next run is a first start", "executed")
		r.insert(3)
		stop := r.launch()
		r.await(3)
		servers.Eventually(t, time.Minute, "it is seen", func() bool { return strings.Contains(r.do("show").out, "RUNNING") })
		r.do("show").want(t, 0, "connection", "of the server", "CAN GO ON it runs")
		r.do("set --now --accept-gap --yes").want(t, 3, "offsets.pipeline_runs")
		stop()
		r.awaitGone()
		r.do("show").want(t, 0, "phase stream", "EVENTS 3", "LOG from", "transactions", "CAN GO ON yes")
		got := decode[struct {
			Result struct {
				Behind   *int64 `json:"lag_transactions"`
				Log      struct{ File, Server_UUID string }
				Continue struct{ OK bool }
			}
		}](t, r.do("show -o json").want(t, 0).out)
		if res := got.Result; res.Behind == nil || res.Log.File == "" || !res.Continue.OK {
			t.Errorf("%+v", got)
		}
		r.do("show", "--set", "kafka.brokers=127.0.0.1:1").want(t, 3, "POSITION -", "LOG from", "kafka.unreachable")
		url := strings.Replace(r.my.URL("outferry"), ":outferry@", "@", 1)
		nowhere := strings.Replace(url, fmt.Sprintf(":%d/", r.my.Port), ":1/", 1)
		r.do("show", "--set", "source.url="+nowhere).want(t, 3, "phase stream", "mysql.unreachable", "LOG -")
	})
}

func TestFlagsOfTheOtherDatabaseAreRefused(t *testing.T) {
	for _, version := range servers.MySQLVersions(t) {
		r := newLogRig(t, servers.MySQL(t, version))
		r.do("set --lsn 0/16B3748").want(t, 2, "--gtid")
		r.do("set --from-slot").want(t, 2, "--file with --pos")
		r.do("set --file binlog.000001").want(t, 2, "pos")
		r.do("set --accept-gap", "--gtid", "").want(t, 2, "--gtid is empty")
		r.do("set --gtid nonsense").want(t, 2, "offsets.invalid")
		if !strings.HasPrefix(version, "mariadb") { // whose numbers may come again
			r.do("set --file binlog.000001 --pos 4").want(t, 2, "--gtid")
		}
	}
	r := newRig15(t)
	r.do("set --gtid 0-1-5").want(t, 2, "--from-slot")
	r.do("set --file binlog.000001 --pos 4").want(t, 2, "--lsn")
}

func TestSetByGTIDSkipsOnlyWhenTold(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r := newLogRig(t, servers.MySQL(t, version))
		r.insert(2)
		r.runUntil(2)
		before, early := r.record(), r.executed()
		r.insert(3) // 3-5, to be skipped
		to := r.executed()
		r.insert(2) // 6-7
		r.do("set --gtid "+to).want(t, 3, "offsets.gap", "skipped", "--accept-gap")
		r.do("set --accept-gap --gtid "+to).want(t, 3, "offsets.unconfirmed")
		if rec := r.record(); rec.Seq != before.Seq {
			t.Fatalf("a refused move wrote seq %d", rec.Seq)
		}
		r.do("set --accept-gap --yes --gtid "+to).want(t, 0, "moved from", to)
		r.runUntil(7)
		r.wantEvents("1-2", "6-7")

		r.do("set --gtid "+early).want(t, 3, "offsets.unconfirmed", "published again")
		r.do("set --yes --gtid "+early).want(t, 0, "moved")
		stop := r.launch()
		servers.Eventually(t, time.Minute, "they came again", func() bool { return len(r.events()) == 9 }) // 7 is there from before, so runUntil would not wait
		stop()
		r.wantEvents("1-2", "6-7", "3-7")
	})
}

func TestSetToNowSkipsTheRest(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r := newLogRig(t, servers.MySQL(t, version))
		r.do("set --now").want(t, 3, "offsets.gap", "Kafka has no position", "no snapshot")
		r.do("set --accept-gap").want(t, 0, "nothing to do")
		r.insert(1)
		r.runUntil(1)
		r.do("set --accept-gap").want(t, 0, "there is no gap")
		r.insert(2)
		r.do("set --now --yes").want(t, 3, "offsets.gap")
		r.do("set --now --accept-gap --yes").want(t, 0, "moved")
		r.insert(1)
		r.runUntil(4)
		r.wantEvents("1", "4")
	})
}

func TestSetRefusesWhatTheServerCannotServe(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r, _ := ownServer(t, servers.MySQLOptions{Version: version})
		r.insert(1)
		r.runUntil(1)
		early := r.executed()
		r.insert(1) // 2, purged before it is read
		r.my.Exec(t, "FLUSH BINARY LOGS")
		r.insert(1) // 3
		r.purge()
		r.do("show").want(t, 4, "mysql.log_purged")
		r.do("set --yes --accept-gap --gtid "+early).want(t, 4, "mysql.log_purged")
		ahead := early[:strings.LastIndexAny(early, "-:")+1] + "99999"
		if !r.maria() {
			ahead = early[:strings.Index(early, ":")+1] + "1-99999"
		}
		r.do("set --yes --accept-gap --gtid "+ahead).want(t, 3, "offsets.ahead_of_server", "--now")
		r.do("set --accept-gap --yes").want(t, 0, "what stands in the way", "skipped", "if the log was reset", "moved")
		r.runUntil(3)
		r.wantEvents("1", "3")
	})
}

// purge throws all files away but the last. A reader that has just left may keep them for a moment.
func (r *logRig) purge() {
	r.Helper()
	servers.Eventually(r.T, time.Minute, "the log is purged", func() bool {
		files := r.files()
		r.my.Exec(r.T, "PURGE BINARY LOGS TO '"+files[len(files)-1]+"'")
		return len(r.files()) == 1
	})
}

func (r *logRig) files() (files []string) {
	r.Helper()
	rows, err := r.my.Connect(r.T, "root").Query("SHOW BINARY LOGS")
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		r.Fatal(err)
	}
	rest := make([]any, len(columns)-1)
	for i := range rest {
		rest[i] = new(any)
	}
	for rows.Next() {
		var file string
		if err := rows.Scan(append([]any{&file}, rest...)...); err != nil {
			r.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func TestAcceptGapAfterAResetGoesOnAtTheEnd(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r, _ := ownServer(t, servers.MySQLOptions{Version: version})
		r.insert(1)
		r.runUntil(1)
		r.my.Exec(t, "RESET MASTER")
		r.insert(1) // 2, nobody knows how it belongs to what was before
		r.do("show").want(t, 4)
		r.moves("--accept-gap", "what stands in the way")
		r.insert(1)
		r.runUntil(3)
		r.wantEvents("1", "3")
	})
}

// byFile are rigs that go by places in files: a server without GTIDs, and MariaDB told so.
func byFile(t *testing.T, version string) *logRig {
	if strings.HasPrefix(version, "mariadb") {
		return newLogRig(t, servers.MySQL(t, version), "  mysql: {position: file}\n")
	}
	r, _ := ownServer(t, servers.MySQLOptions{Version: version, NoGTID: true})
	r.my.Exec(t, "GRANT LOCK TABLES ON "+r.my.Name+".* TO outferry") // for the snapshot
	return r
}

// end is where the server's log ends.
func (r *logRig) end() (file, pos string) {
	r.Helper()
	got := decode[struct {
		Result struct {
			Log struct {
				File string
				Pos  int64
			}
		}
	}](r.T, r.do("show -o json").out)
	return got.Result.Log.File, fmt.Sprint(got.Result.Log.Pos)
}

func TestSetByFile(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r := byFile(t, version)
		r.insert(1)
		r.runUntil(1)
		r.do("show").want(t, 0, ":", "phase stream", "bytes", "CAN GO ON yes")
		r.insert(2) // 2-3, to be skipped
		file, pos := r.end()
		r.insert(1)
		at := "--file " + file + " --pos "
		r.do("set "+at+pos).want(t, 3, "offsets.gap", "bytes of the log")
		r.do("set --accept-gap --yes "+at+"5").want(t, 3, "offsets.not_at_transaction_end")
		r.do("set --accept-gap --yes "+at+"999999999").want(t, 3, "offsets.ahead_of_server")
		r.do("set --accept-gap --yes --file binlog.999999 --pos 4").want(t, 3, "offsets.ahead_of_server")
		r.do("set --gtid 0-1-1").want(t, 2)
		r.do("set --accept-gap --yes "+at+pos).want(t, 0, "moved")
		r.runUntil(4)
		r.wantEvents("1", "4")
		out := r.do("export --to-connect --server blog").want(t, 0, file).out
		if strings.Contains(out, "gtids") {
			t.Errorf("a pipeline without GTIDs exported %s", out)
		}
		r.insert(1)
		r.doWith(strings.NewReader(out), "import --from-connect", "--set", "offsets.topic="+r.name+"-other").want(t, 0, "moved from none")
		r.runUntil(5, "offsets.topic="+r.name+"-other")
		r.wantEvents("1", "4-5")
	})
}

func TestResetAndRemoveTakeTheRecordAndTheGroup(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r := newLogRig(t, servers.MySQL(t, version))
		r.insert(2)
		r.runUntil(2)
		r.do("reset").want(t, 3, "offsets.unconfirmed", "publishes every row")
		r.do("reset --yes").want(t, 0, "offset record", "removed")
		if rec := r.record(); rec != nil {
			t.Fatalf("left: %+v", rec)
		}
		r.insert(1)
		r.runUntil(3)
		r.wantEvents("1-2", "1-3")
		r.do("remove").want(t, 3, "offsets.unconfirmed", "nothing is kept")
		got := decode[struct {
			Result struct{ Steps []pipeline.Step }
		}](t, r.do("remove --yes -o json").want(t, 0).out)
		if len(got.Result.Steps) != 2 {
			t.Errorf("%+v", got)
		}
		if group, err := pipeline.NewStore(r.config(), r.broker.Client(t)).HasGroup(t.Context()); err != nil || group || r.record() != nil {
			t.Errorf("left: group %t, %v, record %+v", group, err, r.record())
		}
		r.do("remove --yes --skip-database").want(t, 0, "gone")
	})
}

func TestExportAndImportOfALogPosition(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r := newLogRig(t, servers.MySQL(t, version))
		r.do("export").want(t, 3, "offsets.none")
		r.insert(3)
		r.runUntil(3)
		r.insert(2)
		out := r.do("export").want(t, 0, `"phase": "stream"`).out
		file := filepath.Join(t.TempDir(), "comments.json")
		if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		before, other := r.record(), "offsets.topic="+r.name+"-other"
		r.do("import "+file, "--set", other).want(t, 0, "moved from none")
		if after := r.record(other); after.Seq != before.Seq+1 || after.Events != before.Events || string(after.Position) != string(before.Position) {
			t.Errorf("imported %+v from %+v", after, before)
		}
		r.runUntil(5, other)
		r.wantEvents("1-5")
		r.do("import "+file, "--set", other).want(t, 3, "offsets.unconfirmed", "published again")
		postgres := strings.Replace(out, `"kind"`, `"lsn"`, 1)
		r.doWith(strings.NewReader(postgres), "import").want(t, 2, "offsets.invalid")
	})
}

func TestImportFromAndExportToAConnectorsLogOffset(t *testing.T) {
	eachLog(t, func(t *testing.T, version string) {
		r := newLogRig(t, servers.MySQL(t, version))
		r.insert(2)
		file, pos := r.end()
		gtids := r.executed()
		r.insert(2)
		at := `"file":"` + file + `","pos":` + pos
		into := func(value string) outcome {
			return r.doWith(strings.NewReader(offsetsOf(value)), "import --from-connect --yes")
		}
		into(`{`+at+`,"gtids":"`+gtids+`","event":2,"row":1}`).want(t, 4, "connect.position_unproven", "event 2, row 1", "heartbeat")
		into(`{`+at+`,"gtids":"`+gtids+`","snapshot":"INITIAL"}`).want(t, 4, "snapshot is unfinished")
		into(`{`+at+`}`).want(t, 4, "connect.position_unproven", "no gtids")
		into(`{"lsn":1,"lsn_proc":1,"messageType":"COMMIT"}`).want(t, 2, "PostgreSQL")
		if rec := r.record(); rec != nil {
			t.Fatalf("a refused import wrote %+v", rec)
		}
		topic := r.name + "-connect"
		key := []byte(`["outbox",{"server":"blog"}]`)
		if err := r.broker.Client(t, kgo.AllowAutoTopicCreation()).ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: key, Value: []byte(`{` + at + `,"gtids":"` + gtids + `","ts_sec":1795477451}`)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		r.do("import --from-connect --connector outbox --topic "+topic).want(t, 0, "moved from none")
		r.runUntil(4)
		r.wantEvents("3-4")

		out := r.do("export --to-connect --server blog").want(t, 0, `"gtids"`, `"file"`).out
		r.insert(1)
		other := "offsets.topic=" + r.name + "-other"
		r.doWith(strings.NewReader(out), "import --from-connect", "--set", other).want(t, 0, "moved from none")
		r.runUntil(5, other)
		r.wantEvents("3-5")
	})
}
