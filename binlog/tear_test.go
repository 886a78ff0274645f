package binlog_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
	"outferry/outbox"
)

// tears are how much of its last event a transaction has that MariaDB was writing when it crashed.
var tears = map[string]int{"in an event": 45, "in a head": 35, "between events": 31}

// TestTornTransactionsArePassedBy: what MariaDB leaves in its log of a transaction that it rolled back in a crash is not
// published, however large it is, and what follows is.
func TestTornTransactionsArePassedBy(t *testing.T) {
	for _, by := range []string{"gtid", "file"} {
		t.Run(by, func(t *testing.T) {
			eachTear(t, func(t *testing.T, s torn, d *servers.MySQLDatabase, cut int) {
				edit := func(c *configs.Pipeline) { noData(c); c.Source.MySQL.Position = by }
				f := start(t, file(t, d, edit), nil, binlog.Options{})
				first := f.begun()
				d.Exec(t, "ALTER TABLE outbox ADD COLUMN more int")
				large(t, d, "a")
				f.wait(largeRows)
				s.tear(t, cut)
				f.fault()
				d.Exec(t, insert("b"))
				s.tear(t, cut)
				d.Exec(t, insert("c"))
				want := append(ids("a"), "b", "c")
				wantIDs(t, "the whole", through(t, d, edit, first, len(want)), want)
				wantIDs(t, "the rest", through(t, d, edit, f.last, 2), want[largeRows:])
			})
		})
	}
}

// TestATornTransactionBesideASnapshot: the log beside one is read too.
func TestATornTransactionBesideASnapshot(t *testing.T) {
	eachTear(t, func(t *testing.T, s torn, d *servers.MySQLDatabase, cut int) {
		for n := range 40 {
			d.Exec(t, insert(fmt.Sprintf("s%02d", n)))
		}
		initial := func(c *configs.Pipeline) { c.Source.Snapshot = "initial" }
		f := start(t, file(t, d, initial), nil, binlog.Options{Single: true})
		f.wait(10)
		f.stop()
		had := len(f.rows)
		large(t, d, "b")
		s.tear(t, cut)
		d.Exec(t, insert("c"))
		got := through(t, d, initial, f.last, 40-had+largeRows+1)
		if slices.Sort(got); len(slices.Compact(got)) != 40-had+largeRows+1 {
			t.Errorf("got %d rows, some twice", len(got))
		}
	})
}

// TestATornTransactionThatIsPublishedInPart stops: an older version may have done that.
func TestATornTransactionThatIsPublishedInPart(t *testing.T) {
	eachTear(t, func(t *testing.T, s torn, d *servers.MySQLDatabase, cut int) {
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		large(t, d, "b")
		f.wait(largeRows)
		f.stop()
		part := s.tear(t, cut)
		d.Exec(t, insert("c"))
		from := outbox.Position(strings.TrimSuffix(string(f.last), "}") + fmt.Sprintf(`,"part":{"gtid":%q,"rows":1}}`, part))
		fault := start(t, file(t, d, noData), from, binlog.Options{}).fault()
		wantFault(t, fault, "mysql.part_mismatch", outbox.PositionLost)
		if !strings.Contains(fault.Remedy, "offsets set") {
			t.Errorf("remedy %q", fault.Remedy)
		}
	})
}

// TestAFileThatLacksWhatWasCommitted stops.
func TestAFileThatLacksWhatWasCommitted(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		s, d := newTorn(t, version)
		f := start(t, file(t, d, noData), nil, binlog.Options{})
		f.begun()
		d.Exec(t, insert("a"))
		f.wait(1)
		f.stop()
		d.Exec(t, insert("lost"))
		d.Exec(t, "FLUSH BINARY LOGS")
		damaged := s.files(t)[len(s.files(t))-2]
		s.server.Stop()
		log, err := os.ReadFile(damaged)
		if err == nil {
			err = os.WriteFile(damaged, log[:len(log)-150], 0o600) // a ROTATE event, and the end of the last transaction
		}
		if err != nil {
			t.Fatal(err)
		}
		s.server.Start()
		d.Exec(t, insert("c"))
		wantFault(t, start(t, file(t, d, noData), f.last, binlog.Options{}).fault(), "mysql.log_torn", outbox.PositionLost)
	})
}

const largeRows = 40

// large inserts more than a batch holds.
func large(t *testing.T, d *servers.MySQLDatabase, id string) {
	t.Helper()
	var rows []string
	for _, id := range ids(id) {
		rows = append(rows, fmt.Sprintf("('%s', 'order', 'key', 'created', REPEAT('x', 100000))", id))
	}
	d.Exec(t, "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload) VALUES "+strings.Join(rows, ","))
}

func ids(id string) (all []string) {
	for n := range largeRows {
		all = append(all, fmt.Sprintf("%s%02d", id, n))
	}
	return all
}

// through returns the ids of the rows that come in as many sessions as that takes.
func through(t *testing.T, d *servers.MySQLDatabase, edit func(*configs.Pipeline), from outbox.Position, n int) (got []string) {
	t.Helper()
	for range 4 {
		f := start(t, file(t, d, edit), from, binlog.Options{})
		f.untilItEnds(n - len(got))
		f.stop()
		for _, r := range f.rows {
			got = append(got, r.get("id"))
		}
		if !f.last.IsZero() {
			from = f.last
		}
	}
	return got
}

// untilItEnds takes batches until there are n rows or the source waits, as it does once behind a tear.
func (f *feed) untilItEnds(n int) {
	f.t.Helper()
	deadline := time.After(sourcetest.Deadline)
	for len(f.rows) < n {
		select {
		case b := <-f.out:
			f.take(b)
		case err := <-f.ended:
			f.ended <- err
			if len(f.out) == 0 {
				return
			}
		case <-deadline:
			f.t.Fatalf("%d rows after %s, want %d", len(f.rows), sourcetest.Deadline, n)
		}
	}
}

func wantIDs(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %d rows %v, want %d", what, len(got), got, len(want))
	}
}

// torn is a server whose log a test damages.
type torn struct {
	server *servers.MySQLServer
	data   string
}

// eachTear tests each of tears on each MariaDB, of a server of its own. MySQL cuts its log.
func eachTear(t *testing.T, test func(t *testing.T, s torn, d *servers.MySQLDatabase, cut int)) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return
		}
		for name, cut := range tears {
			t.Run(name, func(t *testing.T) {
				s, d := newTorn(t, version)
				test(t, s, d, cut)
			})
		}
	})
}

func newTorn(t *testing.T, version string) (torn, *servers.MySQLDatabase) {
	t.Helper()
	s := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Durable: true})
	d := s.Database(t)
	d.Exec(t, tablesSQL)
	return torn{s, d.Text(t, "SELECT @@datadir")}, d
}

func (s torn) files(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.data, "binlog.[0-9][0-9][0-9][0-9][0-9][0-9]"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the log: %v %v", files, err)
	}
	slices.Sort(files)
	return files
}

// tear kills the server and writes the last transaction into its log again, under the next number and without its last bytes.
// It returns that number.
func (s torn) tear(t *testing.T, cut int) string {
	t.Helper()
	s.server.Kill()
	file := slices.Max(s.files(t))
	log, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const gtidEvent, head, crc = 162, 19, 4
	last := 0
	for at := 4; at < len(log); at += int(binary.LittleEndian.Uint32(log[at+9:])) {
		if log[at+4] == gtidEvent {
			last = at
		}
	}
	group := bytes.Clone(log[last:])
	seq := binary.LittleEndian.Uint64(group[head:]) + 1
	binary.LittleEndian.PutUint64(group[head:], seq)
	for at := 0; at < len(group); {
		size := int(binary.LittleEndian.Uint32(group[at+9:]))
		event := group[at : at+size]
		if end := binary.LittleEndian.Uint32(event[13:]); end != 0 {
			binary.LittleEndian.PutUint32(event[13:], end+uint32(len(group)))
		}
		binary.LittleEndian.PutUint32(event[size-crc:], crc32.ChecksumIEEE(event[:size-crc]))
		at += size
	}
	if err := os.WriteFile(file, append(log, group[:len(group)-cut]...), 0o600); err != nil {
		t.Fatal(err)
	}
	server := binary.LittleEndian.Uint32(group[5:])
	s.server.Start()
	return fmt.Sprintf("0-%d-%d", server, seq)
}
