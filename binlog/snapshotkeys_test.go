package binlog_test

import (
	"fmt"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
)

// TestSnapshotGoesOnByAnyKey: cut after each few rows, it brings every row once, whatever the key is made of.
func TestSnapshotGoesOnByAnyKey(t *testing.T) {
	keys := map[string]string{
		"bigint":                           "9007199254740992, 9007199254740993, 9007199254740994, -9223372036854775808, 9223372036854775806, 9223372036854775807",
		"bigint unsigned":                  "0, 18446744073709551613, 18446744073709551614, 18446744073709551615",
		"decimal(40,10)":                   "1.1, -1.1, 123456789012345678901234567890.0000000001, 123456789012345678901234567890.0000000002",
		"enum('b','a','c')":                "'a', 'b', 'c'",
		"set('y','x')":                     "'x', 'y', 'x,y', ''",
		"bit(60)":                          "0, 1, 1152921504606846974, 1152921504606846975",
		"double":                           "0.1, -0.1, 1e300, 1e-300, 0.30000000000000004, 0.3",
		"float":                            "0.1, 1.1, 16777216",
		"year":                             "1901, 2024, 2155",
		"date":                             "'2024-02-29', '0000-00-00', '9999-12-31'",
		"datetime(6)":                      "'2024-02-29 10:11:12.000001', '2024-02-29 10:11:12.000002', '0000-00-00'",
		"timestamp(3)":                     "'2024-02-29 10:11:12.001', '2024-02-29 10:11:12.002'",
		"time(2)":                          "'-838:59:59', '10:11:12.01', '10:11:12.02', '-00:00:00.01'",
		"varbinary(4)":                     "X'', X'00', X'0027', X'5c27ff'",
		"varchar(9) CHARACTER SET utf8mb4": `'a', 'B', 'ä b', 'it''s', 'c\\', '😀', ''`,
		"varchar(9) COLLATE utf8mb4_bin":   "'a', 'A', 'a!', 'b'",
		"varchar(9) CHARACTER SET sjis":    "'ア', 'ソ', '表', 'a'",
	}
	each(t, func(t *testing.T, version string) {
		d := servers.MySQL(t, version)
		var names []string
		total := 0
		for kind, values := range keys {
			name := fmt.Sprintf("%s.outbox%d", d.Name, len(names))
			names = append(names, name)
			d.Exec(t, fmt.Sprintf("CREATE TABLE %s (k %s NOT NULL, id int, PRIMARY KEY (k, id)) CHARACTER SET utf8mb4", name, kind))
			list := "(" + strings.ReplaceAll(values, ", ", ", %[1]d), (") + ", %[1]d)"
			for id := range 2 {
				d.Exec(t, "SET sql_mode = ''; INSERT INTO "+name+" VALUES "+fmt.Sprintf(list, id))
			}
			total += 2 * (strings.Count(values, ", ") + 1)
		}
		cfg := file(t, d, func(c *configs.Pipeline) { c.Source.Tables = names })
		seen := map[string]int{}
		f := start(t, cfg, nil, binlog.Options{Single: true})
		over := func() bool { return strings.Contains(f.last.String(), `"phase":"stream"`) }
		for !over() {
			f.until("a few rows", func() bool { return len(f.rows) >= 5 || over() })
			for _, r := range f.rows {
				seen[fmt.Sprintf("%s (%s) %q", r.table, r.table.Columns[0].TypeName, r.values)]++
			}
			f.stop()
			if !over() {
				f = start(t, cfg, f.last, binlog.Options{Single: true})
			}
		}
		for row, n := range seen {
			if n > 1 {
				t.Errorf("%s: %d times", row, n)
			}
		}
		if len(seen) != total {
			t.Errorf("got %d rows, want %d", len(seen), total)
		}
	})
}
