package walstream_test

import (
	"fmt"
	"strings"
	"testing"

	"outferry/internal/servers"
	"outferry/outbox"
	"outferry/walstream"
)

// encodings are those whose servers store a text that has no form in UTF-8, with such a byte. The first takes any, the second
// has no character for it; their errors differ.
var encodings = []struct{ name, bad string }{{"SQL_ASCII", `E'\xe4'`}, {"WIN1252", `E'\x81'`}}

// onEachEncoding runs a test on a database of each encoding and version, with the statement that inserts such a row.
func onEachEncoding(t *testing.T, test func(t *testing.T, d *servers.Database, bad string)) {
	t.Helper()
	for _, e := range encodings {
		t.Run(e.name, func(t *testing.T) {
			onEach(t, 13, func(t *testing.T, made *servers.Database) {
				d := &servers.Database{Name: made.Name + "x", Port: made.Port}
				made.Exec(t, "CREATE DATABASE "+d.Name+" ENCODING '"+e.name+"' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
				t.Cleanup(func() {
					d.Exec(t, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
					made.Exec(t, "DROP DATABASE "+d.Name+" WITH (FORCE)")
				})
				test(t, d, "INSERT INTO outbox VALUES ('bad', 'o', 'k', 't', "+e.bad+")")
			})
		})
	}
}

const good = `INSERT INTO outbox VALUES ('good', 'o', 'k', 't', '{}')`

// TestTextThatIsNotUTF8Stops: the server refuses it at each try, and what the fault says leads past it.
func TestTextThatIsNotUTF8Stops(t *testing.T) {
	onEachEncoding(t, func(t *testing.T, d *servers.Database, bad string) {
		r := rig(t, d)
		at := r.Begun(t)
		r.Exec(t, `INSERT INTO outbox VALUES ('before', 'o', 'k', 't', '{}')`)
		r.Exec(t, bad)
		r.Exec(t, good)
		rd := r.Start(t, at, true, true)
		err := rd.Fault()
		wantFault(t, err, "row.encoding", outbox.Internal)
		if fmt.Sprint(rd.Feed.IDs) != "[before]" {
			t.Errorf("it handed over %v", rd.Feed.IDs)
		}
		_, text, _ := strings.Cut(err.(*outbox.Fault).Remedy, "--lsn ")
		var lsn walstream.LSN
		if err := lsn.UnmarshalText([]byte(strings.Fields(text + " x")[0])); err != nil {
			t.Fatalf("%v: %v", err, text)
		}
		if f := r.Rows(t, edited(t, rd.Feed.Last(), map[string]any{"lsn": lsn.String(), "anchor": nil}), 1); f.IDs[0] != "good" {
			t.Errorf("behind it came %v", f.IDs)
		}
	})
}

// TestTextThatIsNotUTF8StopsASnapshot, also where the snapshot was cut off and the row is in the log beside it: then it is
// not enough to delete the row.
func TestTextThatIsNotUTF8StopsASnapshot(t *testing.T) {
	onEachEncoding(t, func(t *testing.T, d *servers.Database, bad string) {
		r := rig(t, d)
		r.Exec(t, bad)
		wantFault(t, r.Start(t, nil, false, true).Fault(), "row.encoding", outbox.Internal)
		d.Exec(t, "SELECT pg_drop_replication_slot('"+d.Name+"')")
		r.Exec(t, "DELETE FROM outbox")
		at := cutSnapshot(t, r, 50)
		r.Exec(t, bad)
		r.Exec(t, "DELETE FROM outbox WHERE id = 'bad'")
		err := r.Start(t, at, false, true).Fault()
		wantFault(t, err, "row.encoding", outbox.Internal)
		if remedy := err.(*outbox.Fault).Remedy; !strings.Contains(remedy, "offsets reset") {
			t.Errorf("the remedy is %q", remedy)
		}
		d.Exec(t, "SELECT pg_drop_replication_slot('"+d.Name+"')")
		r.Rows(t, nil, 50)
	})
}
