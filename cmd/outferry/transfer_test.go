package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"outferry/walstream"
)

func TestExportAndImportMoveAPositionToAnotherKafka(t *testing.T) {
	r := newRig15(t)
	r.do("export").want(t, 3, "offsets.none")
	r.insert(3)
	r.runUntil(3)
	r.insert(2)
	out := r.do("export").want(t, 0, `"phase": "stream"`).out
	file := filepath.Join(t.TempDir(), "posts.json")
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	before, other := r.record(), "offsets.topic="+r.name+"-other" // stands for another Kafka's
	r.do("import "+file, "--set", other).want(t, 0, "moved from none")
	after := r.record(other)
	if after.Seq != before.Seq+1 || after.Events != before.Events || string(after.Position) != string(before.Position) || after.Instance == before.Instance {
		t.Errorf("imported %+v from %+v", after, before)
	}
	r.runUntil(5, other)
	r.wantEvents("1-5")
}

func TestImportRefusesWhatItCannotProve(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	exported := r.do("export").want(t, 0).out
	into := func(text, line string) outcome { return r.doWith(strings.NewReader(text), line) }
	into("{", "import").want(t, 2)
	into(strings.Replace(exported, `"`+r.name+`"`, `"somebody"`, 1), "import").want(t, 2, "somebody")
	into(strings.Replace(exported, `"system_id": "`, `"system_id": "1`, 1), "import --yes").want(t, 4, "pg.wrong_source", "outferry offsets reset "+r.name)
	r.insert(2)
	r.runUntil(3)
	r.do("show").want(t, 0)
	into(exported, "import --yes").want(t, 4, "pg.slot_ahead")
	r.doWith(nil, "import --topic x --connector y").want(t, 2, "--from-connect")
	r.doWith(nil, "import --from-connect --topic x").want(t, 2)
	r.doWith(nil, "import "+filepath.Join(t.TempDir(), "missing")).want(t, 2)
	r.runUntil(3)
	r.wantEvents("1-3")
}

func TestImportOfALaterPositionIsAGap(t *testing.T) {
	r := newRig15(t)
	r.insert(1)
	r.runUntil(1)
	r.insert(2)
	exported := r.do("export").out
	at, err := walstream.ParsePlace(r.record().Source())
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(exported, at.LSN.String(), r.lsn(), 1)
	r.doWith(strings.NewReader(later), "import --yes").want(t, 3, "offsets.gap", "2 outbox rows")
	r.doWith(strings.NewReader(later), "import --yes --accept-gap").want(t, 0, "moved")
	r.insert(1)
	r.runUntil(4)
	r.wantEvents("1", "4")
}

// debezium prepares a slot and a publication as a connector leaves them, without a position of ours, with three
// transactions: A (1-2), B (3-5) and C (6-7).
func debezium(t *testing.T) *rig {
	t.Helper()
	r := newRig15(t)
	r.db.Exec(t, "CREATE PUBLICATION "+r.slot()+" FOR TABLE outbox")
	r.db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", r.slot())
	for _, n := range []int{2, 3, 2} {
		tx := make([]string, n)
		for i := range tx {
			r.next++
			tx[i] = fmt.Sprintf("INSERT INTO outbox VALUES (%d, '%s', 'k', 't', %[1]d)", r.next, r.name)
		}
		r.db.Exec(t, strings.Join(tx, ";")) // one transaction, one WAL record each
	}
	return r
}

// logged is a change, or the commit after it, as the slot's log has it.
type logged struct {
	lsn walstream.LSN
	xid string
}

func (l logged) number() string { return fmt.Sprint(uint64(l.lsn)) }

// log looks up the nth row (from 1) or, with 'C', the nth commit.
func (r *rig) log(kind byte, n int) logged {
	r.Helper()
	query := `SELECT %s FROM (SELECT lsn, xid, get_byte(data, 0) kind, row_number() OVER (PARTITION BY get_byte(data, 0)) n
		FROM pg_logical_slot_peek_binary_changes('%s', NULL, NULL, 'proto_version', '1', 'publication_names', '%[2]s')) l WHERE kind = %d AND n = %d`
	at, err := walstream.ParseLSN(r.db.Text(r.T, fmt.Sprintf(query, "lsn", r.slot(), kind, n)))
	if err != nil {
		r.Fatal(err)
	}
	return logged{at, r.db.Text(r.T, fmt.Sprintf(query, "xid", r.slot(), kind, n))}
}

func offsetsOf(value string) string {
	return `{"offsets":[{"partition":{"server":"blog"},"offset":` + value + `}]}`
}

func TestImportFromConnectGoesOnBehindTheLastRow(t *testing.T) {
	type shape func(r *rig) string
	change := func(row, lastCommit int, more string) shape {
		return func(r *rig) string {
			l := r.log('I', row)
			value := `{"lsn_proc":` + l.number() + `,"messageType":"INSERT","lsn":` + l.number() + `,"txId":` + l.xid + `,"ts_usec":1795477739066820` + more
			if lastCommit > 0 {
				value += `,"lsn_commit":` + r.log('C', lastCommit).number()
			}
			return value + "}"
		}
	}
	for _, test := range []struct {
		name  string
		value shape
		want  []string
		words string
	}{
		{"after a commit", func(r *rig) string {
			c := r.log('C', 1)
			return `{"lsn_proc":` + c.number() + `,"messageType":"COMMIT","lsn_commit":` + c.number() + `,"lsn":` + c.number() + `,"txId":` + c.xid + `}`
		}, []string{"3-7"}, "moved"},
		{"at rest on the last row of a transaction", change(5, 1, ""), []string{"6-7"}, "moved"},
		{"at the first transaction ever", change(2, 0, ""), []string{"3-7"}, "moved"},
		{"inside a transaction", change(4, 1, ""), []string{"5-7"}, "published up to its row 2"},
		{"on the first row of a transaction", change(3, 1, `,"lsn_events_processed":1`), []string{"4-7"}, "published up to its row 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := debezium(t)
			text := offsetsOf(test.value(r))
			r.doWith(strings.NewReader(text), "import --from-connect --yes").want(t, 0, test.words)
			r.runUntil(7)
			r.wantEvents(test.want...)
		})
	}
}

func TestImportFromConnectRefusesWhatIsAmbiguous(t *testing.T) {
	r := debezium(t)
	r.db.Exec(t, `INSERT INTO outbox SELECT i, 'x', 'k', 't', i FROM generate_series(100, 102) i`) // rows of one WAL record only with COPY
	c := r.db.Connect(t, "postgres")
	if _, err := c.PgConn().CopyFrom(t.Context(), strings.NewReader("201,x,k,t,1\n202,x,k,t,2\n203,x,k,t,3\n"), "COPY outbox FROM STDIN CSV"); err != nil {
		t.Fatal(err)
	}
	shared := r.log('I', 11) // the first of the COPY
	into := func(value string) outcome {
		return r.doWith(strings.NewReader(value), "import --from-connect --yes")
	}
	at := `"lsn_proc":` + shared.number() + `,"lsn":` + shared.number() + `,"txId":` + shared.xid + `,"messageType":"INSERT"`
	into(offsetsOf("{"+at+"}")).want(t, 4, "connect.position_unproven", "3 rows share this LSN")
	into(offsetsOf("{"+at+`,"snapshot":"INITIAL"}`)).want(t, 4, "snapshot is unfinished")
	into(offsetsOf(`{"lsn":1,"lsn_proc":1,"txId":77,"messageType":"INSERT"}`)).want(t, 4, "does not bring it any more")
	into(offsetsOf(`{"file":"mysql-bin.000001","pos":4}`)).want(t, 2, "MySQL")
	into(`{"offsets":[]}`).want(t, 2, "there is none")
	if rec := r.record(); rec != nil {
		t.Fatalf("a refused import wrote %+v", rec)
	}
	into(offsetsOf("{"+at+`,"lsn_events_processed":3}`)).want(t, 0, "moved")
}

func TestImportFromConnectsTopic(t *testing.T) {
	r := debezium(t)
	topic := r.name + "-connect"
	client := r.broker.Client(t, kgo.AllowAutoTopicCreation())
	old, last := r.log('C', 1), r.log('I', 5)
	value := func(l logged, kind string) []byte {
		return []byte(`{"lsn_proc":` + l.number() + `,"messageType":"` + kind + `","lsn_commit":` + old.number() + `,"lsn":` + l.number() + `,"txId":` + l.xid + `}`)
	}
	key := []byte(`["outbox",{"server":"blog"}]`)
	results := client.ProduceSync(t.Context(),
		&kgo.Record{Topic: topic, Key: []byte(`["other",{"server":"blog"}]`), Value: []byte(`{"lsn":1}`)},
		&kgo.Record{Topic: topic, Key: []byte("junk"), Value: []byte("junk")},
		&kgo.Record{Topic: topic, Key: key, Value: value(old, "COMMIT")},
		&kgo.Record{Topic: topic, Key: key, Value: value(last, "INSERT")})
	if err := results.FirstErr(); err != nil {
		t.Fatal(err)
	}
	r.do("import --from-connect --connector nobody --topic "+topic).want(t, 3, "connect.offset_missing", "outbox (server blog)")
	r.do("import --from-connect --connector outbox --topic "+topic).want(t, 0, "moved")
	r.runUntil(7)
	r.wantEvents("6-7")
}

func TestExportToConnectIsTheEndOfATransaction(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	r.do("export --to-connect").want(t, 2, "--server")
	out := r.do("export --to-connect --server blog").want(t, 0).out
	type list struct {
		Offsets []struct {
			Partition struct{ Server string }
			Offset    struct {
				LSN, Proc, Commit uint64
				MessageType       string
			}
		}
	}
	out = strings.NewReplacer("lsn_proc", "proc", "lsn_commit", "commit").Replace(out)
	got := decode[list](t, out)
	at, err := walstream.ParsePlace(r.record().Source())
	if err != nil || len(got.Offsets) != 1 {
		t.Fatal(err, out)
	}
	o := got.Offsets[0]
	want := uint64(at.LSN)
	if o.Partition.Server != "blog" || o.Offset.LSN != want || o.Offset.Proc != want || o.Offset.Commit != want || o.Offset.MessageType != "COMMIT" {
		t.Errorf("%s, want %d", out, want)
	}
}

func TestWhatWasExportedToConnectComesBack(t *testing.T) {
	r := newRig15(t)
	r.insert(2)
	r.runUntil(2)
	out := r.do("export --to-connect --server blog").want(t, 0).out
	r.insert(2)
	r.doWith(strings.NewReader(out), "import --from-connect", "--set", "offsets.topic="+r.name+"-other").want(t, 0, "moved from none")
	r.runUntil(4, "offsets.topic="+r.name+"-other")
	r.wantEvents("1-4")
}
