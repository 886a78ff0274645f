package binlog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outferry/internal/servers"
)

// TestCaptureRows writes testdata/rows anew when it is asked to: for each payload one transaction of one row in a table with a text column,
// then the same in a table with a JSON column.
func TestCaptureRows(t *testing.T) {
	if !*capture {
		return
	}
	for _, version := range servers.MySQLVersions(t) {
		m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, RowMetadata: "FULL"})
		sql := []string{"CREATE DATABASE ferry; USE ferry"}
		for _, table := range []string{"outbox", "documents"} {
			kind := map[string]string{"outbox": "longtext", "documents": "json"}[table]
			sql = append(sql, fmt.Sprintf("CREATE TABLE %s (id varchar(36) PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL, type varchar(255), payload %s) CHARACTER SET utf8mb4", table, kind))
			for i, size := range []int{200, 1 << 10, 16 << 10} {
				sql = append(sql, fmt.Sprintf("INSERT INTO %s VALUES ('10711fa5-0000-4000-8000-00000000000%d', 'order', 'key-7', 'created', '%s')", table, i, document(size)))
			}
		}
		m.Admin().Exec(t, strings.Join(sql, ";"))
		log, err := os.ReadFile(filepath.Join(m.DataDir, "binlog.000001"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("testdata/rows/"+version+".binlog", log, 0o644); err != nil {
			t.Fatal(err)
		}
		m.Stop()
	}
}

// document is JSON of about size bytes.
func document(size int) string {
	var s strings.Builder
	s.WriteString(`{"id": 1, "lines": [`)
	for s.Len() < size-80 {
		s.WriteString(`{"name": "a word or two", "count": 12, "note": null}, `)
	}
	s.WriteString(`{"name": "the last", "price": 12.5}], "done": true}`)
	return s.String()
}
