package binlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
	"outferry/internal/sourcetest"
)

// TestReusedNumbersLoseAndRepeatNothing: without gtid_strict_mode, its default, MariaDB logs the number that a session asks
// for, and finds the last of two transactions with one number.
func TestReusedNumbersLoseAndRepeatNothing(t *testing.T) {
	down := map[string][]string{ // number $ is that of the position
		"below":          {"4", "l1"},
		"the same":       {"4", "l1", "5", "l2", "flush", "$", "l3", "", "l4"},
		"below and over": {"4", "l1", "flush", "", "l2", "", "l3"},
	}
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL takes no number twice
		}
		for name, script := range down {
			t.Run(name, func(t *testing.T) {
				_, d, at := stopped(t, servers.MySQLOptions{Version: version})
				d.Exec(t, "SET GLOBAL gtid_strict_mode = 0")
				f := resume(t, d, at)
				for _, id := range []string{"a2", "a3", "a4", "a5"} {
					d.Exec(t, insert(id))
				}
				f.wait(4)
				d.Exec(t, "SET SESSION gtid_seq_no = 5; "+insert("again"))
				f.wait(5)
				f.stop()
				position := d.Text(t, "SELECT @@GLOBAL.gtid_binlog_pos")
				last := position[strings.LastIndexByte(position, '-')+1:]
				want := writeWithNumbers(t, d, script, last)
				f = resume(t, d, f.last)
				var got []string
				for _, r := range f.wait(len(want)) {
					got = append(got, r.get("id"))
				}
				if !slices.Equal(got, want) {
					t.Errorf("got %v, want %v", got, want)
				}
			})
		}
	})
}

// TestReusedNumbersBeforeTheFirstRow: in a snapshot that was cut off, and after a start that read nothing, the place in the log
// is known too.
func TestReusedNumbersBeforeTheFirstRow(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL takes no number twice
		}
		for _, snapshot := range []string{"initial", "no_data"} {
			t.Run(snapshot, func(t *testing.T) {
				d := servers.StartMySQL(t, servers.MySQLOptions{Version: version}).Database(t)
				d.Exec(t, tablesSQL+"; SET GLOBAL gtid_strict_mode = 0")
				for n := range 20 {
					d.Exec(t, insert(fmt.Sprintf("old-%02d", n)))
				}
				mode := func(c *configs.Pipeline) { c.Source.Snapshot = snapshot }
				f := start(t, file(t, d, mode), nil, binlog.Options{Single: true})
				want := 4
				if f.begun(); snapshot == "initial" {
					f.wait(10)
					want = 24
				}
				f.stop()
				position := d.Text(t, "SELECT @@GLOBAL.gtid_binlog_pos")
				writeWithNumbers(t, d, []string{"4", "a1", "5", "a2", "flush", "$", "a3", "", "a4"}, position[strings.LastIndexByte(position, '-')+1:])
				g := start(t, file(t, d, mode), f.last, binlog.Options{})
				g.wait(want - len(f.rows))
				if ids := strings.Fields(idsOf(append(f.rows, g.rows...))); strings.Join(ids[want-4:], " ") != "a1 a2 a3 a4" {
					t.Errorf("got %s", ids)
				}
			})
		}
	})
}

// TestFilesOfReusedNumbersMayBePurged when they are read, also where nothing but the file was new.
func TestFilesOfReusedNumbersMayBePurged(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL takes no number twice
		}
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		d.Exec(t, "SET GLOBAL gtid_strict_mode = 0")
		f := resume(t, d, at)
		d.Exec(t, insert("a2"))
		d.Exec(t, "SET SESSION gtid_seq_no = 2, SESSION server_id = 77; "+insert("a3"))
		f.wait(2)
		d.Exec(t, "FLUSH BINARY LOGS")
		files := logFiles(t, d)
		last := files[len(files)-1]
		f.until("the position to be in the new file", func() bool { return strings.Contains(f.last.String(), last) })
		f.stop()
		servers.Eventually(t, sourcetest.Deadline, "the log is purged", func() bool { // a reader that just left keeps a file for a moment
			d.Exec(t, "PURGE BINARY LOGS TO '"+last+"'")
			return logFiles(t, d)[0] == last
		})
		d.Exec(t, "SET SESSION gtid_seq_no = 1; "+insert("a4"))
		f = resume(t, d, f.last)
		if got := f.wait(1)[0].get("id"); got != "a4" {
			t.Errorf("%s came, want a4", got)
		}
	})
}

// TestEncryptedLogIsTheSameLog after a start, in a file that holds nothing yet too.
func TestEncryptedLogIsTheSameLog(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL sends what it has decrypted as any other log
		}
		dir := t.TempDir()
		keys := filepath.Join(dir, "keys")
		if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.WriteFile(keys, []byte("1;"+strings.Repeat("0f", 32)+"\n"), 0o644)); err != nil { // the server has an account of its own
			t.Fatal(err)
		}
		m, d, at := stopped(t, servers.MySQLOptions{Version: version, Settings: []string{servers.MariaDBPlugins(t, version), "plugin_load_add = file_key_management", "file_key_management_filename = " + keys, "encrypt_binlog = ON"}})
		for _, id := range []string{"a2", "a3", "a4"} {
			f := resume(t, d, at)
			d.Exec(t, insert(id))
			if got := f.wait(1)[0].get("id"); got != id {
				t.Fatalf("%s came, want %s", got, id)
			}
			d.Exec(t, "FLUSH BINARY LOGS")
			files := logFiles(t, d)
			f.until("the position to be in the new file", func() bool { return strings.Contains(f.last.String(), files[len(files)-1]) })
			f.stop()
			at = f.last
		}
		m.Kill()
		m.Start()
		d.Exec(t, insert("a5"))
		if got := resume(t, d, at).wait(1)[0].get("id"); got != "a5" {
			t.Errorf("%s came, want a5", got)
		}
	})
}

// writeWithNumbers follows a script of numbers and ids; an empty number is the server's choice.
func writeWithNumbers(t *testing.T, d *servers.MySQLDatabase, script []string, last string) (ids []string) {
	t.Helper()
	for len(script) > 0 {
		if script[0] == "flush" {
			d.Exec(t, "FLUSH BINARY LOGS")
			script = script[1:]
			continue
		}
		number, id := strings.ReplaceAll(script[0], "$", last), script[1]
		set := ""
		if number != "" {
			set = "SET SESSION gtid_seq_no = " + number + "; "
		}
		d.Exec(t, set+insert(id))
		ids, script = append(ids, id), script[2:]
	}
	return ids
}

// TestSkippedDomainsDontComeAgain: asked by GTID the server leaves out what of the set lies behind the place.
func TestSkippedDomainsDontComeAgain(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		if !isMaria(version) {
			return // MySQL is always asked by GTID
		}
		_, d, at := stopped(t, servers.MySQLOptions{Version: version})
		d.Exec(t, "SET SESSION gtid_domain_id = 1; "+insert("b1"))
		d.Exec(t, insert("a2"))
		d.Exec(t, "SET SESSION gtid_domain_id = 1; "+insert("b2"))
		d.Exec(t, "SET SESSION gtid_domain_id = 1; "+insert("b3"))
		moved := edited(t, at, func(m map[string]any) { // as offsets set --gtid does it
			position := d.Text(t, "SELECT @@GLOBAL.gtid_binlog_pos")
			_, domain1, _ := strings.Cut(position, ",")
			m["gtid"] = m["gtid"].(string) + "," + domain1
			delete(m, "file")
			delete(m, "pos")
		})
		f := resume(t, d, moved)
		f.wait(1)
		f.stop()
		for _, r := range f.rows {
			if r.get("id") != "a2" {
				t.Fatalf("%s came, want a2", r.get("id"))
			}
		}
		f = resume(t, d, f.last)
		d.Exec(t, insert("new"))
		if got := f.wait(1)[0].get("id"); got != "new" {
			t.Errorf("%s came, want new", got)
		}
	})
}
