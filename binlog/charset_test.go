package binlog_test

import (
	"fmt"
	"strings"
	"testing"

	"outferry/binlog"
	"outferry/configs"
	"outferry/internal/servers"
)

// TestEveryCharacterOfEverySet: what the stream makes of a text is what the server makes of it, for each character of
// each character set that the server can bring to Unicode and back.
func TestEveryCharacterOfEverySet(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		d := servers.MySQL(t, version)
		sets := strings.Split(d.Text(t, "SELECT GROUP_CONCAT(CHARACTER_SET_NAME ORDER BY 1) FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME <> 'binary'"), ",")
		d.Exec(t, "SET GLOBAL binlog_row_metadata = FULL; CREATE TABLE u (n int PRIMARY KEY, c varchar(1) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)")
		for from := 0; from <= 0xffff; from += 4096 {
			d.Exec(t, "INSERT INTO u VALUES "+characters(from, from+4096))
		}
		all := func(c *configs.Pipeline) { c.Source.Tables = nil }
		for _, set := range sets {
			d.Exec(t, fmt.Sprintf("CREATE TABLE outbox_%s (id varchar(40) PRIMARY KEY, payload mediumtext CHARACTER SET %[1]s)", set))
			all = func(next func(*configs.Pipeline)) func(*configs.Pipeline) {
				return func(c *configs.Pipeline) { next(c); c.Source.Tables = append(c.Source.Tables, d.Name+".outbox_"+set) }
			}(all)
		}
		f := start(t, file(t, d, noData, all), nil, binlog.Options{})
		f.begun()
		for _, set := range sets {
			d.Exec(t, fmt.Sprintf(`SET group_concat_max_len = 1000000, sql_mode = ''; INSERT INTO outbox_%s SELECT CONCAT('%[1]s', n DIV 256), GROUP_CONCAT(c ORDER BY n SEPARATOR '') FROM u
				WHERE CONVERT(CONVERT(c USING %[1]s) USING utf8mb4) = c COLLATE utf8mb4_bin GROUP BY n DIV 256; INSERT INTO outbox_%[1]s VALUES ('%[1]s', '')`, set))
			f.until(set, func() bool { return len(f.rows) > 0 && f.rows[len(f.rows)-1].get("id") == set })
		}
		db := d.Connect(t, "root")
		for _, r := range f.rows {
			var want string
			if err := db.QueryRow("SELECT CONVERT(payload USING utf8mb4) FROM " + r.table.Name + " WHERE id = '" + r.get("id") + "'").Scan(&want); err != nil || r.get("payload") != want {
				t.Errorf("%s: got %q, want %q", r.get("id"), r.get("payload"), want)
			}
		}
	})
}

// characters are those of a stretch of Unicode but the private ones, which no two tables agree on.
func characters(from, to int) string {
	var rows []string
	for n := from; n < to; n++ {
		switch {
		case n >= 0xd800 && n <= 0xf8ff, n >= 0x80 && n < 0xa0, n == 0xfffd, n == 0x1e3f:
			rows = append(rows, fmt.Sprintf("(%d, 'x')", n))
		default:
			rows = append(rows, fmt.Sprintf("(%d, X'%x')", n, string(rune(n))))
		}
	}
	return strings.Join(rows, ",")
}
