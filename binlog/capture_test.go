package binlog_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"outferry/internal/servers"
)

var capture = flag.Bool("capture", false, "write testdata/*.binlog anew")

// What the captured logs hold. Tables of others stand between ours.
const capturedSQL = `CREATE DATABASE ferry; USE ferry;
	CREATE TABLE outbox (id int PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(300), payload text CHARACTER SET utf8mb4, n decimal(10,2), e enum('one','two'), t datetime(3));
	CREATE TABLE other (n int, t text);
	INSERT INTO outbox VALUES (1, 'order', 'k', '{"grüße": 1}', -1.50, 'two', '2024-02-29 10:11:12.345');
	INSERT INTO other VALUES (1, REPEAT('x', 1000));
	BEGIN; INSERT INTO other VALUES (2, NULL); INSERT INTO outbox VALUES (2, '', NULL, NULL, NULL, NULL, NULL), (3, 'order', REPEAT('k', 300), REPEAT('long ', 500), 99999999.99, 'one', '1000-01-01 00:00:00.001'); SAVEPOINT s; INSERT INTO outbox VALUES (4, 'gone', NULL, NULL, NULL, NULL, NULL); ROLLBACK TO s; COMMIT;
	BEGIN; INSERT INTO outbox VALUES (5, 'gone', NULL, NULL, NULL, NULL, NULL); ROLLBACK;
	UPDATE outbox SET aggregateid = 'changed' WHERE id = 1;
	DELETE FROM outbox WHERE id = 2;
	ALTER TABLE outbox ADD COLUMN extra bigint unsigned AFTER id;
	INSERT INTO outbox VALUES (6, 18446744073709551615, 'order', 'k', 'p', 0, 'one', NULL);
	DROP TABLE other`

// TestCaptureLogs writes the logs that the decoder's tests read, when it is asked to.
func TestCaptureLogs(t *testing.T) {
	if !*capture {
		return
	}
	for _, version := range servers.MySQLVersions(t) {
		for _, compress := range []bool{false, true} {
			m := servers.StartMySQL(t, servers.MySQLOptions{Version: version, Compress: compress, RowMetadata: "FULL"})
			name := version
			if !isMaria(version) {
				name = "mysql-" + version
			}
			if compress {
				name += "-compressed"
			}
			m.Admin().Exec(t, "SET time_zone = '+00:00'; "+capturedSQL)
			log, err := os.ReadFile(filepath.Join(m.DataDir, "binlog.000001"))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("testdata/"+name+".binlog", log, 0o644); err != nil {
				t.Fatal(err)
			}
			m.Stop()
		}
	}
}
