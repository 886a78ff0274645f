package walstream_test

import (
	"fmt"
	"strings"
	"testing"

	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
	"outferry/walstream"
)

// asciiRig is a rig on a database whose server lets every byte into a text.
func asciiRig(t *testing.T, version int) *sourcetest.Rig {
	t.Helper()
	made := servers.Postgres(t, version)
	d := &servers.Database{Name: made.Name + "x", Port: made.Port}
	made.Exec(t, "CREATE DATABASE "+d.Name+" ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
	t.Cleanup(func() {
		d.Exec(t, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
		made.Exec(t, "DROP DATABASE "+d.Name+" WITH (FORCE)")
	})
	return rig(t, d)
}

// TestTextThatIsNotUTF8Stops: the server refuses it at each try, and what the fault says leads past it.
func TestTextThatIsNotUTF8Stops(t *testing.T) {
	const bad = `INSERT INTO outbox VALUES ('bad', 'o', 'k', 't', E'\xe4')`
	const good = `INSERT INTO outbox VALUES ('good', 'o', 'k', 't', '{}')`
	for _, version := range servers.PostgresVersions(t) {
		t.Run(fmt.Sprint(version, " in the log"), func(t *testing.T) {
			r := asciiRig(t, version)
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
			if f := r.Rows(t, edited(t, rd.Feed.Last(), map[string]any{"lsn": lsn.String()}), 1); f.IDs[0] != "good" {
				t.Errorf("behind it came %v", f.IDs)
			}
		})
		t.Run(fmt.Sprint(version, " in the snapshot"), func(t *testing.T) {
			r := asciiRig(t, version)
			r.Exec(t, bad)
			wantFault(t, r.Start(t, nil, false, true).Fault(), "row.encoding", outbox.Internal)
		})
	}
}
