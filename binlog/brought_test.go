package binlog_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"outferry/binlog"
	"outferry/internal/servers"
)

// TestRowsThatNoInsertBroughtAreSaid: a statement is all that the log has of them.
func TestRowsThatNoInsertBroughtAreSaid(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, RowMetadata: "FULL"})
		const partition = " PARTITION BY KEY (id) PARTITIONS 1; "
		type change struct {
			sql  string
			said bool
		}
		cases := map[string]change{
			"exchange":       {"ALTER TABLE outbox" + partition + "ALTER TABLE outbox EXCHANGE PARTITION p0 WITH TABLE side", true},
			"exchanged with": {"ALTER TABLE side" + partition + "ALTER TABLE side EXCHANGE PARTITION p0 WITH TABLE outbox", true},
			"rename":         {"RENAME TABLE outbox TO former; RENAME TABLE `side` TO `outbox`", true},
			"alter":          {"RENAME TABLE outbox TO former; ALTER TABLE side RENAME outbox", true},
			"with more":      {"RENAME TABLE outbox TO former; ALTER TABLE side RENAME outbox, ADD COLUMN extra int", true},
			"in the middle":  {"RENAME TABLE outbox TO former; ALTER TABLE side ADD COLUMN extra int COMMENT 'it''s', RENAME AS outbox, ADD KEY (type)", true},
			"equals":         {"RENAME TABLE outbox TO former; ALTER TABLE side RENAME =outbox", true},
			"no blank":       {"RENAME TABLE outbox TO former; RENAME TABLE side TO`outbox`", true},
			"comments":       {"RENAME TABLE outbox TO former; RENAME/**/TABLE side/* TO x */TO/*!outbox*/", true},
			"several":        {"RENAME TABLE outbox TO former; RENAME TABLE other TO former2, side TO outbox", true},
			"other schema":   {"RENAME TABLE outbox TO former; CREATE DATABASE DB_old; ALTER TABLE side RENAME DB_old.outbox; RENAME TABLE DB_old . outbox TO DB.`outbox`; DROP DATABASE DB_old", true},
			"import":         {"", true},
			"swap":           {"RENAME TABLE `outbox` TO `former`, `side` TO `outbox`", false},
			"back":           {"RENAME TABLE outbox TO former; DROP TABLE side; CREATE TABLE outbox LIKE former; INSERT INTO outbox VALUES ('2', 'o', 'k', 't', '{}'); RENAME TABLE outbox TO side; CREATE TABLE outbox LIKE side", false},
			"column":         {"ALTER TABLE outbox ADD COLUMN extra int; ALTER TABLE outbox RENAME COLUMN extra TO more", false},
		}
		if isMaria(version) {
			cases["setting"] = change{"RENAME TABLE outbox TO former; SET STATEMENT lock_wait_timeout = 9 FOR ALTER TABLE IF EXISTS side WAIT 9 RENAME outbox, FORCE", true}
		}
		if isMaria(version) {
			const parts = "ALTER TABLE side PARTITION BY RANGE COLUMNS (id) (PARTITION p0 VALUES LESS THAN ('t'), PARTITION p1 VALUES LESS THAN (MAXVALUE)); "
			cases["partition"] = change{parts + "RENAME TABLE outbox TO former; ALTER TABLE side CONVERT PARTITION p0 TO TABLE outbox", true}
			cases["another partition"] = change{parts + "ALTER TABLE side CONVERT PARTITION p0 TO TABLE outbox_2020 /* of outbox */", false}
		}
		if version == "mariadb11" {
			cases["convert"] = change{"DROP TABLE outbox; CREATE TABLE outbox LIKE side; ALTER TABLE outbox PARTITION BY RANGE COLUMNS (id) (PARTITION p0 VALUES LESS THAN ('p')); ALTER TABLE outbox CONVERT TABLE side TO PARTITION p1 VALUES LESS THAN ('z')", true}
		}
		for what, c := range cases {
			t.Run(what, func(t *testing.T) {
				d := m.Database(t)
				d.Exec(t, tablesSQL+"; CREATE TABLE side LIKE outbox; INSERT INTO side VALUES ('side', 'o', 'k', 't', '{}')")
				f := start(t, file(t, d, noData), nil, binlog.Options{})
				at := f.begun()
				f.stop()
				if c.sql == "" {
					importTable(t, m, d)
				}
				d.Exec(t, strings.TrimPrefix(strings.ReplaceAll(c.sql, "DB", d.Name)+"; ", "; ")+insert("last"))
				if n := d.Text(t, "SELECT COUNT(*) FROM outbox"); n != "2" && c.said {
					t.Fatalf("%s rows in the outbox, want 2", n)
				}
				f, log := startSaying(t, file(t, d, noData), at)
				f.until("the last row", func() bool { return len(f.rows) > 0 && f.rows[len(f.rows)-1].get("id") == "last" })
				f.stop()
				if said := strings.Contains(log.String(), "code=mysql.rows_unlogged"); said != c.said {
					t.Errorf("warned: %t: %s", said, log.String())
				}
			})
		}
	})
}

// importTable puts the file of the filled table under the outbox.
func importTable(t *testing.T, m *servers.MySQLServer, d *servers.MySQLDatabase) {
	t.Helper()
	conn, err := d.Connect(t, "root").Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dir := filepath.Join(m.DataDir, d.Name)
	one := func(sql string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	one("FLUSH TABLES side FOR EXPORT")
	kept := map[string][]byte{}
	for _, ext := range []string{".ibd", ".cfg"} {
		if kept[ext], err = os.ReadFile(filepath.Join(dir, "side"+ext)); err != nil {
			t.Fatal(err)
		}
	}
	one("UNLOCK TABLES")
	one("ALTER TABLE outbox DISCARD TABLESPACE")
	owner, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	for ext, b := range kept {
		name := filepath.Join(dir, "outbox"+ext)
		if err := os.WriteFile(name, b, 0o640); err != nil {
			t.Fatal(err)
		}
		if s := owner.Sys().(*syscall.Stat_t); os.Getuid() == 0 {
			if err := os.Chown(name, int(s.Uid), int(s.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	one("ALTER TABLE outbox IMPORT TABLESPACE")
}
